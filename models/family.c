#include "models/family.h"

#include "lib/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* NULL where the key is absent. */
static const json_t *look_up_null(const json_t *tree, const char *key) {
    const char *dot;
    while (tree && (dot = strchr(key, '.'))) {
        struct spelling object;
        memcpy(object.text, key, (size_t)(dot - key));
        object.text[dot - key] = 0;
        tree = json_object_get(tree, object.text);
        key = dot + 1;
    }
    return json_object_get(tree, key);
}

/* NULL where it is null, too. */
static const json_t *look_up(const json_t *tree, const char *key) {
    const json_t *value = look_up_null(tree, key);
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

/* A key, the spelling of it that was found, and what it sets. */
struct item {
    const struct family_key *key;
    struct spelling name;
    const json_t *value;
    void *to;
};

static bool wrong_kind(const struct reading *r, const char *name, const json_t *value, const char *expected) {
    return fail(r->error, "%s: %s is %s, expected %s", r->path, name, json_show(value).text, expected);
}

static bool wrong_item(const struct reading *r, const struct item *item, const char *expected) {
    return wrong_kind(r, item->name.text, item->value, expected);
}

static bool read_uint(const struct reading *r, const struct item *item, uint64_t *to) {
    if (!json_is_integer(item->value) || json_integer_value(item->value) < 0)
        return wrong_item(r, item, "a whole number");
    *to = (uint64_t)json_integer_value(item->value);
    return true;
}

static bool read_positive(const struct reading *r, const struct item *item, double *to) {
    *to = json_number_value(item->value);
    return *to > 0 || wrong_item(r, item, "a number above 0");
}

static bool read_bool(const struct reading *r, const struct item *item, bool *to) {
    *to = json_is_true(item->value);
    return json_is_boolean(item->value) || wrong_item(r, item, "true or false");
}

static bool set_uint(const struct reading *r, const struct item *item) {
    return read_uint(r, item, item->to);
}

static bool set_real(const struct reading *r, const struct item *item) {
    *(double *)item->to = json_number_value(item->value);
    return json_is_number(item->value) || wrong_item(r, item, "a number");
}

static bool set_bool(const struct reading *r, const struct item *item) {
    return read_bool(r, item, item->to);
}

static bool set_switch(const struct reading *r, const struct item *item) {
    bool on;
    if (!read_bool(r, item, &on))
        return false;
    *(uint64_t *)item->to *= on;
    return true;
}

static bool set_scale(const struct reading *r, const struct item *item) {
    return read_positive(r, item, item->to);
}

static bool set_inverse(const struct reading *r, const struct item *item) {
    double x;
    if (!read_positive(r, item, &x))
        return false;
    *(double *)item->to = 1 / x;
    return true;
}

static bool set_inverse_root(const struct reading *r, const struct item *item) {
    double x;
    if (!read_positive(r, item, &x))
        return false;
    *(double *)item->to = 1 / sqrt(x);
    return true;
}

static bool set_reals(const struct reading *r, const struct item *item) {
    struct rope_factors *factors = item->to;
    factors->count = json_array_size(item->value);
    if (!json_is_array(item->value) || factors->count > CONFIG_MAX_ROPE_FACTORS)
        return wrong_item(r, item, "a list of up to 512 numbers");
    for (uint64_t i = 0; i < factors->count; i++) {
        const json_t *number = json_array_get(item->value, i);
        if (!json_is_number(number))
            return wrong_item(r, item, "a list of numbers");
        factors->values[i] = json_number_value(number);
    }
    return true;
}

/* ---- Traits by the names that checkpoints give them ---- */

struct trait_name {
    const char *name;
    uint64_t number;
};

static const struct trait_name activation_names[] = {
    {"silu", ACT_SILU},
    {"swish", ACT_SILU},
    {"gelu", ACT_GELU},
    {"gelu_python", ACT_GELU},
    {"gelu_new", ACT_GELU_TANH},
    {"gelu_fast", ACT_GELU_TANH},
    {"gelu_accurate", ACT_GELU_TANH},
    {"gelu_pytorch_tanh", ACT_GELU_TANH},
    {"gelu_python_tanh", ACT_GELU_TANH},
    {0},
};

static const struct trait_name rope_names[] = {
    {"default", ROPE_PLAIN}, {"linear", ROPE_LINEAR},
    {"llama3", ROPE_LLAMA3}, {"longrope", ROPE_LONG},
    {"su", ROPE_LONG}, /* as longrope was called at first */
    {"yarn", ROPE_YARN},     {0},
};

static bool set_trait(const struct reading *r, const struct item *item, const struct trait_name *names) {
    char expected[256] = "one of the kinds known here: ";
    const char *text = json_string_value(item->value);
    for (const struct trait_name *known = names; known->name; known++) {
        if (text && !strcmp(text, known->name)) {
            *(uint64_t *)item->to = known->number;
            return true;
        }
        strcat(strcat(expected, known == names ? "" : ", "), known->name);
    }
    return wrong_item(r, item, expected);
}

static bool set_activation(const struct reading *r, const struct item *item) {
    return set_trait(r, item, activation_names);
}

static bool set_rope(const struct reading *r, const struct item *item) {
    return set_trait(r, item, rope_names);
}

/* ---- Patterns of layers ---- */

static bool is_kept(enum key_kind kind, uint64_t layer, uint64_t n) {
    switch (kind) {
    case KEY_LAYERS_EVERY:
        return (layer + 1) % n == 0;
    case KEY_LAYERS_NOT_EVERY:
        return (layer + 1) % n != 0;
    case KEY_LAYERS_FROM:
        return layer >= n;
    default:
        return layer < n; /* KEY_LAYERS_BELOW */
    }
}

static void keep_layers(const struct reading *r, struct layer_pattern *pattern, enum key_kind kind,
                        uint64_t n) {
    bool flags[CONFIG_MAX_LAYERS];
    for (uint64_t layer = 0; layer < r->config->n_layers; layer++)
        flags[layer] = layer_has(pattern, layer) && is_kept(kind, layer, n);
    layer_pattern_set(pattern, flags, r->config->n_layers);
}

static bool set_layers(const struct reading *r, const struct item *item) {
    enum key_kind kind = item->key->kind;
    uint64_t n = 0;
    if (!read_uint(r, item, &n))
        return false;
    if (!n && (kind == KEY_LAYERS_EVERY || kind == KEY_LAYERS_NOT_EVERY))
        return wrong_item(r, item, "at least 1");
    keep_layers(r, item->to, kind, n);
    return true;
}

static bool set_layers_without(const struct reading *r, const struct item *item) {
    bool flags[CONFIG_MAX_LAYERS];
    uint64_t n_layers = r->config->n_layers;
    if (!json_is_array(item->value))
        return wrong_item(r, item, "a list of layers");
    for (uint64_t layer = 0; layer < n_layers; layer++)
        flags[layer] = layer_has(item->to, layer);
    for (size_t i = 0; i < json_array_size(item->value); i++) {
        const json_t *number = json_array_get(item->value, i);
        json_int_t layer = json_integer_value(number);
        if (!json_is_integer(number) || layer < 0)
            return wrong_item(r, item, "a list of layers");
        if ((uint64_t)layer < n_layers)
            flags[layer] = false;
    }
    layer_pattern_set(item->to, flags, n_layers);
    return true;
}

static bool read_layer_flag(const json_t *value, bool *flag) {
    *flag = json_integer_value(value) == 1;
    return json_is_integer(value) && (*flag || json_integer_value(value) == 0);
}

static bool read_layer_type(const json_t *value, bool *flag) {
    const char *type = json_string_value(value);
    *flag = type && !strcmp(type, "sliding_attention");
    return *flag || (type && !strcmp(type, "full_attention"));
}

static bool set_layer_list(const struct reading *r, const struct item *item,
                           bool (*read)(const json_t *, bool *), const char *expected) {
    bool flags[CONFIG_MAX_LAYERS];
    uint64_t n_layers = r->config->n_layers;
    if (json_array_size(item->value) != n_layers)
        return fail(r->error, "%s: %s has %zu entries, expected one for each of %llu layers", r->path,
                    item->name.text, json_array_size(item->value), (unsigned long long)n_layers);
    for (uint64_t layer = 0; layer < n_layers; layer++)
        if (!read(json_array_get(item->value, layer), &flags[layer]))
            return wrong_item(r, item, expected);
    layer_pattern_set(item->to, flags, n_layers);
    return true;
}

static bool set_layer_flags(const struct reading *r, const struct item *item) {
    return set_layer_list(r, item, read_layer_flag, "a list of 0 and 1");
}

static bool set_layer_types(const struct reading *r, const struct item *item) {
    return set_layer_list(r, item, read_layer_type, "a list of sliding_attention and full_attention");
}

/* ---- Reading keys ---- */

static bool (*const setters[])(const struct reading *, const struct item *) = {
    [KEY_UINT] = set_uint,
    [KEY_REAL] = set_real,
    [KEY_BOOL] = set_bool,
    [KEY_SWITCH] = set_switch,
    [KEY_SCALE] = set_scale,
    [KEY_INVERSE] = set_inverse,
    [KEY_INVERSE_ROOT] = set_inverse_root,
    [KEY_REALS] = set_reals,
    [KEY_ACTIVATION] = set_activation,
    [KEY_ROPE] = set_rope,
    [KEY_LAYERS_EVERY] = set_layers,
    [KEY_LAYERS_NOT_EVERY] = set_layers,
    [KEY_LAYERS_FROM] = set_layers,
    [KEY_LAYERS_BELOW] = set_layers,
    [KEY_LAYERS_WITHOUT] = set_layers_without,
    [KEY_LAYER_FLAGS] = set_layer_flags,
    [KEY_LAYER_TYPES] = set_layer_types,
};

static bool is_null(const struct reading *r, const char *keys) {
    bool null = false;
    for (struct spelling spelling; keys;) {
        keys = next_spelling(keys, &spelling);
        null |= json_is_null(look_up_null(r->tree, spelling.text));
    }
    return null;
}

static bool set_absent(const struct reading *r, const struct item *item) {
    const struct family_key *key = item->key;
    if (key->presence == KEY_REQUIRED)
        return fail(r->error, "%s: %s is missing", r->path, key->key);
    if (key->kind == KEY_SWITCH || (key->presence == KEY_NULLABLE && is_null(r, key->key)))
        memset(item->to, 0, sizeof(uint64_t));
    if (key->otherwise)
        keep_layers(r, item->to, key->kind, key->otherwise);
    return true;
}

static bool read_key(const struct reading *r, const struct family_key *key) {
    struct item item = {.key = key, .to = (char *)r->config + key->field};
    if (!look_up_any(r, key->key, &item.value, &item.name))
        return false;
    if (!item.value)
        return set_absent(r, &item);
    return setters[key->kind](r, &item) &&
           config_check_number(r->config, key->field, item.name.text, r->path, r->error);
}

static bool read_keys(const struct reading *r, const struct family_key *keys) {
    for (; keys->key; keys++)
        if (!read_key(r, keys))
            return false;
    return true;
}

static bool read_all_keys(const struct reading *r) {
    for (const struct family_key *const *keys = r->family->keys; *keys; keys++)
        if (!read_keys(r, *keys))
            return false;
    return true;
}

/* ---- Fixed keys ---- */

/* `value` is NULL where the key is absent or null. */
static bool has_value(const json_t *value, const char *expected) {
    char *end;
    double number = strtod(expected, &end);
    if (json_is_number(value))
        return *end == 0 && json_number_value(value) == number;
    return !strcmp(value ? json_show(value).text : "null", expected);
}

static bool has_any_value(const json_t *value, const char *values) {
    for (struct spelling expected; values;) {
        values = next_spelling(values, &expected);
        if (has_value(value, expected.text))
            return true;
    }
    return false;
}

static bool check_fixed(const struct reading *r, const struct family_fixed *fixed) {
    for (; fixed && fixed->key; fixed++) {
        const json_t *value = look_up(r->tree, fixed->key);
        if (value && !has_any_value(value, fixed->value))
            return fail(r->error, "%s: %s is %s, only %s is supported in a %s model", r->path, fixed->key,
                        json_show(value).text, fixed->value, r->family->name);
    }
    return true;
}

static bool spelled_in(const char *keys, const char *name) {
    for (struct spelling spelling; keys;) {
        keys = next_spelling(keys, &spelling);
        if (!strcmp(spelling.text, name))
            return true;
    }
    return false;
}

static bool family_reads(const struct family *family, const char *name) {
    for (const struct family_key *const *keys = family->keys; *keys; keys++)
        for (const struct family_key *key = *keys; key->key; key++)
            if (spelled_in(key->key, name))
                return true;
    return false;
}

/* Keys that change what some families compute, with the value that changes nothing. A family that does not
 * read one is not asked to guess what it means there. */
static const struct family_fixed meaningful[] = {
    {"alibi", "false"},
    {"attention_multiplier", "null"},
    {"attn_logit_softcapping", "null"},
    {"clip_qkv", "null"},
    {"embedding_multiplier", "1"},
    {"final_logit_softcapping", "null"},
    {"logit_scale", "1"},
    {"logits_scaling", "1"},
    {"qk_layernorm", "false"},
    {"quantization_config", "null"},
    {"query_pre_attn_scalar", "null"},
    {"residual_multiplier", "1"},
    {"scale_depth", "null"},
    {"scale_emb", "1"},
    {0},
};

static bool check_meaningful(const struct reading *r) {
    for (const struct family_fixed *one = meaningful; one->key; one++)
        if (!family_reads(r->family, one->key) && !check_fixed(r, (const struct family_fixed[]){*one, {0}}))
            return false;
    return true;
}

/* ---- Rotary positions ---- */

/* Spelled alike by all families: rope_theta at the top and rope_scaling beside it (null where plain), or,
 * since transformers 5, all in rope_parameters; there once for full_attention and once for sliding_attention
 * where these differ. */
#define FULL "rope_parameters.full_attention"
#define SLIDING "rope_parameters.sliding_attention"
#define ROPE(name) FULL "." name "|rope_parameters." name "|rope_scaling." name

static const struct family_key rope_keys[] = {
    KEY(ROPE("rope_theta") "|rope_theta|rotary_emb_base", rope_theta, KEY_REAL),
    KEY(ROPE("rope_type") "|" ROPE("type"), rope_kind, KEY_ROPE),
    KEY(ROPE("factor"), rope_factor, KEY_REAL),
    KEY(ROPE("low_freq_factor"), rope_low_freq_factor, KEY_REAL),
    KEY(ROPE("high_freq_factor"), rope_high_freq_factor, KEY_REAL),
    KEY(ROPE("original_max_position_embeddings") "|original_max_position_embeddings", rope_original_context,
        KEY_UINT),
    KEY(ROPE("short_factor"), rope_short_factors, KEY_REALS),
    KEY(ROPE("long_factor"), rope_long_factors, KEY_REALS),
    KEY(ROPE("attention_factor"), rope_attention_factor, KEY_SCALE),
    KEY(ROPE("beta_fast"), rope_beta_fast, KEY_REAL),
    KEY(ROPE("beta_slow"), rope_beta_slow, KEY_REAL),
    KEY(ROPE("mscale"), rope_mscale, KEY_REAL),
    KEY(ROPE("mscale_all_dim"), rope_mscale_all_dim, KEY_REAL),
    KEY(ROPE("truncate"), rope_truncate, KEY_BOOL),
    {0},
};

/* Of families that have a theta of its own for layers with a window. */
static const struct family_key local_rope_keys[] = {
    KEY(SLIDING ".rope_theta|rope_local_base_freq", rope_local_theta, KEY_REAL),
    {0},
};
static const struct family_fixed local_rope_fixed[] = {
    {SLIDING ".rope_type", "\"default\""},
    {0},
};

#define SHARE_KEYS ROPE("partial_rotary_factor") "|partial_rotary_factor|rotary_pct"

static bool rope_key_known(const char *object, const char *key) {
    struct spelling name;
    if (strlen(object) + strlen(key) + 2 > sizeof name.text)
        return false;
    strcat(strcat(strcpy(name.text, object), "."), key);
    if (spelled_in(SHARE_KEYS, name.text))
        return true;
    for (const struct family_key *known = rope_keys; known->key; known++)
        if (spelled_in(known->key, name.text))
            return true;
    return !strcmp(name.text, SLIDING ".rope_theta") || !strcmp(name.text, SLIDING ".rope_type");
}

/* A key that we do not know may change the rotation: refused, never ignored. */
static bool check_rope_object(const struct reading *r, const char *object) {
    const json_t *tree = look_up(r->tree, object);
    if (!tree)
        return true;
    if (!json_is_object(tree))
        return wrong_kind(r, object, tree, "an object or null");
    for (void *at = json_object_iter((json_t *)tree); at; at = json_object_iter_next((json_t *)tree, at)) {
        const char *key = json_object_iter_key(at);
        if (!rope_key_known(object, key) && !json_is_null(json_object_iter_value(at)))
            return fail(r->error, "%s: %s has a key that this version does not know, '%.60s'", r->path,
                        object, key);
    }
    return true;
}

/* Of a family whose layers rotate in two ways, rope_parameters holds nothing but an object for each. */
static bool check_rope_objects(const struct reading *r) {
    bool two_ways = r->family->defaults.rope_local_theta != 0;
    if (!two_ways)
        return check_rope_object(r, "rope_parameters") && check_rope_object(r, "rope_scaling");
    const json_t *both = look_up(r->tree, "rope_parameters");
    size_t known = (size_t) !!look_up_null(r->tree, FULL) + (size_t) !!look_up_null(r->tree, SLIDING);
    if (json_object_size(both) != known)
        return wrong_kind(r, "rope_parameters", both, "full_attention and sliding_attention");
    return check_rope_object(r, FULL) && check_rope_object(r, SLIDING) &&
           check_rope_object(r, "rope_scaling");
}

static const char *rope_name(uint64_t kind) {
    const struct trait_name *name = rope_names;
    while (name->number != kind)
        name++;
    return name->name;
}

/* What a kind needs, where the file does not say it and transformers does. */
static bool complete_rope(const struct reading *r) {
    struct model_config *c = r->config;
    if (!c->rope_original_context)
        c->rope_original_context = c->context;
    if ((c->rope_kind == ROPE_LONG || c->rope_kind == ROPE_YARN) && c->rope_factor == 0)
        c->rope_factor = fmax(1, (double)c->context / (double)c->rope_original_context);
    if (c->rope_beta_fast == 0)
        c->rope_beta_fast = 32;
    if (c->rope_beta_slow == 0)
        c->rope_beta_slow = 1;
    if (c->rope_kind != ROPE_PLAIN && c->rope_factor == 0)
        return fail(r->error, "%s: rope of type %s needs a factor", r->path, rope_name(c->rope_kind));
    if (c->rope_kind == ROPE_LLAMA3 && (c->rope_low_freq_factor == 0 || c->rope_high_freq_factor == 0))
        return fail(r->error, "%s: rope of type llama3 needs low_freq_factor and high_freq_factor", r->path);
    return true;
}

static void settle_yarn(struct model_config *c) {
    bool yarn = c->rope_kind == ROPE_YARN;
    if (!yarn) {
        c->rope_beta_fast = c->rope_beta_slow = 0;
        c->rope_truncate = false;
    }
    if (!yarn || c->rope_attention_factor > 0 || c->rope_mscale == 0 || c->rope_mscale_all_dim == 0)
        c->rope_mscale = c->rope_mscale_all_dim = 0;
}

/* Numbers that a kind does not use may stand in a file; they are dropped, so that equal models are equal. */
static void settle_rope(struct model_config *c) {
    if (c->rope_factor == 1 && (c->rope_kind == ROPE_LINEAR || c->rope_kind == ROPE_LLAMA3))
        c->rope_kind = ROPE_PLAIN;
    if (c->rope_kind == ROPE_PLAIN)
        c->rope_factor = 1;
    if (c->rope_kind != ROPE_LLAMA3)
        c->rope_low_freq_factor = c->rope_high_freq_factor = 0;
    if (c->rope_kind != ROPE_LONG)
        c->rope_short_factors = c->rope_long_factors = (struct rope_factors){0};
    if (c->rope_kind != ROPE_LONG && c->rope_kind != ROPE_YARN)
        c->rope_attention_factor = 0;
    if (c->rope_kind == ROPE_PLAIN || c->rope_kind == ROPE_LINEAR)
        c->rope_original_context = 0;
    settle_yarn(c);
}

/* How much of a head rotates. */
static bool read_share(const struct reading *r) {
    double expected = r->family->rotary_share, share = expected != 0 ? expected : 1;
    struct item item = {.to = &share};
    if (!look_up_any(r, SHARE_KEYS, &item.value, &item.name) || (item.value && !set_real(r, &item)))
        return false;
    if (expected == 0 && share != 1)
        return fail(r->error, "%s: %s is %s, only 1 is supported in a %s model", r->path, item.name.text,
                    json_show(item.value).text, r->family->name);
    double n = (double)r->config->head_dim * share;
    if (!(n >= 2 && share <= 1))
        return wrong_item(r, &item, "a share of a head's values, at least 2 of them");
    r->config->rope_dim = share == 1 ? 0 : (uint64_t)n;
    return true;
}

static bool read_rope(const struct reading *r) {
    struct model_config *c = r->config;
    bool two_ways = c->rope_local_theta != 0;
    if (!strcmp(c->rope_layers.text, "0")) {
        c->rope_factor = 1;
        return true;
    }
    c->rope_truncate = true;
    if (!check_rope_objects(r) || !read_keys(r, rope_keys) || !read_share(r) || !complete_rope(r))
        return false;
    settle_rope(c);
    return !two_ways || (check_fixed(r, local_rope_fixed) && read_keys(r, local_rope_keys));
}

/* ---- What follows from other fields ---- */

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

static bool derive_widths(const struct reading *r) {
    struct model_config *c = r->config;
    if (!c->ffn_dim && !r->family->ffn_multiple)
        return fail(r->error, "%s: intermediate_size is missing", r->path);
    if (!c->ffn_dim)
        c->ffn_dim = r->family->ffn_multiple * c->dim;
    if (r->family->embedding_by_root)
        c->embedding_scale = sqrt((double)c->dim);
    return true;
}

static void settle_pattern(const struct model_config *c, struct layer_pattern *pattern) {
    bool flags[CONFIG_MAX_LAYERS];
    for (uint64_t layer = 0; layer < c->n_layers; layer++)
        flags[layer] = layer_has(pattern, layer);
    layer_pattern_set(pattern, flags, c->n_layers);
}

/* A window matters where it is shorter than the context; its layers, where they rotate in their own way, too.
 */
static void settle_window(struct model_config *c) {
    bool none = !strcmp(c->window_layers.text, "0");
    if (none || (c->rope_local_theta == c->rope_theta && c->rope_kind == ROPE_PLAIN))
        c->rope_local_theta = 0;
    if (none || c->window >= c->context)
        c->window = 0;
    if (!c->window && c->rope_local_theta == 0)
        c->window_layers = (struct layer_pattern){0};
}

static void settle_experts(struct model_config *c) {
    if (c->n_experts && strcmp(c->expert_layers.text, "0"))
        return;
    c->n_experts = c->n_experts_used = c->expert_ffn_dim = c->shared_ffn_dim = 0;
    c->norm_expert_weights = false;
    c->expert_layers = (struct layer_pattern){0};
}

static void settle_scales(struct model_config *c) {
    double *const scales[] = {&c->embedding_scale, &c->residual_scale, &c->logit_scale};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (*scales[i] == 1)
            *scales[i] = 0;
    if (c->attention_scale == 1 / sqrt((double)c->head_dim))
        c->attention_scale = 0;
}

/* What changes nothing becomes what it would be if nobody had said it, so that equal models are equal. */
void family_settle(struct model_config *c) {
    settle_pattern(c, &c->window_layers);
    settle_pattern(c, &c->rope_layers);
    settle_pattern(c, &c->expert_layers);
    settle_window(c);
    settle_experts(c);
    settle_scales(c);
    c->qkv_bias &= !c->attention_bias;
    if (c->rope_dim == c->head_dim)
        c->rope_dim = 0;
}

/* ---- Choosing the family ---- */

static bool is_of(const struct reading *r, const struct family *family, const char *class) {
    const char *const *name = family->classes;
    while (*name && strcmp(*name, class))
        name++;
    bool is = *name != NULL;
    for (const struct family_fixed *when = family->when; is && when && when->key; when++)
        is = has_any_value(look_up(r->tree, when->key), when->value);
    return is;
}

static const struct family *family_of(const struct reading *r, const char *class) {
    size_t i = 0;
    while (families[i] && !is_of(r, families[i], class))
        i++;
    return families[i];
}

static bool unknown_class(const struct reading *r, const char *class) {
    char known[768] = "";
    for (size_t i = 0; families[i]; i++) {
        bool again = i && families[i]->classes == families[i - 1]->classes;
        for (const char *const *name = families[i]->classes; *name && !again; name++)
            if (strlen(known) + strlen(*name) + 3 < sizeof known)
                strcat(strcat(known, *known ? ", " : ""), *name);
    }
    return fail(r->error, "%s: models of class %.80s are not known here; known are %s", r->path, class,
                known);
}

static bool find_family(struct reading *r) {
    const json_t *classes = look_up(r->tree, "architectures");
    const char *class = json_string_value(json_array_get(classes, 0));
    if (!class)
        return fail(r->error, "%s: architectures does not name the model's class", r->path);
    r->family = family_of(r, class);
    return r->family || unknown_class(r, class);
}

static bool read_family(struct reading *r) {
    if (!json_is_object(r->tree))
        return fail(r->error, "%s: is not a JSON object", r->path);
    if (!find_family(r))
        return false;
    *r->config = r->family->defaults;
    r->config->family = r->family->name;
    if (!check_meaningful(r) || !check_fixed(r, r->family->fixed) || !read_all_keys(r) || !derive_heads(r) ||
        !derive_widths(r) || !read_rope(r))
        return false;
    family_settle(r->config);
    return config_check(r->config, r->path, r->error);
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

const struct family_tensor *family_tensor(const struct family *family, enum role role) {
    for (const struct family_tensor *const *table = family->tensors; *table; table++)
        if ((*table)[role].name)
            return &(*table)[role];
    return NULL;
}
