#include "infer/jinja/value.h"

#include "infer/jinja/engine.h"

struct value value_none(void) {
    return (struct value){.kind = VALUE_NONE};
}

struct value value_boolean(bool boolean) {
    return (struct value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

struct value value_integer(int64_t integer) {
    return (struct value){.kind = VALUE_INTEGER, .integer = integer};
}

struct value value_real(double real) {
    return (struct value){.kind = VALUE_REAL, .real = real};
}

struct value value_text(struct text text) {
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

struct value value_list(enum value_kind kind, struct list *list) {
    return (struct value){.kind = kind, .list = list};
}

bool give_list(enum value_kind kind, struct list *list, struct value *to) {
    *to = value_list(kind, list);
    return list != NULL;
}

struct value value_dict(struct dict *dict) {
    return (struct value){.kind = VALUE_DICT, .dict = dict};
}

struct value value_undefined(const char *owner, struct text name) {
    return (struct value){.kind = VALUE_UNDEFINED, .missing = {.name = name, .owner = owner}};
}

const char *value_class(const struct value *value) {
    static const char *const names[VALUE_KINDS] = {
        [VALUE_ABSENT] = "nothing",     [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "None",          [VALUE_BOOLEAN] = "bool",
        [VALUE_INTEGER] = "int",        [VALUE_REAL] = "float",
        [VALUE_TEXT] = "str",           [VALUE_LIST] = "list",
        [VALUE_TUPLE] = "tuple",        [VALUE_RANGE] = "range",
        [VALUE_ITERATOR] = "generator", [VALUE_KEYS] = "dict_keys",
        [VALUE_VALUES] = "dict_values", [VALUE_ITEMS] = "dict_items",
        [VALUE_DICT] = "dict",          [VALUE_NAMESPACE] = "namespace",
        [VALUE_LOOP] = "loop",          [VALUE_MACRO] = "macro",
        [VALUE_FUNCTION] = "function",  [VALUE_METHOD] = "method",
    };
    return names[value->kind];
}

static size_t list_left(const struct list *list) {
    return list->count - list->taken;
}

bool value_truth(const struct value *value) {
    switch (value->kind) {
    case VALUE_ABSENT:
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOLEAN:
        return value->boolean;
    case VALUE_INTEGER:
        return value->integer != 0;
    case VALUE_REAL:
        return value->real != 0;
    case VALUE_TEXT:
        return value->text.size > 0;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
    case VALUE_KEYS:
    case VALUE_VALUES:
    case VALUE_ITEMS:
        return value->list->count > 0;
    case VALUE_DICT:
        return value->dict->count > 0;
    default:
        return true;
    }
}

int64_t value_as_integer(const struct value *value) {
    return value->kind == VALUE_BOOLEAN ? value->boolean : value->integer;
}

double value_as_real(const struct value *value) {
    return value->kind == VALUE_REAL ? value->real : (double)value_as_integer(value);
}

bool refuse_undefined(struct engine *engine, const struct value *value) {
    const struct missing *missing = &value->missing;
    int size = (int)(missing->name.size < 200 ? missing->name.size : 200);
    if (missing->unsafe)
        return refuse(engine, "the attribute '%.*s' of a %s is not for templates", size, missing->name.bytes,
                      missing->owner);
    if (missing->owner)
        return refuse(engine, "a %s has no '%.*s'", missing->owner, size, missing->name.bytes);
    return refuse(engine, "'%.*s' is undefined", size, missing->name.bytes);
}

/* ---- Comparing ---- */

/* long double holds every int64 and every double. */
static int number_order(const struct value *a, const struct value *b) {
    long double x = a->kind == VALUE_REAL ? (long double)a->real : (long double)value_as_integer(a);
    long double y = b->kind == VALUE_REAL ? (long double)b->real : (long double)value_as_integer(b);
    return (x > y) - (x < y);
}

static bool is_nan(const struct value *value) {
    return value->kind == VALUE_REAL && value->real != value->real;
}

static bool lists_equal(struct engine *engine, const struct list *a, const struct list *b, bool *equal) {
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++)
        if (!value_equal(engine, &a->items[i], &b->items[i], equal))
            return false;
    return true;
}

static bool dicts_equal(struct engine *engine, const struct dict *a, const struct dict *b, bool *equal) {
    *equal = a->count == b->count;
    for (size_t i = 0; i < a->count && *equal; i++) {
        struct entry *other;
        if (!dict_find(engine, b, &a->entries[i].key, &other))
            return false;
        *equal = other != NULL;
        if (other && !value_equal(engine, &a->entries[i].value, &other->value, equal))
            return false;
    }
    return true;
}

static bool equal_of_kind(struct engine *engine, const struct value *a, const struct value *b, bool *equal) {
    switch (a->kind) {
    case VALUE_TEXT:
        *equal = text_equal(a->text, b->text);
        return engine_spend_bytes(engine, a->text.size);
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
        return lists_equal(engine, a->list, b->list, equal);
    case VALUE_DICT:
        return dicts_equal(engine, a->dict, b->dict, equal);
    case VALUE_KEYS:
    case VALUE_ITEMS:
        return refuse(engine, "comparing views of dicts is not supported");
    case VALUE_METHOD:
        return refuse(engine, "comparing methods is not supported");
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        *equal = true;
        return true;
    default: /* the same object */
        *equal = a->list == b->list;
        return true;
    }
}

bool value_equal(struct engine *engine, const struct value *a, const struct value *b, bool *equal) {
    if (!engine_spend(engine, 1) || !engine_enter(engine))
        return false;
    bool good = true;
    if (value_is_number(a) && value_is_number(b))
        *equal = !is_nan(a) && !is_nan(b) && number_order(a, b) == 0;
    else if (a->kind == b->kind)
        good = equal_of_kind(engine, a, b, equal);
    else
        *equal = false;
    engine_leave(engine);
    return good;
}

static bool list_order(struct engine *engine, const struct list *a, const struct list *b, int *order) {
    size_t shared = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < shared; i++) {
        bool equal;
        if (!value_equal(engine, &a->items[i], &b->items[i], &equal))
            return false;
        if (!equal)
            return value_order(engine, &a->items[i], &b->items[i], order);
    }
    *order = (a->count > b->count) - (a->count < b->count);
    return true;
}

static bool order_of_kind(struct engine *engine, const struct value *a, const struct value *b, int *order) {
    bool numbers = value_is_number(a) && value_is_number(b);
    if (numbers && (is_nan(a) || is_nan(b)))
        return refuse(engine, "putting NaN in order is not supported");
    if (numbers)
        *order = number_order(a, b);
    else if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT)
        *order = text_order(a->text, b->text);
    else if (a->kind == b->kind && (a->kind == VALUE_LIST || a->kind == VALUE_TUPLE))
        return list_order(engine, a->list, b->list, order);
    else
        return refuse(engine, "a %s and a %s have no order", value_class(a), value_class(b));
    return true;
}

bool value_order(struct engine *engine, const struct value *a, const struct value *b, int *order) {
    if (a->kind == VALUE_UNDEFINED || b->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, a->kind == VALUE_UNDEFINED ? a : b);
    if (!engine_spend(engine, 1) || !engine_enter(engine))
        return false;
    bool good = order_of_kind(engine, a, b, order);
    engine_leave(engine);
    return good;
}

/* ---- Lists and dicts ---- */

struct list *list_new(struct engine *engine) {
    return ENGINE_NEW(engine, struct list);
}

bool list_push(struct engine *engine, struct list *list, const struct value *item) {
    struct value *items = engine_grow(engine, list->items, list->count, &list->capacity, sizeof *list->items);
    if (!items || !engine_spend(engine, 1))
        return false;
    list->items = items;
    list->items[list->count++] = *item;
    return true;
}

bool list_push_text(struct engine *engine, struct list *list, struct text text) {
    struct value item = value_text(text);
    return engine_spend_bytes(engine, text.size) && list_push(engine, list, &item);
}

struct dict *dict_new(struct engine *engine) {
    return ENGINE_NEW(engine, struct dict);
}

static bool has_hash(const struct value *key) {
    if (key->kind == VALUE_TUPLE)
        for (size_t i = 0; i < key->list->count; i++)
            if (value_is_sequence(&key->list->items[i]) || key->list->items[i].kind == VALUE_DICT)
                return false;
    return key->kind <= VALUE_TEXT || key->kind == VALUE_TUPLE;
}

bool dict_find(struct engine *engine, const struct dict *dict, const struct value *key,
               struct entry **found) {
    *found = NULL;
    if (!has_hash(key))
        return refuse(engine, "a %s can't be a key of a dict", value_class(key));
    if (!engine_spend(engine, 1 + dict->count / 16))
        return false;
    if (key->kind == VALUE_TEXT) {
        *found = dict_find_name(dict, key->text);
        return true;
    }
    bool equal = false;
    for (size_t i = 0; i < dict->count && !equal; i++) {
        if (!value_equal(engine, &dict->entries[i].key, key, &equal))
            return false;
        *found = equal ? &dict->entries[i] : NULL;
    }
    return true;
}

struct entry *dict_find_name(const struct dict *dict, struct text name) {
    for (size_t i = 0; i < dict->count; i++)
        if (dict->entries[i].key.kind == VALUE_TEXT && text_equal(dict->entries[i].key.text, name))
            return &dict->entries[i];
    return NULL;
}

bool dict_put(struct engine *engine, struct dict *dict, const struct value *key, const struct value *value) {
    struct entry *entry;
    if (!dict_find(engine, dict, key, &entry))
        return false;
    if (entry) {
        entry->value = *value;
        return true;
    }
    struct entry *entries =
        engine_grow(engine, dict->entries, dict->count, &dict->capacity, sizeof *dict->entries);
    if (!entries)
        return false;
    dict->entries = entries;
    dict->entries[dict->count++] = (struct entry){*key, *value};
    return true;
}

/* ---- Iterating ---- */

static struct list *text_chars(struct engine *engine, struct text text) {
    struct list *list = list_new(engine);
    for (size_t at = 0, size; list && at < text.size; at += size) {
        text_char(text, at, &size);
        if (!list_push_text(engine, list, text_part(text, at, at + size)))
            return NULL;
    }
    return list;
}

static bool push_pair(struct engine *engine, struct list *list, const struct entry *entry) {
    struct list *pair = list_new(engine);
    struct value item = value_list(VALUE_TUPLE, pair);
    return pair && list_push(engine, pair, &entry->key) && list_push(engine, pair, &entry->value) &&
           list_push(engine, list, &item);
}

struct list *dict_view(struct engine *engine, const struct dict *dict, enum value_kind kind) {
    struct list *list = list_new(engine);
    for (size_t i = 0; list && i < dict->count; i++) {
        const struct entry *entry = &dict->entries[i];
        if (!(kind == VALUE_ITEMS
                  ? push_pair(engine, list, entry)
                  : list_push(engine, list, kind == VALUE_KEYS ? &entry->key : &entry->value)))
            return NULL;
    }
    return list;
}

/* What is left of an iterator, as a list that shares its items. */
static struct list *take_rest(struct engine *engine, struct list *iterator) {
    struct list *rest = list_new(engine);
    if (rest) {
        rest->items = iterator->items + iterator->taken;
        rest->count = rest->capacity = list_left(iterator);
        iterator->taken = iterator->count;
    }
    return rest;
}

struct list *value_items(struct engine *engine, const struct value *value) {
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return list_new(engine);
    case VALUE_TEXT:
        return text_chars(engine, value->text);
    case VALUE_DICT:
        return dict_view(engine, value->dict, VALUE_KEYS);
    case VALUE_ITERATOR:
        return take_rest(engine, value->list);
    default:
        if (value_is_sequence(value))
            return value->list;
        refuse(engine, "a %s can't be iterated", value_class(value));
        return NULL;
    }
}
