/* JSON from strangers, by jansson: duplicate keys refused, depth and size limited, sentences with line and
 * column.
 *
 * Trees are owned by the caller (json_decref). Use jansson's own calls to walk them; the helpers below are
 * for fields with a required kind, so that a wrong one is named. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/memory.h"

#include <jansson.h>

#define JSON_DEPTH_LIMIT 64
#define JSON_SIZE_LIMIT (256u << 20)

/* `name` begins the sentence, such as the file's path. NULL on failure. */
json_t *json_read(const char *name, const char *text, size_t size, struct error *error);
json_t *json_read_file(const char *path, struct error *error);

/* Doubles print as the shortest text that reads back the same value in `digits` significant digits or fewer.
 */
bool json_write(const json_t *tree, struct buffer *to,
                struct error *error); /* indented by 2, newline at its end */

#endif
