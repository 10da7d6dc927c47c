#include "infer/jinja/access.h"

#include "infer/jinja/call.h"
#include "infer/jinja/evaluate.h"

/* What the sandbox keeps from templates: it would change the value. */
static bool is_unsafe(const struct value *object, struct text name) {
    static const char *const of_lists[] = {"append", "clear",   "extend", "insert", "pop",
                                           "remove", "reverse", "sort",   NULL};
    static const char *const of_dicts[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    static const char *const none[] = {NULL};
    const char *const *names = object->kind == VALUE_LIST   ? of_lists
                               : object->kind == VALUE_DICT ? of_dicts
                                                            : none;
    for (; *names; names++)
        if (text_is(name, *names))
            return true;
    return false;
}

static void set_missing(const struct value *object, struct text name, struct value *to) {
    *to = value_undefined(value_class(object), name);
    to->missing.unsafe = is_unsafe(object, name);
}

static bool bind_method(struct engine *engine, const struct value *object, const struct function *function,
                        struct value *to) {
    struct method *method = ENGINE_NEW(engine, struct method);
    if (!method)
        return false;
    if (object->kind == VALUE_TEXT && object->text.safe)
        return refuse(engine, "methods of a text marked safe are not supported");
    *method = (struct method){function, *object};
    *to = (struct value){.kind = VALUE_METHOD, .method = method};
    return true;
}

/* The attributes that the object's class has. *found where there is one, perhaps an unsafe one. */
static bool class_attribute(struct engine *engine, const struct value *object, struct text name,
                            struct value *to, bool *found) {
    const struct function *function = find_method(object->kind, name);
    struct entry *entry = object->kind == VALUE_NAMESPACE ? dict_find_name(object->dict, name) : NULL;
    *found = true;
    if (function)
        return bind_method(engine, object, function, to);
    if (entry)
        *to = entry->value;
    else if (object->kind == VALUE_LOOP)
        return loop_attribute(engine, object->loop, name, to);
    else if (is_unsafe(object, name))
        set_missing(object, name, to);
    else
        *found = false;
    return true;
}

static bool has_hidden_attributes(const struct value *object) {
    return (object->kind >= VALUE_RANGE && object->kind <= VALUE_ITEMS) || object->kind > VALUE_LOOP;
}

bool get_attribute(struct engine *engine, const struct value *object, struct text name, struct value *to) {
    bool found;
    if (object->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, object);
    if (has_hidden_attributes(object))
        return refuse(engine, "attributes of a %s are not supported", value_class(object));
    bool has_entries = object->kind == VALUE_DICT || object->kind == VALUE_NAMESPACE;
    if (!engine_spend(engine, 1 + (has_entries ? object->dict->count / 16 : 0)) ||
        !class_attribute(engine, object, name, to, &found))
        return false;
    if (found)
        return true;
    struct entry *entry = object->kind == VALUE_DICT ? dict_find_name(object->dict, name) : NULL;
    if (entry)
        *to = entry->value;
    else
        set_missing(object, name, to);
    return true;
}

/* ---- Items ---- */

/* A place in `count` items, from the end where below 0. */
static bool find_place(int64_t index, size_t count, size_t *place) {
    if (index < 0)
        index += (int64_t)count;
    *place = (size_t)index;
    return index >= 0 && (uint64_t)index < count;
}

static bool can_index(const struct value *object) {
    return object->kind == VALUE_LIST || object->kind == VALUE_TUPLE || object->kind == VALUE_RANGE;
}

static bool char_item(struct engine *engine, struct text text, int64_t index, struct value *to, bool *found) {
    size_t place, size;
    *found = find_place(index, text_length(text), &place);
    if (*found) {
        size_t at = text_offset(text, place);
        text_char(text, at, &size);
        *to = value_text(text_part(text, at, at + size));
    }
    return engine_spend_bytes(engine, text.size);
}

static bool own_item(struct engine *engine, const struct value *object, const struct value *key,
                     struct value *to, bool *found) {
    struct entry *entry;
    size_t place;
    *found = false;
    if (object->kind == VALUE_DICT) {
        if (!dict_find(engine, object->dict, key, &entry))
            return false;
        *found = entry != NULL;
        if (entry)
            *to = entry->value;
    } else if (value_is_integer(key) && object->kind == VALUE_TEXT)
        return char_item(engine, object->text, value_as_integer(key), to, found);
    else if (value_is_integer(key) && can_index(object)) {
        *found = find_place(value_as_integer(key), object->list->count, &place);
        if (*found)
            *to = object->list->items[place];
    }
    return true;
}

bool get_item(struct engine *engine, const struct value *object, const struct value *key, struct value *to) {
    bool found;
    if (object->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, object);
    if (!own_item(engine, object, key, to, &found))
        return false;
    if (found)
        return true;
    if (key->kind != VALUE_TEXT) {
        set_missing(object, TEXT("element of that index"), to);
        return true;
    }
    return get_attribute(engine, object, key->text, to);
}

static bool path_step(struct engine *engine, struct text step, struct value *value) {
    bool digits = step.size > 0 && step.size < 10;
    int64_t index = 0;
    for (size_t i = 0; i < step.size && digits; i++) {
        digits = step.bytes[i] >= '0' && step.bytes[i] <= '9';
        index = 10 * index + (step.bytes[i] - '0');
    }
    struct value key = digits ? value_integer(index) : value_text(step), object = *value;
    return get_item(engine, &object, &key, value);
}

bool get_path(struct engine *engine, const struct value *object, const struct value *path, struct value *to) {
    if (path->kind != VALUE_TEXT)
        return get_item(engine, object, path, to);
    *to = *object;
    for (size_t at = 0; at <= path->text.size;) {
        size_t dot = text_find(path->text, TEXT("."), at);
        size_t end = dot == NOT_FOUND ? path->text.size : dot;
        if (!path_step(engine, text_part(path->text, at, end), to))
            return false;
        at = end + 1;
    }
    return true;
}

/* ---- Slices ---- */

static bool read_bound(struct engine *engine, const struct value *bound, int64_t otherwise, int64_t *to) {
    *to = otherwise;
    if (bound->kind == VALUE_NONE)
        return true;
    if (!value_is_integer(bound))
        return refuse(engine, "a slice's bound is a %s, not an int", value_class(bound));
    *to = value_as_integer(bound);
    return true;
}

/* Into what a walk by `step` can begin or end at: 0 .. count, or -1 .. count - 1 backwards. */
static int64_t clamp(int64_t bound, int64_t count, bool backwards) {
    if (bound < 0)
        bound = bound < -count ? -1 : bound + count;
    if (bound < 0)
        return backwards ? -1 : 0;
    return bound >= count ? count - backwards : bound;
}

struct walk {
    int64_t at, end, step;
};

static bool read_walk(struct engine *engine, const struct value bounds[3], size_t count, struct walk *walk) {
    int64_t n = (int64_t)count;
    if (!read_bound(engine, &bounds[2], 1, &walk->step))
        return false;
    if (walk->step == 0)
        return refuse(engine, "a slice's step is 0");
    bool backwards = walk->step < 0;
    if (!read_bound(engine, &bounds[0], backwards ? INT64_MAX : 0, &walk->at) ||
        !read_bound(engine, &bounds[1], backwards ? INT64_MIN : INT64_MAX, &walk->end))
        return false;
    walk->at = clamp(walk->at, n, backwards);
    walk->end = clamp(walk->end, n, backwards);
    return true;
}

static bool walk_on(struct walk *walk) {
    return (walk->step > 0 ? walk->at < walk->end : walk->at > walk->end);
}

static void walk_step(struct walk *walk) {
    if (__builtin_add_overflow(walk->at, walk->step, &walk->at))
        walk->at = walk->end;
}

static bool slice_text(struct engine *engine, struct text text, struct walk walk, struct value *to) {
    struct builder builder = {0};
    if (!engine_spend_bytes(engine, text.size))
        return false;
    if (walk.step == 1) {
        size_t from = text_offset(text, (size_t)walk.at),
               length = walk_on(&walk) ? (size_t)(walk.end - walk.at) : 0;
        struct text rest = text_part(text, from, text.size);
        *to = value_text(text_part(rest, 0, text_offset(rest, length)));
        return true;
    }
    struct value characters = value_text(text);
    struct list *list = value_items(engine, &characters);
    for (; list && walk_on(&walk); walk_step(&walk))
        if (!build(engine, &builder, list->items[walk.at].text))
            return false;
    return list && give_text(&builder, to);
}

static bool slice_list(struct engine *engine, const struct value *object, struct walk walk,
                       struct value *to) {
    struct list *list = list_new(engine);
    for (; list && walk_on(&walk); walk_step(&walk))
        if (!list_push(engine, list, &object->list->items[walk.at]))
            return false;
    *to = value_list(object->kind, list);
    return list != NULL;
}

bool get_slice(struct engine *engine, const struct value *object, const struct value bounds[3],
               struct value *to) {
    struct walk walk = {0};
    if (object->kind == VALUE_UNDEFINED)
        return refuse_undefined(engine, object);
    bool is_text = object->kind == VALUE_TEXT;
    if (!is_text && !can_index(object))
        return refuse(engine, "slices of a %s are not supported", value_class(object));
    if (is_text && object->text.safe)
        return refuse(engine, "slices of a text marked safe are not supported");
    if (!read_walk(engine, bounds, is_text ? text_length(object->text) : object->list->count, &walk))
        return false;
    return is_text ? slice_text(engine, object->text, walk, to) : slice_list(engine, object, walk, to);
}
