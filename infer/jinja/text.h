/* Texts with provenance: taking them apart and building them. Indices of Python count characters; offsets
 * here count bytes. */
#ifndef INFER_JINJA_TEXT_H
#define INFER_JINJA_TEXT_H

#include "infer/jinja/value.h"

#include <string.h>

#define TEXT(literal) text_of(literal, sizeof literal - 1)
#define NOT_FOUND SIZE_MAX

static inline struct text text_of(const char *bytes, size_t size) {
    return (struct text){.bytes = bytes, .size = size};
}
static inline bool text_equal(struct text a, struct text b) {
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}
static inline bool text_is(struct text text, const char *other) {
    return strlen(other) == text.size && memcmp(text.bytes, other, text.size) == 0;
}

int text_order(struct text a, struct text b); /* by code points */
struct text text_part(struct text text, size_t from, size_t to);
size_t text_length(struct text text); /* in characters */
size_t text_offset(struct text text, size_t n_chars); /* of a character; the size beyond the last */
size_t text_find(struct text text, struct text what, size_t from); /* offset, or NOT_FOUND */
bool text_find_last(struct engine *engine, struct text text, struct text what, size_t *offset);
bool text_starts(struct text text, struct text with);
bool text_ends(struct text text, struct text with);
bool text_is_outside(struct text text, size_t offset);

/* The character at an offset, and how many bytes it has. */
uint32_t text_char(struct text text, size_t offset, size_t *size);

bool is_space(uint32_t code); /* Python's str.isspace */

enum side { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_BOTH = 3 };
/* Without characters of `set` at its sides; without white space where `set` is NULL. */
struct text text_strip(struct text text, const struct text *set, enum side sides);

/* A text that grows. */
struct builder {
    char *bytes, *origin;
    size_t size, capacity;
    bool outside; /* something in it came from outside */
};

bool build(struct engine *engine, struct builder *builder, struct text text);
bool build_bytes(struct engine *engine, struct builder *builder, const char *bytes, size_t size,
                 bool outside);
bool build_literal(struct engine *engine, struct builder *builder, const char *literal);
bool build_char(struct engine *engine, struct builder *builder, uint32_t code, bool outside);
bool build_repeated(struct engine *engine, struct builder *builder, struct text text, size_t times);
/* With HTML's escapes, but for a text marked safe. */
bool build_escaped(struct engine *engine, struct builder *builder, struct text text);
struct text built(const struct builder *builder);
bool give_text(const struct builder *builder, struct value *to); /* true */

#endif
