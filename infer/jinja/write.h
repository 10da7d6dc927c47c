/* Values as text: Python's str and repr, and json.dumps. */
#ifndef INFER_JINJA_WRITE_H
#define INFER_JINJA_WRITE_H

#include "infer/jinja/text.h"

bool write_str(struct engine *engine, struct builder *to, const struct value *value);
bool write_repr(struct engine *engine, struct builder *to, const struct value *value);
/* A text as it is, anything else by write_str. */
bool value_to_text(struct engine *engine, const struct value *value, struct text *to);

struct json_style {
    bool ascii; /* \u for what is beyond ASCII */
    bool sorted; /* keys in order */
    bool lines; /* one item a line, behind `indent` for each level */
    struct text indent, between, behind_key; /* ", " and ": " */
};
bool write_json(struct engine *engine, struct builder *to, const struct value *value,
                const struct json_style *style);

/* Fits 32 bytes: the shortest text that reads back the same, as Python's repr. */
void format_real(double x, char *to, size_t room);

#endif
