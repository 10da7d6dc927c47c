#include "infer/jinja/text.h"

#include "infer/jinja/engine.h"
#include "infer/utf8.h"

int text_order(struct text a, struct text b) {
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.bytes, b.bytes, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

struct text text_part(struct text text, size_t from, size_t to) {
    return (struct text){text.bytes + from, text.origin ? text.origin + from : NULL, to - from, text.safe};
}

static bool begins_char(char byte) {
    return (byte & 0xc0) != 0x80;
}

size_t text_length(struct text text) {
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++)
        length += begins_char(text.bytes[i]);
    return length;
}

size_t text_offset(struct text text, size_t n_chars) {
    size_t offset = 0, size;
    for (size_t i = 0; i < n_chars && offset < text.size; i++) {
        text_char(text, offset, &size);
        offset += size;
    }
    return offset;
}

size_t text_find(struct text text, struct text what, size_t from) {
    if (from > text.size || what.size > text.size - from)
        return NOT_FOUND;
    if (what.size == 0)
        return from;
    const char *at = memmem(text.bytes + from, text.size - from, what.bytes, what.size);
    return at ? (size_t)(at - text.bytes) : NOT_FOUND;
}

bool text_find_last(struct engine *engine, struct text text, struct text what, size_t *offset) {
    *offset = NOT_FOUND;
    for (size_t n = text.size + 1; n > what.size && *offset == NOT_FOUND; n--) {
        if (!engine_spend_bytes(engine, what.size))
            return false;
        if (memcmp(text.bytes + n - 1 - what.size, what.bytes, what.size) == 0)
            *offset = n - 1 - what.size;
    }
    return true;
}

bool text_starts(struct text text, struct text with) {
    return text.size >= with.size && memcmp(text.bytes, with.bytes, with.size) == 0;
}

bool text_ends(struct text text, struct text with) {
    return text.size >= with.size && memcmp(text.bytes + text.size - with.size, with.bytes, with.size) == 0;
}

bool text_is_outside(struct text text, size_t offset) {
    return text.origin && text.origin[offset];
}

uint32_t text_char(struct text text, size_t offset, size_t *size) {
    uint32_t code;
    *size = utf8_next(text.bytes + offset, &code);
    return code;
}

bool is_space(uint32_t code) {
    static const uint32_t ranges[][2] = {
        {0x09, 0x0d},     {0x1c, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
        {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

static bool is_stripped(struct text text, size_t from, size_t to, const struct text *set) {
    size_t size;
    return set ? text_find(*set, text_part(text, from, to), 0) != NOT_FOUND
               : is_space(text_char(text, from, &size));
}

struct text text_strip(struct text text, const struct text *set, enum side sides) {
    size_t from = 0, to = text.size, size;
    while (sides & SIDE_LEFT && from < to) {
        text_char(text, from, &size);
        if (!is_stripped(text, from, from + size, set))
            break;
        from += size;
    }
    while (sides & SIDE_RIGHT && from < to) {
        size_t start = to - 1;
        while (!begins_char(text.bytes[start]))
            start--;
        if (!is_stripped(text, start, to, set))
            break;
        to = start;
    }
    return text_part(text, from, to);
}

/* ---- Building ---- */

static bool make_room(struct engine *engine, struct builder *builder, size_t size) {
    if (size > JINJA_TEXT_LIMIT - builder->size)
        return refuse(engine, "the template makes a text of over %u bytes", JINJA_TEXT_LIMIT);
    size_t needed = builder->size + size;
    if (needed <= builder->capacity)
        return true;
    size_t capacity = needed > 2 * builder->capacity ? needed : 2 * builder->capacity;
    char *bytes = engine_take(engine, capacity, 2);
    if (!bytes)
        return false;
    char *origin = bytes + capacity;
    if (builder->size > 0) {
        memcpy(bytes, builder->bytes, builder->size);
        memcpy(origin, builder->origin, builder->size);
    }
    builder->bytes = bytes;
    builder->origin = origin;
    builder->capacity = capacity;
    return true;
}

bool build(struct engine *engine, struct builder *builder, struct text text) {
    if (text.size == 0)
        return true;
    if (!engine_spend_bytes(engine, text.size) || !make_room(engine, builder, text.size))
        return false;
    memcpy(builder->bytes + builder->size, text.bytes, text.size);
    if (text.origin) {
        memcpy(builder->origin + builder->size, text.origin, text.size);
        builder->outside = true;
    } else
        memset(builder->origin + builder->size, 0, text.size);
    builder->size += text.size;
    return true;
}

bool build_bytes(struct engine *engine, struct builder *builder, const char *bytes, size_t size,
                 bool outside) {
    if (!build(engine, builder, text_of(bytes, size)))
        return false;
    if (size > 0 && outside)
        memset(builder->origin + builder->size - size, 1, size);
    builder->outside |= outside;
    return true;
}

bool build_literal(struct engine *engine, struct builder *builder, const char *literal) {
    return build(engine, builder, text_of(literal, strlen(literal)));
}

bool build_char(struct engine *engine, struct builder *builder, uint32_t code, bool outside) {
    char bytes[4];
    return build_bytes(engine, builder, bytes, utf8_encode(code, bytes), outside);
}

bool build_repeated(struct engine *engine, struct builder *builder, struct text text, size_t times) {
    uint64_t total;
    if (!mul_sizes(text.size, times, &total) || total > JINJA_TEXT_LIMIT)
        return refuse(engine, "the template makes a text of over %u bytes", JINJA_TEXT_LIMIT);
    for (size_t i = 0; i < times && text.size > 0; i++)
        if (!build(engine, builder, text))
            return false;
    return true;
}

static const char *escape_of(char c) {
    static const struct {
        char c;
        const char *text;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&#34;"}};
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].c == c)
            return escapes[i].text;
    return NULL;
}

bool build_escaped(struct engine *engine, struct builder *to, struct text text) {
    for (size_t i = 0; i < text.size; i++) {
        const char *escape = text.safe ? NULL : escape_of(text.bytes[i]);
        bool good = escape ? build_bytes(engine, to, escape, strlen(escape), text_is_outside(text, i))
                           : build(engine, to, text_part(text, i, i + 1));
        if (!good)
            return false;
    }
    return true;
}

struct text built(const struct builder *builder) {
    return (struct text){builder->bytes ? builder->bytes : "", builder->outside ? builder->origin : NULL,
                         builder->size, false};
}

bool give_text(const struct builder *builder, struct value *to) {
    *to = value_text(built(builder));
    return true;
}
