/* Methods of Python's str. */
#include "infer/jinja/call.h"
#include "infer/jinja/letters.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/split.h"

static bool strip(struct engine *engine, const struct call *call, struct value *to) {
    const struct text *set;
    if (!argument_optional_text(engine, call, 0, &set))
        return false;
    *to = value_text(text_strip(call->self->text, set, (enum side)call->function->variant));
    return engine_spend_bytes(engine, call->self->text.size * (set ? 1 + set->size / 8 : 1));
}

static bool split(struct engine *engine, const struct call *call, struct value *to) {
    const struct text *separator;
    int64_t limit;
    bool from_right = call->function->variant == SIDE_RIGHT;
    return argument_optional_text(engine, call, 0, &separator) &&
           argument_integer(engine, call, 1, -1, &limit) &&
           give_list(VALUE_LIST, split_text(engine, call->self->text, separator, limit, from_right), to);
}

static bool splitlines(struct engine *engine, const struct call *call, struct value *to) {
    return give_list(VALUE_LIST, split_lines(engine, call->self->text, argument_truth(call, 0)), to);
}

static bool partition(struct engine *engine, const struct call *call, struct value *to) {
    bool last = call->function->variant == SIDE_RIGHT;
    struct text separator, text = call->self->text;
    if (!argument_text(engine, call, 0, &separator))
        return false;
    if (separator.size == 0)
        return refuse(engine, "an empty separator");
    size_t at = text_find(text, separator, 0);
    if (last && !text_find_last(engine, text, separator, &at))
        return false;
    bool found = at != NOT_FOUND;
    size_t first = found ? at : last ? 0 : text.size, second = found ? at + separator.size : first;
    struct list *list = list_new(engine);
    return list && list_push_text(engine, list, text_part(text, 0, first)) &&
           list_push_text(engine, list, text_part(text, first, second)) &&
           list_push_text(engine, list, text_part(text, second, text.size)) &&
           give_list(VALUE_TUPLE, list, to);
}

/* ---- Looking for texts, in what the arguments behind the first leave of self ---- */

/* An argument as a place in the text, counted from its end where below 0. */
static bool read_place(struct engine *engine, const struct call *call, size_t i, int64_t length,
                       int64_t otherwise, int64_t *place) {
    *place = otherwise;
    if (argument_given(call, i) && !argument_integer(engine, call, i, 0, place))
        return false;
    if (*place < 0)
        *place = *place < -length ? 0 : *place + length;
    return true;
}

/* Without bytes where nothing can be in it, not even "". */
static bool read_range(struct engine *engine, const struct call *call, struct text *range) {
    struct text text = call->self->text;
    int64_t length = (int64_t)text_length(text), start, end;
    if (!engine_spend_bytes(engine, text.size) || !read_place(engine, call, 1, length, 0, &start) ||
        !read_place(engine, call, 2, length, length, &end))
        return false;
    bool exists = start <= length && start <= end;
    *range = exists ? text_part(text, text_offset(text, (size_t)start), text_offset(text, (size_t)end))
                    : (struct text){0};
    return true;
}

static bool affixes(struct engine *engine, const struct call *call, struct value *to) {
    bool left = call->function->variant == SIDE_LEFT;
    struct list alone = {.items = call->arguments.items, .count = 1}, *list = &alone;
    struct text range;
    bool found = false;
    if (!read_range(engine, call, &range))
        return false;
    if (call->arguments.items[0].kind == VALUE_TUPLE)
        list = call->arguments.items[0].list;
    for (size_t i = 0; i < list->count && !found; i++) {
        if (list->items[i].kind != VALUE_TEXT)
            return refuse(engine, "an affix is a %s, not a str", value_class(&list->items[i]));
        found = range.bytes && (left ? text_starts : text_ends)(range, list->items[i].text);
    }
    *to = value_boolean(found);
    return true;
}

static bool remove_affix(struct engine *engine, const struct call *call, struct value *to) {
    bool left = call->function->variant == SIDE_LEFT;
    struct text affix, text = call->self->text;
    if (!argument_text(engine, call, 0, &affix))
        return false;
    size_t size = (left ? text_starts : text_ends)(text, affix) ? affix.size : 0;
    *to = value_text(text_part(text, left ? size : 0, text.size - (left ? 0 : size)));
    return true;
}

/* Variants of finding. */
enum { FIND_LAST = 1, FIND_MUST = 2 };

/* Places count characters. */
static bool find(struct engine *engine, const struct call *call, struct value *to) {
    struct text what, range, text = call->self->text;
    size_t at = NOT_FOUND;
    if (!argument_text(engine, call, 0, &what) || !read_range(engine, call, &range))
        return false;
    if (range.bytes && call->function->variant & FIND_LAST) {
        if (!text_find_last(engine, range, what, &at))
            return false;
    } else if (range.bytes)
        at = text_find(range, what, 0);
    if (at == NOT_FOUND && call->function->variant & FIND_MUST)
        return refuse(engine, "what is looked for isn't there");
    struct text before = text_part(text, 0, at == NOT_FOUND ? 0 : (size_t)(range.bytes - text.bytes) + at);
    *to = value_integer(at == NOT_FOUND ? -1 : (int64_t)text_length(before));
    return engine_spend_bytes(engine, range.size);
}

