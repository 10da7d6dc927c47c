/* JSON from strangers, by jansson, with limits and with sentences that say line and column.
 *
 * Refused: duplicate keys, nesting beyond JSON_DEPTH_LIMIT, texts beyond JSON_SIZE_LIMIT or JSON_VALUE_LIMIT
 * values, invalid UTF-8, a NUL in a string, anything behind the value. The top must be an object or an array.
 * An integer that 64 bits can't hold becomes a real.
 *
 * Trees are owned by the caller (json_decref) and walked with jansson's own calls; objects keep their keys'
 * order. */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include "lib/memory.h"

#include <jansson.h>

#define JSON_DEPTH_LIMIT 64
#define JSON_SIZE_LIMIT (256u << 20)
#define JSON_VALUE_LIMIT                                                                                     \
    (1u << 23) /* what a value costs in memory is a hundred times what it costs in text */

/* `name` begins the sentence, such as the file's path. NULL on failure. */
json_t *json_read(const char *name, const char *text, size_t size, struct error *error);
json_t *json_read_file(const char *path, struct error *error);

/* Appends the tree, indented by 2, with a newline at its end. Reals print as the shortest text that reads
 * back the same value. Infinities and NaN don't get this far: json_real returns NULL for them, and writing
 * NULL fails. */
bool json_write(const json_t *tree, struct buffer *to, struct error *error);

/* A value as compact JSON in ASCII, for people: cut, with "..." at its end, where it is long. */
#define JSON_SHOWN 80
struct json_shown {
    char text[JSON_SHOWN];
    size_t size;
};
struct json_shown json_show(const json_t *value);

#endif
