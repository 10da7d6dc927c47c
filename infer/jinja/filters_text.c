/* Filters that make texts and numbers. Most take any value and work on its str, as Jinja's do. */
#include "infer/jinja/call.h"
#include "infer/jinja/letters.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/split.h"
#include "infer/jinja/write.h"

#include <math.h>
#include <stdlib.h>

static bool text_of_self(struct engine *engine, const struct call *call, struct text *text) {
    return value_to_text(engine, call->self, text) && engine_spend_bytes(engine, text->size);
}

static bool string(struct engine *engine, const struct call *call, struct value *to) {
    struct text text;
    if (!text_of_self(engine, call, &text))
        return false;
    *to = value_text(text);
    return true;
}

static bool trim(struct engine *engine, const struct call *call, struct value *to) {
    const struct text *set;
    struct text text;
    if (!text_of_self(engine, call, &text) || !argument_optional_text(engine, call, 0, &set))
        return false;
    *to = value_text(text_strip(text, set, SIDE_BOTH));
    return engine_spend_bytes(engine, set ? text.size * (1 + set->size / 8) : 0);
}

static bool in_case(struct engine *engine, const struct call *call, struct value *to) {
    struct text text;
    return text_of_self(engine, call, &text) &&
           change_case(engine, text, (enum letter_case)call->function->variant, to);
}

static bool replace(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *given = call->arguments.items;
    struct text text, what, with;
    int64_t limit = -1;
    return text_of_self(engine, call, &text) && value_to_text(engine, &given[0], &what) &&
           value_to_text(engine, &given[1], &with) &&
           (!argument_given(call, 2) || argument_integer(engine, call, 2, -1, &limit)) &&
           replace_text(engine, text, what, with, limit, to);
}

/* The indent of each further line: a text, or so many spaces. */
static bool read_indent(struct engine *engine, const struct call *call, struct builder *margin) {
    int64_t width;
    if (call->arguments.items[0].kind == VALUE_TEXT)
        return build(engine, margin, call->arguments.items[0].text);
    return argument_integer(engine, call, 0, 4, &width) &&
           build_repeated(engine, margin, TEXT(" "), width < 0 ? 0 : (size_t)width);
}

/* The first line stays where it is but for `first`, empty ones but for `blank`. */
static bool indent_lines(struct engine *engine, const struct list *lines, struct text margin, bool first,
                         bool blank, struct builder *to) {
    bool good = !first || build(engine, to, margin);
    for (size_t i = 0; i < lines->count && good; i++) {
        struct text line = lines->items[i].text;
        bool indented = i > 0 && (blank || line.size > 0);
        good = (i == 0 || build_literal(engine, to, "\n")) && (!indented || build(engine, to, margin)) &&
               build(engine, to, line);
    }
    return good;
}

static bool indent(struct engine *engine, const struct call *call, struct value *to) {
    struct builder margin = {0}, closed = {0}, result = {0};
    if (call->self->kind != VALUE_TEXT || call->self->text.safe)
        return refuse(engine, "indenting a %s is not supported", value_class(call->self));
    if (!read_indent(engine, call, &margin) || !build(engine, &closed, call->self->text) ||
        !build_literal(engine, &closed, "\n"))
        return false;
    struct list *lines = split_lines(engine, built(&closed), false);
    return lines &&
           indent_lines(engine, lines, built(&margin), argument_truth(call, 1), argument_truth(call, 2),
                        &result) &&
           give_text(&result, to);
}

/* ---- HTML ---- */

static bool safe(struct engine *engine, const struct call *call, struct value *to) {
    if (!string(engine, call, to))
        return false;
    to->text.safe = true;
    return true;
}

static bool escape(struct engine *engine, const struct call *call, struct value *to) {
    struct builder builder = {0};
    struct text text;
    if (!text_of_self(engine, call, &text) || !build_escaped(engine, &builder, text))
        return false;
    give_text(&builder, to);
    to->text.safe = true;
    return true;
}

static bool format(struct engine *engine, const struct call *call, struct value *to) {
    struct list list = {.items = call->arguments.items, .count = call->arguments.count};
    struct value values = value_list(VALUE_TUPLE, &list);
    struct text text;
    if (call->arguments.n_keywords > 0)
        return refuse(engine, "the filter format with keywords is not supported");
    return value_to_text(engine, call->self, &text) && format_percent(engine, text, &values, to);
}

/* ---- JSON ---- */

static bool read_json_lines(struct engine *engine, const struct value *indent, struct json_style *style,
                            struct builder *spaces) {
    if (indent->kind == VALUE_ABSENT || indent->kind == VALUE_NONE)
        return true;
    style->lines = true;
    style->between = TEXT(",");
    if (indent->kind == VALUE_TEXT)
        style->indent = indent->text;
    else if (!value_is_integer(indent))
        return refuse(engine, "tojson indents by a %s", value_class(indent));
    else if (value_as_integer(indent) > 0 &&
             !build_repeated(engine, spaces, TEXT(" "), (size_t)value_as_integer(indent)))
        return false;
    else
        style->indent = built(spaces);
    return true;
}

