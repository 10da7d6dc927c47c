#include "models/family.h"

#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(struct model_config, name)
#define EITHER_ROPE(name) "rope_parameters." name "|rope_scaling." name

/* Rotary positions are spelled alike by all families: rope_theta at the top and rope_scaling beside it (null
 * where plain), or, since transformers 5, both in rope_parameters. */
static const struct family_key rope_keys[] = {
    {EITHER_ROPE("rope_theta") "|rope_theta", FIELD(rope_theta), KEY_REAL, KEY_OPTIONAL},
    {EITHER_ROPE("rope_type") "|" EITHER_ROPE("type"), FIELD(rope_kind), KEY_ROPE, KEY_OPTIONAL},
    {EITHER_ROPE("factor"), FIELD(rope_factor), KEY_REAL, KEY_OPTIONAL},
    {EITHER_ROPE("low_freq_factor"), FIELD(rope_low_freq_factor), KEY_REAL, KEY_OPTIONAL},
    {EITHER_ROPE("high_freq_factor"), FIELD(rope_high_freq_factor), KEY_REAL, KEY_OPTIONAL},
    {EITHER_ROPE("original_max_position_embeddings"), FIELD(rope_original_context), KEY_UINT, KEY_OPTIONAL},
    {0},
};

static const struct family_fixed common_fixed[] = {
    {"partial_rotary_factor", "1"},
    {"rope_parameters.partial_rotary_factor", "1"},
    {"rope_scaling.partial_rotary_factor", "1"},
    {"quantization_config", "null"},
    {0},
};

static const char *const rope_names[] = {
    [ROPE_PLAIN] = "default", [ROPE_LINEAR] = "linear", [ROPE_LLAMA3] = "llama3"};
#define N_ROPES (sizeof rope_names / sizeof *rope_names)

/* ---- Looking things up ---- */

struct reading {
    const char *path;
    const json_t *tree;
    const struct family *family;
    struct model_config *config;
    struct error *error;
};

/* One spelling of a key, such as "rope_parameters.factor", cut out of a list of them. */
struct spelling {
    char text[96];
};

static const char *next_spelling(const char *keys, struct spelling *spelling) {
    size_t length = strcspn(keys, "|");
    memcpy(spelling->text, keys, length);
    spelling->text[length] = 0;
    return keys[length] ? keys + length + 1 : NULL;
}

/* NULL where the key is absent or null. */
static const json_t *look_up(const json_t *tree, const char *key) {
    const char *dot;
    while (tree && (dot = strchr(key, '.'))) {
        struct spelling object;
        memcpy(object.text, key, (size_t)(dot - key));
        object.text[dot - key] = 0;
        tree = json_object_get(tree, object.text);
        key = dot + 1;
    }
    const json_t *value = json_object_get(tree, key);
    return json_is_null(value) ? NULL : value;
}

static bool same_value(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

/* The value of whichever spelling is there, *value NULL if none; false where two disagree. */
static bool look_up_any(const struct reading *r, const char *keys, const json_t **value,
                        struct spelling *used) {
    *value = NULL;
    for (struct spelling spelling; keys;) {
        keys = next_spelling(keys, &spelling);
        const json_t *here = look_up(r->tree, spelling.text);
        if (!here)
            continue;
        if (*value && !same_value(here, *value)) {
            return fail(r->error, "%s: %s is %s, but %s is %s", r->path, used->text, json_show(*value).text,
                        spelling.text, json_show(here).text);
        }
        if (!*value)
            *used = spelling;
        *value = here;
    }
    return true;
}

/* ---- Setting fields ---- */

static bool wrong_kind(const struct reading *r, const char *key, const json_t *value, const char *expected) {
    return fail(r->error, "%s: %s is %s, expected %s", r->path, key, json_show(value).text, expected);
}

static bool set_uint(const struct reading *r, const char *key, const json_t *value, uint64_t *to) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong_kind(r, key, value, "a whole number");
    *to = (uint64_t)json_integer_value(value);
    return true;
}

static bool set_real(const struct reading *r, const char *key, const json_t *value, double *to) {
    if (!json_is_number(value))
        return wrong_kind(r, key, value, "a number");
    *to = json_number_value(value);
    return true;
}

