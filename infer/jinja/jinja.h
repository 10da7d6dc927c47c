/* Jinja templates, as far as chat templates go, run as transformers' apply_chat_template runs them:
 * trim_blocks and lstrip_blocks set, loop controls, generation blocks, raise_exception, strftime_now, tojson
 * without HTML's escapes, an immutable sandbox, and Python's rules for values. docs/chat.md lists what there
 * is.
 *
 * What is not known is refused with line and column, when it is parsed or when it is reached; nothing is
 * guessed. A template is a stranger's program: each rendering has so many steps, so much memory and depth,
 * and ends with a sentence where one is used up.
 *
 * Provenance: each byte of a text carries whether it came from outside (what users, models and tools said) or
 * from the template. Slicing, joining, changing case, splitting and writing as JSON keep it, so that a
 * rendering says of each of its bytes where that came from. That is what keeps a special token that someone
 * typed from becoming one: only what the template itself wrote may. Numbers lose it: digits alone are no
 * token of that kind. The roles of messages count as the template's, which builds tokens of them. */
#ifndef INFER_JINJA_JINJA_H
#define INFER_JINJA_JINJA_H

#include "lib/json.h"

#include <time.h>

#define JINJA_SIZE_LIMIT (1u << 20) /* bytes of a template */
#define JINJA_STEP_LIMIT 10000000u /* evaluations of a node, or 64 bytes of text looked at */
#define JINJA_MEMORY_LIMIT (256u << 20) /* bytes of all values that one rendering makes */
#define JINJA_TEXT_LIMIT (32u << 20) /* bytes of one text, the rendering too */
#define JINJA_DEPTH_LIMIT 400 /* of nesting: expressions, statements, calls and values */

struct jinja_template;

/* `name` begins sentences. Both it and the template's nodes are kept in the arena; `source` may go. */
const struct jinja_template *jinja_parse(const char *name, const char *source, size_t size,
                                         struct arena *arena, struct error *error);

struct jinja_input {
    const json_t *own; /* object: variables that are ours, such as bos_token */
    const json_t *outside; /* object: variables whose texts came from outside, but for messages' roles */
    const struct tm *now; /* what strftime_now tells */
};

struct jinja_output {
    char *text; /* UTF-8, with a NUL behind it */
    char *outside; /* for each byte of the text 1 where it came from outside, else 0 */
    size_t size;
};

/* Renders into the arena, which keeps all that the rendering made on its way: give it one of its own. */
bool jinja_render(const struct jinja_template *template, const struct jinja_input *input,
                  struct jinja_output *output, struct arena *arena, struct error *error);

#endif
