/* Filters over lists and dicts, and those that choose values. */
#include "infer/jinja/access.h"
#include "infer/jinja/call.h"
#include "infer/jinja/letters.h"
#include "infer/jinja/operate.h"
#include "infer/jinja/sort.h"
#include "infer/jinja/split.h"

static struct list *copy_items(struct engine *engine, const struct value *value) {
    struct list *items = value_items(engine, value), *copy = items ? list_new(engine) : NULL;
    for (size_t i = 0; copy && i < items->count; i++)
        if (!list_push(engine, copy, &items->items[i]))
            return NULL;
    return copy;
}

static bool length(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *self = call->self;
    *to = value_integer(0);
    if (value_is_sequence(self) && self->kind != VALUE_ITERATOR)
        *to = value_integer((int64_t)self->list->count);
    else if (self->kind == VALUE_DICT)
        *to = value_integer((int64_t)self->dict->count);
    else if (self->kind == VALUE_TEXT)
        *to = value_integer((int64_t)text_length(self->text));
    else if (self->kind != VALUE_UNDEFINED)
        return refuse(engine, "a %s has no length", value_class(self));
    return engine_spend_bytes(engine, self->kind == VALUE_TEXT ? self->text.size : 0);
}

static bool otherwise(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *self = call->self, *given = &call->arguments.items[0];
    bool missing = self->kind == VALUE_UNDEFINED || (argument_truth(call, 1) && !value_truth(self));
    (void)engine;
    *to = !missing ? *self : given->kind == VALUE_ABSENT ? value_text(TEXT("")) : *given;
    return true;
}

static bool as_list(struct engine *engine, const struct call *call, struct value *to) {
    return give_list(VALUE_LIST, copy_items(engine, call->self), to);
}

static bool first_item(struct engine *engine, const struct call *call, struct value *to) {
    *to = value_undefined(NULL, TEXT("first item"));
    if (call->self->kind == VALUE_ITERATOR) { /* which goes on behind it */
        struct list *rest = call->self->list;
        if (rest->taken < rest->count)
            *to = rest->items[rest->taken++];
        return true;
    }
    struct list *items = value_items(engine, call->self);
    if (items && items->count > 0)
        *to = items->items[0];
    return items != NULL;
}

static bool last_item(struct engine *engine, const struct call *call, struct value *to) {
    *to = value_undefined(NULL, TEXT("last item"));
    if (call->self->kind == VALUE_ITERATOR)
        return refuse(engine, "a generator has no last item");
    struct list *items = value_items(engine, call->self);
    if (items && items->count > 0)
        *to = items->items[items->count - 1];
    return items != NULL;
}

static bool reverse(struct engine *engine, const struct call *call, struct value *to) {
    const struct value backwards[3] = {value_none(), value_none(), value_integer(-1)}, *self = call->self;
    if (self->kind == VALUE_ITERATOR)
        return refuse(engine, "reversing a generator is not supported");
    if (self->kind == VALUE_TEXT)
        return get_slice(engine, self, backwards, to);
    struct list *items = value_items(engine, self);
    struct value list = value_list(VALUE_LIST, items);
    bool good = items && get_slice(engine, &list, backwards, to);
    if (good)
        to->kind = VALUE_ITERATOR;
    return good;
}

static bool dict_items(struct engine *engine, const struct call *call, struct value *to) {
    if (call->self->kind == VALUE_UNDEFINED)
        return give_list(VALUE_ITERATOR, list_new(engine), to);
    if (call->self->kind != VALUE_DICT)
        return refuse(engine, "a %s has no items", value_class(call->self));
    return give_list(VALUE_ITERATOR, dict_view(engine, call->self->dict, VALUE_ITEMS), to);
}

/* ---- Attributes of items ---- */

/* The argument that names an attribute, or NULL. */
static const struct value *path_argument(const struct call *call, size_t i) {
    return argument_given(call, i) ? &call->arguments.items[i] : NULL;
}

/* In place of each item what `path` names of it; where that isn't there, `missing`, if not NULL. */
static bool take_path(struct engine *engine, struct list *items, const struct value *path,
                      const struct value *missing) {
    for (size_t i = 0; path && i < items->count; i++) {
        struct value item = items->items[i];
        if (!get_path(engine, &item, path, &items->items[i]))
            return false;
        if (missing && items->items[i].kind == VALUE_UNDEFINED)
            items->items[i] = *missing;
    }
    return true;
}

static bool join(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = copy_items(engine, call->self);
    struct text between = TEXT("");
    return items && take_path(engine, items, path_argument(call, 1), NULL) &&
           (call->arguments.items[0].kind == VALUE_ABSENT || argument_text(engine, call, 0, &between)) &&
           join_items(engine, between, items, true, to);
}