static bool read_json_separators(struct engine *engine, const struct value *given, struct json_style *style) {
    if (given->kind == VALUE_ABSENT || given->kind == VALUE_NONE)
        return true;
    bool pair = (given->kind == VALUE_TUPLE || given->kind == VALUE_LIST) && given->list->count == 2 &&
                given->list->items[0].kind == VALUE_TEXT && given->list->items[1].kind == VALUE_TEXT;
    if (!pair)
        return refuse(engine, "tojson's separators are two texts");
    style->between = given->list->items[0].text;
    style->behind_key = given->list->items[1].text;
    return true;
}

static bool tojson(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *given = call->arguments.items;
    struct builder builder = {0}, spaces = {0};
    struct json_style style = {.ascii = argument_truth(call, 0),
                               .sorted = argument_truth(call, 3),
                               .between = TEXT(", "),
                               .behind_key = TEXT(": ")};
    return read_json_lines(engine, &given[1], &style, &spaces) &&
           read_json_separators(engine, &given[2], &style) &&
           write_json(engine, &builder, call->self, &style) && give_text(&builder, to);
}

/* ---- Numbers ---- */

/* Python's float("..."), less what it knows of underscores and other scripts' digits. */
static bool parse_real(struct text text, double *real) {
    char copy[64], *end;
    text = text_strip(text, NULL, SIDE_BOTH);
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    if (strpbrk(copy, "xX(") || strlen(copy) < text.size)
        return false;
    *real = strtod(copy, &end);
    return *end == '\0';
}

static bool number_of(struct engine *engine, const struct value *self, double *real, bool *is) {
    *is = value_is_number(self);
    if (self->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, self);
    if (*is)
        *real = value_as_real(self);
    else if (self->kind == VALUE_TEXT) {
        if (text_find(self->text, TEXT("_"), 0) != NOT_FOUND)
            return refuse(engine, "reading '_' in a number is not supported");
        *is = parse_real(self->text, real);
    }
    return true;
}

static bool to_float(struct engine *engine, const struct call *call, struct value *to) {
    double real = 0;
    bool is;
    if (!number_of(engine, call->self, &real, &is))
        return false;
    *to = is ? value_real(real) : argument_given(call, 0) ? call->arguments.items[0] : value_real(0);
    return true;
}

static bool to_int(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *given = &call->arguments.items[0];
    double real = 0;
    bool is;
    int64_t base;
    if (!argument_integer(engine, call, 1, 10, &base) || !number_of(engine, call->self, &real, &is))
        return false;
    if (base != 10)
        return refuse(engine, "a base of %lld is not supported", (long long)base);
    *to = given->kind != VALUE_ABSENT ? *given : value_integer(0);
    if (value_is_integer(call->self))
        *to = value_integer(value_as_integer(call->self));
    else if (is && fabs(real) >= 9007199254740992.0 && isfinite(real))
        return refuse(engine, "a number beyond 53 bits");
    else if (is && isfinite(real))
        *to = value_integer((int64_t)real);
    return true;
}

static bool absolute(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *self = call->self;
    if (!value_is_number(self))
        return refuse(engine, "a %s has no absolute value", value_class(self));
    if (self->kind == VALUE_REAL)
        *to = value_real(fabs(self->real));
    else if (value_as_integer(self) == INT64_MIN)
        return refuse(engine, "a number beyond 64 bits");
    else
        *to = value_integer(llabs(value_as_integer(self)));
    return true;
}

const struct function text_filters[] = {
    {"string", string, 0, 0, {0}},
    {"trim", trim, 0, 0, {"chars"}},
    {"upper", in_case, CASE_UPPER, 0, {0}},
    {"lower", in_case, CASE_LOWER, 0, {0}},
    {"title", in_case, CASE_TITLE_FILTER, 0, {0}},
    {"capitalize", in_case, CASE_CAPITALIZED, 0, {0}},
    {"replace", replace, 0, 2, {"old", "new", "count"}},
    {"indent", indent, 0, 0, {"width", "first", "blank"}},
    {"safe", safe, 0, 0, {0}},
    {"escape", escape, 0, 0, {0}},
    {"e", escape, 0, 0, {0}},
    {"format", format, 0, 0, {"*"}},
    {"tojson", tojson, 0, 0, {"ensure_ascii", "indent", "separators", "sort_keys"}},
    {"float", to_float, 0, 0, {"default"}},
    {"int", to_int, 0, 0, {"default", "base"}},
    {"abs", absolute, 0, 0, {0}},
    {.name = "center"},
    {.name = "filesizeformat"},
    {.name = "forceescape"},
    {.name = "pprint"},
    {.name = "round"},
    {.name = "striptags"},
    {.name = "truncate"},
    {.name = "urlencode"},
    {.name = "urlize"},
    {.name = "wordcount"},
    {.name = "wordwrap"},
    {.name = "xmlattr"},
    {0},
};