static bool set_bool(const struct reading *r, const char *key, const json_t *value, bool *to) {
    if (!json_is_boolean(value))
        return wrong_kind(r, key, value, "true or false");
    *to = json_is_true(value);
    return true;
}

static bool set_rope(const struct reading *r, const char *key, const json_t *value, uint64_t *to) {
    for (*to = 0; json_is_string(value) && *to < N_ROPES; ++*to)
        if (!strcmp(json_string_value(value), rope_names[*to]))
            return true;
    return wrong_kind(r, key, value, "one of the kinds this version knows: default, linear, llama3");
}

static bool set_field(const struct reading *r, const struct family_key *key, const char *name,
                      const json_t *value) {
    void *to = (char *)r->config + key->field;
    switch (key->kind) {
    case KEY_UINT:
        return set_uint(r, name, value, to) &&
               config_check_number(r->config, key->field, name, r->path, r->error);
    case KEY_REAL:
        return set_real(r, name, value, to) &&
               config_check_number(r->config, key->field, name, r->path, r->error);
    case KEY_BOOL:
        return set_bool(r, name, value, to);
    case KEY_ROPE:
        return set_rope(r, name, value, to);
    }
    return true;
}

static bool read_keys(const struct reading *r, const struct family_key *keys) {
    for (; keys->key; keys++) {
        const json_t *value;
        struct spelling name;
        if (!look_up_any(r, keys->key, &value, &name))
            return false;
        if (!value && keys->presence == KEY_REQUIRED)
            return fail(r->error, "%s: %s is missing", r->path, keys->key);
        if (value && !set_field(r, keys, name.text, value))
            return false;
    }
    return true;
}

static bool is_fixed_value(const json_t *value, const char *expected) {
    if (json_is_number(value))
        return json_number_value(value) == strtod(expected, NULL);
    return !strcmp(json_show(value).text, expected);
}

static bool check_fixed(const struct reading *r, const struct family_fixed *fixed) {
    for (; fixed->key; fixed++) {
        const json_t *value = look_up(r->tree, fixed->key);
        if (value && !is_fixed_value(value, fixed->value))
            return fail(r->error, "%s: %s is %s, only %s is supported in a %s model", r->path, fixed->key,
                        json_show(value).text, fixed->value, r->family->name);
    }
    return true;
}

/* ---- Rotary positions ---- */

static bool spelled_in(const char *keys, const char *name) {
    for (struct spelling spelling; keys;) {
        keys = next_spelling(keys, &spelling);
        if (!strcmp(spelling.text, name))
            return true;
    }
    return false;
}

static bool rope_key_known(const char *object, const char *key) {
    struct spelling name;
    if (strlen(object) + strlen(key) + 2 > sizeof name.text)
        return false;
    strcat(strcat(strcpy(name.text, object), "."), key);
    for (const struct family_key *known = rope_keys; known->key; known++)
        if (spelled_in(known->key, name.text))
            return true;
    for (const struct family_fixed *known = common_fixed; known->key; known++)
        if (!strcmp(known->key, name.text))
            return true;
    return false;
}

/* A key that we do not know may change the rotation: refused, never ignored. */
static bool check_rope_object(const struct reading *r, const char *object) {
    json_t *tree = json_object_get(r->tree, object);
    if (!tree || json_is_null(tree))
        return true;
    if (!json_is_object(tree))
        return wrong_kind(r, object, tree, "an object or null");
    for (void *at = json_object_iter(tree); at; at = json_object_iter_next(tree, at)) {
        const char *key = json_object_iter_key(at);
        if (!rope_key_known(object, key) && !json_is_null(json_object_iter_value(at)))
            return fail(r->error, "%s: %s has a key that this version does not know, '%.60s'", r->path,
                        object, key);
    }
    return true;
}