static bool sum(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *start = &call->arguments.items[1];
    struct list *items = copy_items(engine, call->self);
    if (!items || !take_path(engine, items, path_argument(call, 0), NULL))
        return false;
    *to = start->kind == VALUE_ABSENT ? value_integer(0) : *start;
    for (size_t i = 0; i < items->count; i++) {
        struct value so_far = *to;
        if (!operate(engine, OPERATOR_ADD, &so_far, &items->items[i], to))
            return false;
    }
    return true;
}

/* ---- Filters and tests named by arguments ---- */

/* What the i-th argument names, and the arguments behind it. */
static const struct function *named(struct engine *engine, const struct call *call, size_t i,
                                    const char *what, const struct function *(*find)(struct text),
                                    struct arguments *rest) {
    struct text name;
    if (!argument_text(engine, call, i, &name))
        return NULL;
    const struct function *function = find(name);
    *rest = call->arguments;
    rest->items += i + 1;
    rest->count -= i + 1;
    if (!function)
        refuse(engine, "there is no %s '%.*s'", what, (int)name.size, name.bytes);
    return function;
}

static bool map_filter(struct engine *engine, struct list *items, const struct call *call) {
    struct arguments rest;
    const struct function *filter = named(engine, call, 0, "filter", find_filter, &rest);
    for (size_t i = 0; filter && i < items->count; i++) {
        struct value item = items->items[i];
        if (!call_function(engine, "filter", filter, &item, &rest, &items->items[i]))
            return false;
    }
    return filter != NULL;
}

static bool map_attribute(struct engine *engine, struct list *items, const struct call *call) {
    const struct value *path = argument_named(&call->arguments, TEXT("attribute"));
    const struct value *missing = argument_named(&call->arguments, TEXT("default"));
    if (!path || call->arguments.n_keywords > 1u + (missing != NULL))
        return refuse(engine, "the filter map wants a filter's name or an attribute");
    if (path->kind == VALUE_TEXT && text_find(path->text, TEXT("."), 0) != NOT_FOUND && missing)
        return refuse(engine, "a default for each part of an attribute is not supported");
    return take_path(engine, items, path, missing);
}

/* A filter may call filters, as in map('map', ...). */
static bool map(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = value_truth(call->self) ? copy_items(engine, call->self) : list_new(engine);
    if (!items || !engine_enter(engine))
        return false;
    bool good = (call->arguments.count > 0 ? map_filter : map_attribute)(engine, items, call);
    engine_leave(engine);
    return good && give_list(VALUE_ITERATOR, items, to);
}

/* How items are chosen: by an attribute or themselves, by a test or their truth. */
enum { CHOOSE_REJECTED = 1, CHOOSE_BY_ATTRIBUTE = 2 };

struct choice {
    const struct value *path;
    const struct function *test;
    struct arguments rest;
};

static bool read_choice(struct engine *engine, const struct call *call, struct choice *choice) {
    size_t n_path = call->function->variant & CHOOSE_BY_ATTRIBUTE ? 1 : 0, n = call->arguments.count;
    *choice = (struct choice){.path = n_path ? call->arguments.items : NULL};
    if (n < n_path)
        return refuse(engine, "there is no attribute to choose by");
    if (n > n_path)
        choice->test = named(engine, call, n_path, "test", find_test, &choice->rest);
    return choice->test || n == n_path;
}

static bool chosen(struct engine *engine, const struct choice *choice, const struct value *item, bool *is) {
    struct value value = *item, verdict;
    if (choice->path && !get_path(engine, item, choice->path, &value))
        return false;
    verdict = value;
    if (choice->test && !call_function(engine, "test", choice->test, &value, &choice->rest, &verdict))
        return false;
    *is = value_truth(&verdict);
    return true;
}

static bool choose(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = value_truth(call->self) ? value_items(engine, call->self) : list_new(engine);
    struct list *list = items ? list_new(engine) : NULL;
    bool wanted = !(call->function->variant & CHOOSE_REJECTED);
    struct choice choice;
    if (!list || !read_choice(engine, call, &choice))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        bool is;
        if (!chosen(engine, &choice, &items->items[i], &is) ||
            (is == wanted && !list_push(engine, list, &items->items[i])))
            return false;
    }
    return give_list(VALUE_ITERATOR, list, to);
}

/* ---- Order ---- */

static bool lower_key(struct engine *engine, struct value *key) {
    struct text text = key->text;
    return key->kind != VALUE_TEXT || change_case(engine, text, CASE_LOWER, key);
}

/* Keys to compare by, one for each item. */
static struct list *make_keys(struct engine *engine, const struct value *items, const struct value *path,
                              bool case_sensitive) {
    struct list *keys = copy_items(engine, items);
    if (!keys || !take_path(engine, keys, path, NULL))
        return NULL;
    for (size_t i = 0; i < keys->count && !case_sensitive; i++)
        if (!lower_key(engine, &keys->items[i]))
            return NULL;
    return keys;
}

