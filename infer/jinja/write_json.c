#include "infer/jinja/engine.h"
#include "infer/jinja/sort.h"
#include "infer/jinja/write.h"

#include <math.h>
#include <stdio.h>

struct json_writer {
    struct engine *engine;
    struct builder *to;
    const struct json_style *style;
};

static bool write_value(struct json_writer *writer, const struct value *value, size_t level);

static bool put(struct json_writer *writer, const char *literal) {
    return build_literal(writer->engine, writer->to, literal);
}

static bool put_unicode(struct json_writer *writer, uint32_t code, bool outside) {
    char text[16];
    int size = code < 0x10000 ? snprintf(text, sizeof text, "\\u%04x", code)
                              : snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd7c0 + (code >> 10),
                                         0xdc00 + (code & 0x3ff));
    return build_bytes(writer->engine, writer->to, text, (size_t)size, outside);
}

static bool put_char(struct json_writer *writer, uint32_t code, bool outside) {
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs */
    for (const char *pair = letters; *pair; pair += 2)
        if ((uint32_t)*pair == code) {
            char text[2] = {'\\', pair[1]};
            return build_bytes(writer->engine, writer->to, text, 2, outside);
        }
    if (code < 0x20 || (writer->style->ascii && code > 0x7e))
        return code == 0x7f ? build_char(writer->engine, writer->to, code, outside)
                            : put_unicode(writer, code, outside);
    return build_char(writer->engine, writer->to, code, outside);
}

static bool write_text(struct json_writer *writer, struct text text) {
    bool good = put(writer, "\"");
    for (size_t at = 0, size; at < text.size && good; at += size) {
        uint32_t code = text_char(text, at, &size);
        good = put_char(writer, code, text_is_outside(text, at));
    }
    return good && put(writer, "\"");
}

static bool write_real(struct json_writer *writer, double x) {
    char text[48];
    if (isnan(x) || isinf(x))
        return put(writer, isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
    format_real(x, text, sizeof text);
    return put(writer, text);
}

static bool new_line(struct json_writer *writer, size_t level) {
    return !writer->style->lines ||
           (put(writer, "\n") && build_repeated(writer->engine, writer->to, writer->style->indent, level));
}

static bool put_separator(struct json_writer *writer, bool first, size_t level) {
    return (first || build(writer->engine, writer->to, writer->style->between)) && new_line(writer, level);
}

static bool write_list(struct json_writer *writer, const struct list *list, size_t level) {
    if (list->count == 0)
        return put(writer, "[]");
    bool good = put(writer, "[");
    for (size_t i = 0; i < list->count && good; i++)
        good = put_separator(writer, i == 0, level + 1) && write_value(writer, &list->items[i], level + 1);
    return good && new_line(writer, level) && put(writer, "]");
}

/* Keys are texts; of others Python makes texts, as of values. */
static bool write_key(struct json_writer *writer, const struct value *key) {
    if (key->kind == VALUE_TEXT)
        return write_text(writer, key->text);
    if (key->kind != VALUE_NONE && !value_is_number(key))
        return refuse(writer->engine, "a %s can't be a key in JSON", value_class(key));
    return put(writer, "\"") && write_value(writer, key, 0) && put(writer, "\"");
}

static bool write_pair(struct json_writer *writer, const struct value *key, const struct value *value,
                       size_t level) {
    return write_key(writer, key) && build(writer->engine, writer->to, writer->style->behind_key) &&
           write_value(writer, value, level);
}

static bool write_dict(struct json_writer *writer, const struct dict *dict, size_t level) {
    struct list *keys = dict_view(writer->engine, dict, VALUE_KEYS);
    struct list *values = keys ? dict_view(writer->engine, dict, VALUE_VALUES) : NULL;
    if (!values || (writer->style->sorted &&
                    !sort_by_keys(writer->engine, values->items, keys->items, keys->count, false)))
        return false;
    if (keys->count == 0)
        return put(writer, "{}");
    bool good = put(writer, "{");
    for (size_t i = 0; i < keys->count && good; i++)
        good = put_separator(writer, i == 0, level + 1) &&
               write_pair(writer, &keys->items[i], &values->items[i], level + 1);
    return good && new_line(writer, level) && put(writer, "}");
}

static bool write_of_kind(struct json_writer *writer, const struct value *value, size_t level) {
    switch (value->kind) {
    case VALUE_NONE:
        return put(writer, "null");
    case VALUE_BOOLEAN:
        return put(writer, value->boolean ? "true" : "false");
    case VALUE_INTEGER:
        return write_str(writer->engine, writer->to, value);
    case VALUE_REAL:
        return write_real(writer, value->real);
    case VALUE_TEXT:
        return write_text(writer, value->text);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return write_list(writer, value->list, level);
    case VALUE_DICT:
        return write_dict(writer, value->dict, level);
    case VALUE_UNDEFINED:
        return refuse_undefined(writer->engine, value);
    default:
        return refuse(writer->engine, "JSON has no %s", value_class(value));
    }
}

static bool write_value(struct json_writer *writer, const struct value *value, size_t level) {
    if (!engine_enter(writer->engine))
        return false;
    bool good = write_of_kind(writer, value, level);
    engine_leave(writer->engine);
    return good;
}

bool write_json(struct engine *engine, struct builder *to, const struct value *value,
                const struct json_style *style) {
    struct json_writer writer = {engine, to, style};
    return write_value(&writer, value, 0);
}
