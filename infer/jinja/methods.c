/* Methods of Python's lists, tuples, dicts and numbers. Those that would change a list or dict are the
 * sandbox's business (access.c). */
#include "infer/jinja/call.h"

static bool count(struct engine *engine, const struct call *call, struct value *to) {
    const struct list *list = call->self->list;
    int64_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool equal;
        if (!value_equal(engine, &list->items[i], &call->arguments.items[0], &equal))
            return false;
        n += equal;
    }
    *to = value_integer(n);
    return true;
}

static bool find(struct engine *engine, const struct call *call, struct value *to) {
    const struct list *list = call->self->list;
    bool equal = false;
    for (size_t i = 0; i < list->count && !equal; i++) {
        *to = value_integer((int64_t)i);
        if (!value_equal(engine, &list->items[i], &call->arguments.items[0], &equal))
            return false;
    }
    return equal || refuse(engine, "what is looked for isn't there");
}

/* Of what can't change. */
static bool copy(struct engine *engine, const struct call *call, struct value *to) {
    (void)engine;
    *to = *call->self;
    return true;
}

static bool get(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *otherwise = &call->arguments.items[1];
    struct entry *entry;
    if (!dict_find(engine, call->self->dict, &call->arguments.items[0], &entry))
        return false;
    *to = entry ? entry->value : otherwise->kind != VALUE_ABSENT ? *otherwise : value_none();
    return true;
}

static bool view(struct engine *engine, const struct call *call, struct value *to) {
    enum value_kind kind = (enum value_kind)call->function->variant;
    return give_list(kind, dict_view(engine, call->self->dict, kind), to);
}

const struct function list_methods[] = {
    {"count", count, 0, 1, {"value"}},
    {"index", find, 0, 1, {"value"}},
    {"copy", copy, 0, 0, {0}},
    {0},
};

const struct function tuple_methods[] = {
    {"count", count, 0, 1, {"value"}},
    {"index", find, 0, 1, {"value"}},
    {0},
};

const struct function dict_methods[] = {
    {"get", get, 0, 1, {"key", "default"}},
    {"items", view, VALUE_ITEMS, 0, {0}},
    {"keys", view, VALUE_KEYS, 0, {0}},
    {"values", view, VALUE_VALUES, 0, {0}},
    {"copy", copy, 0, 0, {0}},
    {.name = "fromkeys"},
    {0},
};

const struct function number_attributes[] = {
    {.name = "as_integer_ratio"},
    {.name = "bit_count"},
    {.name = "bit_length"},
    {.name = "conjugate"},
    {.name = "denominator"},
    {.name = "from_bytes"},
    {.name = "fromhex"},
    {.name = "hex"},
    {.name = "imag"},
    {.name = "is_integer"},
    {.name = "numerator"},
    {.name = "real"},
    {.name = "to_bytes"},
    {0},
};
