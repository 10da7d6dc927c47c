/* Python's values, as far as templates see them. All but namespaces are immutable, as the sandbox has them,
 * so they are shared freely; all live in the engine's arena. */
#ifndef INFER_JINJA_VALUE_H
#define INFER_JINJA_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_ABSENT, /* an argument that was not given */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOLEAN,
    VALUE_INTEGER,
    VALUE_REAL,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_RANGE,
    VALUE_ITERATOR, /* a generator: its items go once */
    VALUE_KEYS, /* views of a dict */
    VALUE_VALUES,
    VALUE_ITEMS,
    VALUE_DICT,
    VALUE_NAMESPACE,
    VALUE_LOOP,
    VALUE_MACRO,
    VALUE_FUNCTION,
    VALUE_METHOD,
    VALUE_KINDS,
};

/* UTF-8 with the provenance of each byte. */
struct text {
    const char *bytes;
    const char *origin; /* (size) 1 for a byte from outside; NULL where all are the template's */
    size_t size;
    bool safe; /* Python's Markup: adding to it escapes what is added */
};

/* Why there is no value: "'x' is undefined" or "'dict object' has no attribute 'x'". */
struct missing {
    struct text name;
    const char *owner; /* what has no such attribute; NULL for a variable */
    bool unsafe; /* it has one, which the sandbox refuses */
};

struct value {
    enum value_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct text text;
        struct missing missing;
        struct list *list; /* of a list, tuple, range, iterator or view */
        struct dict *dict; /* of a dict or namespace */
        struct loop *loop;
        const struct macro *macro;
        const struct function *function;
        const struct method *method;
    };
};

struct list {
    struct value *items;
    size_t count, capacity;
    size_t taken; /* by whoever walked over an iterator */
};

struct entry {
    struct value key, value;
};

/* In order of insertion. */
struct dict {
    struct entry *entries;
    size_t count, capacity;
};

struct engine;

static inline bool value_is_sequence(const struct value *value) {
    return value->kind >= VALUE_LIST && value->kind <= VALUE_ITEMS;
}
static inline bool value_is_number(const struct value *value) {
    return value->kind >= VALUE_BOOLEAN && value->kind <= VALUE_REAL;
}
static inline bool value_is_integer(const struct value *value) { /* a bool is an int */
    return value->kind == VALUE_BOOLEAN || value->kind == VALUE_INTEGER;
}

struct value value_none(void);
struct value value_boolean(bool boolean);
struct value value_integer(int64_t integer);
struct value value_real(double real);
struct value value_text(struct text text);
struct value value_list(enum value_kind kind, struct list *list);
bool give_list(enum value_kind kind, struct list *list, struct value *to); /* whether there is a list */
struct value value_dict(struct dict *dict);
struct value value_undefined(const char *owner, struct text name);

const char *value_class(const struct value *value); /* Python's name: "str" */
bool value_truth(const struct value *value);
int64_t value_as_integer(const struct value *value); /* of an int or bool */
double value_as_real(const struct value *value); /* of a number */

/* A sentence saying why a value is undefined. */
bool refuse_undefined(struct engine *engine, const struct value *value);

bool value_equal(struct engine *engine, const struct value *a, const struct value *b, bool *equal);
/* Below 0, 0 or above 0. Refuses what Python can't put in order. */
bool value_order(struct engine *engine, const struct value *a, const struct value *b, int *order);

struct list *list_new(struct engine *engine);
bool list_push(struct engine *engine, struct list *list, const struct value *item);
bool list_push_text(struct engine *engine, struct list *list, struct text text);

struct dict *dict_new(struct engine *engine);
bool dict_put(struct engine *engine, struct dict *dict, const struct value *key, const struct value *value);
/* *found is NULL where the key isn't there. Refuses keys that have no hash. */
bool dict_find(struct engine *engine, const struct dict *dict, const struct value *key, struct entry **found);
/* By a name, which can't fail. */
struct entry *dict_find_name(const struct dict *dict, struct text name);

/* Its keys, values or items (in tuples) in a list, for VALUE_KEYS, VALUE_VALUES or VALUE_ITEMS. */
struct list *dict_view(struct engine *engine, const struct dict *dict, enum value_kind kind);

/* The items that iterating gives: characters of a text, keys of a dict, the rest of an iterator (which is
 * then at its end). NULL with a sentence where nothing can be iterated. */
struct list *value_items(struct engine *engine, const struct value *value);

#endif