static bool count(struct engine *engine, const struct call *call, struct value *to) {
    struct text what, range;
    int64_t n = 0;
    if (!argument_text(engine, call, 0, &what) || !read_range(engine, call, &range))
        return false;
    if (what.size == 0)
        n = range.bytes ? (int64_t)text_length(range) + 1 : 0;
    else
        for (size_t at = 0; (at = text_find(range, what, at)) != NOT_FOUND; at += what.size)
            n++;
    *to = value_integer(n);
    return true;
}

/* ---- Others ---- */

static bool replace(struct engine *engine, const struct call *call, struct value *to) {
    struct text what, with;
    int64_t limit;
    return argument_text(engine, call, 0, &what) && argument_text(engine, call, 1, &with) &&
           argument_integer(engine, call, 2, -1, &limit) &&
           replace_text(engine, call->self->text, what, with, limit, to);
}

static bool join(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = value_items(engine, &call->arguments.items[0]);
    return items && join_items(engine, call->self->text, items, false, to);
}

static bool format(struct engine *engine, const struct call *call, struct value *to) {
    return format_braces(engine, call->self->text, &call->arguments, to);
}

static bool in_case(struct engine *engine, const struct call *call, struct value *to) {
    return change_case(engine, call->self->text, (enum letter_case)call->function->variant, to);
}

static bool is_all(struct engine *engine, const struct call *call, struct value *to) {
    *to = value_boolean(text_is_all(call->self->text, (enum letter_kind)call->function->variant));
    return engine_spend_bytes(engine, call->self->text.size);
}

const struct function text_methods[] = {
    {"strip", strip, SIDE_BOTH, 0, {"chars"}},
    {"lstrip", strip, SIDE_LEFT, 0, {"chars"}},
    {"rstrip", strip, SIDE_RIGHT, 0, {"chars"}},
    {"split", split, SIDE_LEFT, 0, {"sep", "maxsplit"}},
    {"rsplit", split, SIDE_RIGHT, 0, {"sep", "maxsplit"}},
    {"splitlines", splitlines, 0, 0, {"keepends"}},
    {"partition", partition, SIDE_LEFT, 1, {"sep"}},
    {"rpartition", partition, SIDE_RIGHT, 1, {"sep"}},
    {"startswith", affixes, SIDE_LEFT, 1, {"prefix", "start", "end"}},
    {"endswith", affixes, SIDE_RIGHT, 1, {"suffix", "start", "end"}},
    {"removeprefix", remove_affix, SIDE_LEFT, 1, {"prefix"}},
    {"removesuffix", remove_affix, SIDE_RIGHT, 1, {"suffix"}},
    {"find", find, 0, 1, {"sub", "start", "end"}},
    {"rfind", find, FIND_LAST, 1, {"sub", "start", "end"}},
    {"index", find, FIND_MUST, 1, {"sub", "start", "end"}},
    {"rindex", find, FIND_LAST | FIND_MUST, 1, {"sub", "start", "end"}},
    {"count", count, 0, 1, {"sub", "start", "end"}},
    {"replace", replace, 0, 2, {"old", "new", "count"}},
    {"join", join, 0, 1, {"iterable"}},
    {"format", format, 0, 0, {"*"}},
    {"upper", in_case, CASE_UPPER, 0, {0}},
    {"lower", in_case, CASE_LOWER, 0, {0}},
    {"title", in_case, CASE_TITLE, 0, {0}},
    {"capitalize", in_case, CASE_CAPITALIZED, 0, {0}},
    {"isdigit", is_all, LETTERS_DIGIT, 0, {0}},
    {"isalpha", is_all, LETTERS_ALPHA, 0, {0}},
    {"isalnum", is_all, LETTERS_ALNUM, 0, {0}},
    {"isspace", is_all, LETTERS_SPACE, 0, {0}},
    {"isupper", is_all, LETTERS_UPPER, 0, {0}},
    {"islower", is_all, LETTERS_LOWER, 0, {0}},
    {.name = "casefold"},
    {.name = "center"},
    {.name = "encode"},
    {.name = "expandtabs"},
    {.name = "format_map"},
    {.name = "isascii"},
    {.name = "isdecimal"},
    {.name = "isidentifier"},
    {.name = "isnumeric"},
    {.name = "isprintable"},
    {.name = "istitle"},
    {.name = "ljust"},
    {.name = "maketrans"},
    {.name = "rjust"},
    {.name = "swapcase"},
    {.name = "translate"},
    {.name = "zfill"},
    {0},
};
