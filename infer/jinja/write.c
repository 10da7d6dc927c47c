#include "infer/jinja/write.h"

#include "infer/jinja/engine.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <utf8proc.h>

/* ---- Numbers ---- */

/* "d.ddde-05" with the fewest digits that read back as x. */
static void shortest(double x, char *to, size_t room) {
    for (int n = 0; n < 17; n++) {
        snprintf(to, room, "%.*e", n, x);
        if (strtod(to, NULL) == x)
            return;
    }
}

static void format_fixed(const char *digits, int n, int exponent, char *to, size_t room) {
    if (exponent < 0)
        snprintf(to, room, "0.%.*s%s", -exponent - 1, "000", digits);
    else if (exponent + 1 >= n)
        snprintf(to, room, "%s%.*s.0", digits, exponent + 1 - n, "0000000000000000");
    else
        snprintf(to, room, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
}

void format_real(double x, char *to, size_t room) {
    char text[40], digits[24];
    int n = 0;
    if (isnan(x) || isinf(x)) {
        snprintf(to, room, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
        return;
    }
    if (signbit(x)) {
        *to++ = '-';
        room--;
    }
    shortest(fabs(x), text, sizeof text);
    int exponent = atoi(strchr(text, 'e') + 1);
    for (const char *c = text; *c != 'e'; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    digits[n] = '\0';
    if (exponent >= -4 && exponent < 16)
        format_fixed(digits, n, exponent, to, room);
    else
        snprintf(to, room, "%c%s%se%c%02d", digits[0], n > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+',
                 abs(exponent));
}

static bool write_number(struct engine *engine, struct builder *to, const struct value *value) {
    char text[48];
    if (value->kind == VALUE_REAL)
        format_real(value->real, text, sizeof text);
    else
        snprintf(text, sizeof text, "%" PRId64, value->integer);
    return build_literal(engine, to, text);
}

/* ---- str and repr ---- */

static bool is_printable(uint32_t code) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    bool other = category == UTF8PROC_CATEGORY_CN || category >= UTF8PROC_CATEGORY_ZS;
    return code == ' ' || !other;
}

static bool write_escaped(struct engine *engine, struct builder *to, uint32_t code, bool outside) {
    static const char letters[] = "\\\\\nn\rr\tt"; /* pairs */
    char text[16];
    for (const char *pair = letters; *pair; pair += 2)
        if ((uint32_t)*pair == code) {
            snprintf(text, sizeof text, "\\%c", pair[1]);
            return build_bytes(engine, to, text, 2, outside);
        }
    if (is_printable(code))
        return build_char(engine, to, code, outside);
    int size = code < 0x100     ? snprintf(text, sizeof text, "\\x%02x", code)
               : code < 0x10000 ? snprintf(text, sizeof text, "\\u%04x", code)
                                : snprintf(text, sizeof text, "\\U%08x", code);
    return build_bytes(engine, to, text, (size_t)size, outside);
}

static bool repr_text(struct engine *engine, struct builder *to, struct text text) {
    bool has_single = text_find(text, TEXT("'"), 0) != NOT_FOUND;
    char quote = has_single && text_find(text, TEXT("\""), 0) == NOT_FOUND ? '"' : '\'';
    if (text.safe)
        return refuse(engine, "showing a text marked safe within a list is not supported");
    bool good = build_bytes(engine, to, &quote, 1, false);
    for (size_t at = 0, size; at < text.size && good; at += size) {
        uint32_t code = text_char(text, at, &size);
        bool outside = text_is_outside(text, at);
        if (code == (unsigned char)quote)
            good = build_bytes(engine, to, "\\'", 2, outside);
        else
            good = write_escaped(engine, to, code, outside);
    }
    return good && build_bytes(engine, to, &quote, 1, false);
}

static bool repr_items(struct engine *engine, struct builder *to, const struct list *list) {
    for (size_t i = 0; i < list->count; i++)
        if ((i > 0 && !build_literal(engine, to, ", ")) || !write_repr(engine, to, &list->items[i]))
            return false;
    return true;
}

static bool repr_list(struct engine *engine, struct builder *to, const struct value *value) {
    static const char *const brackets[VALUE_KINDS][2] = {[VALUE_LIST] = {"[", "]"},
                                                         [VALUE_TUPLE] = {"(", ")"},
                                                         [VALUE_KEYS] = {"dict_keys([", "])"},
                                                         [VALUE_VALUES] = {"dict_values([", "])"},
                                                         [VALUE_ITEMS] = {"dict_items([", "])"}};
    bool lone = value->kind == VALUE_TUPLE && value->list->count == 1;
    return build_literal(engine, to, brackets[value->kind][0]) && repr_items(engine, to, value->list) &&
           (!lone || build_literal(engine, to, ",")) && build_literal(engine, to, brackets[value->kind][1]);
}

static bool repr_dict(struct engine *engine, struct builder *to, const struct dict *dict) {
    bool good = build_literal(engine, to, "{");
    for (size_t i = 0; i < dict->count && good; i++)
        good = (i == 0 || build_literal(engine, to, ", ")) && write_repr(engine, to, &dict->entries[i].key) &&
               build_literal(engine, to, ": ") && write_repr(engine, to, &dict->entries[i].value);
    return good && build_literal(engine, to, "}");
}

static bool repr_of_kind(struct engine *engine, struct builder *to, const struct value *value) {
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return build_literal(engine, to, "Undefined");
    case VALUE_NONE:
        return build_literal(engine, to, "None");
    case VALUE_BOOLEAN:
        return build_literal(engine, to, value->boolean ? "True" : "False");
    case VALUE_INTEGER:
    case VALUE_REAL:
        return write_number(engine, to, value);
    case VALUE_TEXT:
        return repr_text(engine, to, value->text);
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_KEYS:
    case VALUE_VALUES:
    case VALUE_ITEMS:
        return repr_list(engine, to, value);
    case VALUE_DICT:
        return repr_dict(engine, to, value->dict);
    default:
        return refuse(engine, "a %s as text is not supported", value_class(value));
    }
}

bool write_repr(struct engine *engine, struct builder *to, const struct value *value) {
    if (!engine_enter(engine))
        return false;
    bool good = repr_of_kind(engine, to, value);
    engine_leave(engine);
    return good;
}

bool write_str(struct engine *engine, struct builder *to, const struct value *value) {
    if (value->kind == VALUE_TEXT)
        return build(engine, to, value->text);
    return value->kind == VALUE_UNDEFINED || write_repr(engine, to, value);
}

bool value_to_text(struct engine *engine, const struct value *value, struct text *to) {
    struct builder builder = {0};
    if (value->kind == VALUE_TEXT) {
        *to = value->text;
        return true;
    }
    bool good = write_str(engine, &builder, value);
    *to = built(&builder);
    return good;
}