/* Numbers that a kind does not use may stand in a file; they are dropped, so that equal models are equal. */
static bool settle_rope(const struct reading *r) {
    struct model_config *c = r->config;
    if (c->rope_kind != ROPE_PLAIN && c->rope_factor == 0)
        return fail(r->error, "%s: rope of type %s needs a factor", r->path, rope_names[c->rope_kind]);
    if (c->rope_kind == ROPE_PLAIN)
        c->rope_factor = 1;
    if (c->rope_kind != ROPE_LLAMA3)
        c->rope_low_freq_factor = c->rope_high_freq_factor = 0, c->rope_original_context = 0;
    else if (c->rope_low_freq_factor == 0 || c->rope_high_freq_factor == 0 || c->rope_original_context == 0)
        return fail(r->error,
                    "%s: rope of type llama3 needs low_freq_factor, high_freq_factor and "
                    "original_max_position_embeddings",
                    r->path);
    return true;
}

static bool read_rope(const struct reading *r) {
    return check_rope_object(r, "rope_parameters") && check_rope_object(r, "rope_scaling") &&
           read_keys(r, rope_keys) && settle_rope(r);
}

/* ---- What follows from other fields ---- */

static bool check_window(const struct reading *r) {
    const struct family_window *window = &r->family->window;
    const json_t *value = window->key ? json_object_get(r->tree, window->key) : NULL;
    uint64_t length = window->otherwise;
    if (!window->key || json_is_null(value))
        return true;
    if (value && !set_uint(r, window->key, value, &length))
        return false;
    if (length < r->config->context)
        return fail(r->error,
                    "%s: %s is %llu, shorter than the context of %llu; sliding windows are not supported yet",
                    r->path, window->key, (unsigned long long)length, (unsigned long long)r->config->context);
    return true;
}

static bool derive_heads(const struct reading *r) {
    struct model_config *c = r->config;
    if (!c->n_kv_heads)
        c->n_kv_heads = c->n_heads;
    if (c->head_dim)
        return true;
    if (c->dim % c->n_heads)
        return fail(r->error,
                    "%s: a width of %llu cannot be divided by %llu heads, and head_dim is not given", r->path,
                    (unsigned long long)c->dim, (unsigned long long)c->n_heads);
    c->head_dim = c->dim / c->n_heads;
    return true;
}

/* ---- Choosing the family ---- */

static const struct family *family_of_class(const char *class) {
    for (size_t i = 0; families[i]; i++)
        for (const char *const *known = families[i]->classes; *known; known++)
            if (!strcmp(*known, class))
                return families[i];
    return NULL;
}

static bool unknown_class(const struct reading *r, const char *class) {
    char known[512] = "";
    size_t length = 0;
    for (size_t i = 0; families[i]; i++)
        for (const char *const *name = families[i]->classes; *name; name++) {
            size_t size = strlen(*name);
            if (length + size + 3 > sizeof known)
                break;
            strcat(strcat(known, length ? ", " : ""), *name);
            length = strlen(known);
        }
    return fail(r->error, "%s: models of class %.80s are not known here; known are %s", r->path, class,
                known);
}

static bool find_family(struct reading *r) {
    const json_t *classes = look_up(r->tree, "architectures");
    const char *class = json_string_value(json_array_get(classes, 0));
    if (!class)
        return fail(r->error, "%s: architectures does not name the model's class", r->path);
    r->family = family_of_class(class);
    return r->family || unknown_class(r, class);
}

static bool read_family(struct reading *r) {
    if (!json_is_object(r->tree))
        return fail(r->error, "%s: is not a JSON object", r->path);
    if (!find_family(r))
        return false;
    *r->config = r->family->defaults;
    r->config->family = r->family->name;
    return check_fixed(r, common_fixed) && check_fixed(r, r->family->fixed) &&
           read_keys(r, r->family->keys) && read_rope(r) && check_window(r) && derive_heads(r) &&
           config_check(r->config, r->path, r->error);
}

bool family_read_config(const char *path, const char *json, size_t size, const struct family **family,
                        struct model_config *config, struct error *error) {
    json_t *tree = json_read(path, json, size, error);
    struct reading reading = {.path = path, .tree = tree, .config = config, .error = error};
    bool ok = tree && read_family(&reading);
    *family = reading.family;
    json_decref(tree);
    return ok;
}