static bool sort(struct engine *engine, struct list *items, const struct value *path, bool case_sensitive,
                 bool backwards, struct value *to) {
    struct value list = value_list(VALUE_LIST, items);
    struct list *keys = items ? make_keys(engine, &list, path, case_sensitive) : NULL;
    *to = list;
    return keys && sort_by_keys(engine, items->items, keys->items, items->count, backwards);
}

static bool sort_list(struct engine *engine, const struct call *call, struct value *to) {
    const struct value *path = path_argument(call, 2);
    if (path && path->kind == VALUE_TEXT && text_find(path->text, TEXT(","), 0) != NOT_FOUND)
        return refuse(engine, "sorting by several attributes is not supported");
    return sort(engine, copy_items(engine, call->self), path, argument_truth(call, 1),
                argument_truth(call, 0), to);
}

static bool sort_dict(struct engine *engine, const struct call *call, struct value *to) {
    struct text by = TEXT("key");
    if (call->arguments.items[1].kind != VALUE_ABSENT && !argument_text(engine, call, 1, &by))
        return false;
    if (call->self->kind != VALUE_DICT || (!text_is(by, "key") && !text_is(by, "value")))
        return refuse(engine, "dictsort sorts a dict by 'key' or 'value'");
    struct value path = value_integer(text_is(by, "value"));
    return sort(engine, dict_view(engine, call->self->dict, VALUE_ITEMS), &path, argument_truth(call, 0),
                argument_truth(call, 2), to);
}

static bool unique(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = copy_items(engine, call->self), *list = items ? list_new(engine) : NULL;
    struct value all = value_list(VALUE_LIST, items), nothing = value_none();
    struct list *keys =
        list ? make_keys(engine, &all, path_argument(call, 1), argument_truth(call, 0)) : NULL;
    struct dict *seen = keys ? dict_new(engine) : NULL;
    for (size_t i = 0; seen && i < items->count; i++) {
        size_t before = seen->count;
        if (!dict_put(engine, seen, &keys->items[i], &nothing) ||
            (seen->count > before && !list_push(engine, list, &items->items[i])))
            return false;
    }
    return seen && give_list(VALUE_ITERATOR, list, to);
}

/* The least, or the greatest where the variant is 1. */
static bool extreme(struct engine *engine, const struct call *call, struct value *to) {
    struct list *items = copy_items(engine, call->self);
    struct value all = value_list(VALUE_LIST, items);
    struct list *keys =
        items ? make_keys(engine, &all, path_argument(call, 1), argument_truth(call, 0)) : NULL;
    size_t best = 0;
    for (size_t i = 1; keys && i < keys->count; i++) {
        int order;
        if (!value_order(engine, &keys->items[i], &keys->items[best], &order))
            return false;
        best = order * call->function->variant > 0 ? i : best;
    }
    if (keys)
        *to = keys->count > 0 ? items->items[best] : value_undefined(NULL, TEXT("extreme of nothing"));
    return keys != NULL;
}

const struct function list_filters[] = {
    {"length", length, 0, 0, {0}},
    {"count", length, 0, 0, {0}},
    {"default", otherwise, 0, 0, {"default_value", "boolean"}},
    {"d", otherwise, 0, 0, {"default_value", "boolean"}},
    {"list", as_list, 0, 0, {0}},
    {"first", first_item, 0, 0, {0}},
    {"last", last_item, 0, 0, {0}},
    {"reverse", reverse, 0, 0, {0}},
    {"items", dict_items, 0, 0, {0}},
    {"join", join, 0, 0, {"d", "attribute"}},
    {"sum", sum, 0, 0, {"attribute", "start"}},
    {"map", map, 0, 0, {"*"}},
    {"select", choose, 0, 0, {"*"}},
    {"reject", choose, CHOOSE_REJECTED, 0, {"*"}},
    {"selectattr", choose, CHOOSE_BY_ATTRIBUTE, 0, {"*"}},
    {"rejectattr", choose, CHOOSE_REJECTED | CHOOSE_BY_ATTRIBUTE, 0, {"*"}},
    {"sort", sort_list, 0, 0, {"reverse", "case_sensitive", "attribute"}},
    {"dictsort", sort_dict, 0, 0, {"case_sensitive", "by", "reverse"}},
    {"unique", unique, 0, 0, {"case_sensitive", "attribute"}},
    {"min", extreme, -1, 0, {"case_sensitive", "attribute"}},
    {"max", extreme, 1, 0, {"case_sensitive", "attribute"}},
    {.name = "attr"},
    {.name = "batch"},
    {.name = "groupby"},
    {.name = "random"},
    {.name = "slice"},
    {0},
};
