/* "..." % values and "...".format(values), as far as plain ones go. */
#include "infer/jinja/call.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/write.h"

#include <inttypes.h>
#include <stdio.h>

static bool write_integer(struct engine *engine, struct builder *to, const struct value *value) {
    char text[32];
    if (!value_is_integer(value))
        return refuse(engine, "%%d of a %s is not supported", value_class(value));
    snprintf(text, sizeof text, "%" PRId64, value_as_integer(value));
    return build_literal(engine, to, text);
}

static bool write_conversion(struct engine *engine, struct builder *to, char letter,
                             const struct value *value) {
    switch (letter) {
    case 's':
        return write_str(engine, to, value);
    case 'r':
        return write_repr(engine, to, value);
    case 'd':
    case 'i':
        return write_integer(engine, to, value);
    default:
        return refuse(engine, "a format of %%%c is not supported", letter);
    }
}

bool format_percent(struct engine *engine, struct text format, const struct value *values, struct value *to) {
    struct builder builder = {0};
    struct list alone = {.items = (struct value *)(uintptr_t)values, .count = 1};
    const struct list *list = values->kind == VALUE_TUPLE ? values->list : &alone;
    size_t taken = 0, at = 0;
    if (format.safe || values->kind == VALUE_DICT)
        return refuse(engine, "%% of a dict, or of a text marked safe, is not supported");
    for (size_t percent; (percent = text_find(format, TEXT("%"), at)) != NOT_FOUND; at = percent + 2) {
        char letter = percent + 1 < format.size ? format.bytes[percent + 1] : '\0';
        if (!build(engine, &builder, text_part(format, at, percent)))
            return false;
        if (letter == '%') {
            if (!build_literal(engine, &builder, "%"))
                return false;
        } else if (taken == list->count)
            return refuse(engine, "the format wants more than %zu values", list->count);
        else if (!write_conversion(engine, &builder, letter, &list->items[taken++]))
            return false;
    }
    if (taken < list->count)
        return refuse(engine, "the format takes %zu of %zu values", taken, list->count);
    return build(engine, &builder, text_part(format, at, format.size)) && give_text(&builder, to);
}

/* ---- Braces ---- */

/* The value that a field names: the next one, one by its number, or one by its name. */
static const struct value *find_field(struct engine *engine, struct text field,
                                      const struct arguments *arguments, size_t *next) {
    size_t index = 0, i = 0;
    for (; i < field.size && i < 6 && field.bytes[i] >= '0' && field.bytes[i] <= '9'; i++)
        index = 10 * index + (size_t)(field.bytes[i] - '0');
    if (i == field.size) {
        if (field.size == 0)
            index = (*next)++;
        if (index < arguments->count)
            return &arguments->items[index];
    }
    for (i = 0; i < arguments->n_keywords; i++)
        if (text_equal(arguments->keywords[i].name, field))
            return &arguments->keywords[i].value;
    refuse(engine, "the field '{%.*s}' is not supported, or names no argument", (int)field.size, field.bytes);
    return NULL;
}

/* At a brace: a doubled one is itself, else a field goes on to the closing one. *at moves behind it. */
static bool write_brace(struct engine *engine, struct builder *to, struct text format,
                        const struct arguments *arguments, size_t *next, size_t *at) {
    bool doubled = *at + 1 < format.size && format.bytes[*at + 1] == format.bytes[*at];
    size_t end = text_find(format, TEXT("}"), *at);
    if (doubled) {
        bool good = build(engine, to, text_part(format, *at, *at + 1));
        *at += 2;
        return good;
    }
    if (format.bytes[*at] == '}' || end == NOT_FOUND)
        return refuse(engine, "a brace without its other in a format");
    struct text field = text_part(format, *at + 1, end);
    const struct value *value = find_field(engine, field, arguments, next);
    *at = end + 1;
    return value && write_str(engine, to, value);
}

bool format_braces(struct engine *engine, struct text format, const struct arguments *arguments,
                   struct value *to) {
    struct builder builder = {0};
    size_t next = 0;
    for (size_t at = 0; at < format.size;) {
        size_t plain = at;
        while (plain < format.size && !strchr("{}", format.bytes[plain]))
            plain++;
        if (!build(engine, &builder, text_part(format, at, plain)))
            return false;
        at = plain;
        if (at < format.size && !write_brace(engine, &builder, format, arguments, &next, &at))
            return false;
    }
    return give_text(&builder, to);
}
