#include "models/gguf.h"

#include "models/gguf_tables.h"
#include "types/gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Architectures ---- */

struct reading {
    const struct container *container;
    const struct gguf_architecture *architecture;
    struct model_config *config;
    struct error *error;
};

static bool unknown_architecture(const struct reading *r, const char *name) {
    char known[512] = "";
    size_t used = 0;
    for (const struct gguf_architecture *a = gguf_architectures; a->name; a++)
        used += (size_t)snprintf(known + used, sizeof known - used, used ? ", %s" : "%s", a->name);
    return fail(r->error, "%s: the architecture '%.60s' is not known here; known are %s", r->container->path,
                name, known);
}

static bool find_architecture(struct reading *r) {
    struct arena arena = {0};
    const char *name = gguf_text_of(r->container, "general.architecture", &arena, r->error);
    for (const struct gguf_architecture *a = gguf_architectures; name && a->name; a++)
        if (!strcmp(a->name, name))
            r->architecture = a;
    bool found = r->architecture != NULL || unknown_architecture(r, name ? name : "");
    arena_free(&arena);
    return found;
}

/* ---- Keys ---- */

struct full_key {
    char text[MAX_NAME + 1];
};

static struct full_key full_key(const struct reading *r, const char *name) {
    struct full_key key;
    snprintf(key.text, sizeof key.text, "%s.%s", r->architecture->name, name);
    return key;
}

static const struct gguf_item *find(const struct reading *r, const char *name) {
    return gguf_find(r->container, full_key(r, name).text);
}

static bool wrong_kind(const struct reading *r, const char *name, const char *expected) {
    return fail(r->error, "%s: %s is not %s", r->container->path, full_key(r, name).text, expected);
}

static bool check_known(const struct reading *r) {
    const struct gguf_details *details = r->container->details;
    size_t prefix = strlen(r->architecture->name);
    for (size_t i = 0; i < details->n_items; i++) {
        const char *key = details->items[i].key;
        if (strncmp(key, r->architecture->name, prefix) || key[prefix] != '.')
            continue;
        const struct gguf_key *known = gguf_keys;
        while (known->name && strcmp(known->name, key + prefix + 1))
            known++;
        if (!known->name)
            return fail(r->error, "%s: %s is a key that this version does not know", r->container->path, key);
    }
    return true;
}

/* An array has a value for each layer; they must be one. */
static bool check_layers(const struct reading *r, const struct gguf_item *item, const char *name) {
    double first = 0, other = 0;
    if (!item->is_array)
        return true;
    bool good = gguf_real(item, 0, &first);
    for (uint64_t i = 1; good && i < item->count; i++)
        good = gguf_real(item, i, &other) && !(other < first) && !(other > first);
    return good || fail(r->error, "%s: %s differs from layer to layer, which is not supported",
                        r->container->path, full_key(r, name).text);
}

/* What a float was before it became one, where that was a short decimal: 1e-5, not 9.99999974738e-6. */
static double shortest_decimal(double x) {
    char text[32];
    double decimal = x;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        decimal = strtod(text, NULL);
        if (!((float)decimal < (float)x) && !((float)decimal > (float)x))
            break;
    }
    return decimal;
}

static bool set_real(const struct reading *r, const struct gguf_item *item, const char *name, double *to) {
    if (!gguf_real(item, 0, to))
        return wrong_kind(r, name, "a number");
    if (item->kind == GGUF_FLOAT32)
        *to = shortest_decimal(*to);
    return true;
}

static bool set_field(const struct reading *r, const struct gguf_item *item, const struct gguf_key *key) {
    void *to = (char *)r->config + key->field;
    if (key->kind == KEY_REAL)
        return set_real(r, item, key->name, to);
    return key->kind == KEY_UINT ? gguf_uint(item, 0, to) || wrong_kind(r, key->name, "a whole number")
                                 : gguf_flag(item, 0, to) || wrong_kind(r, key->name, "true or false");
}

static bool read_key(const struct reading *r, const struct gguf_key *key) {
    const struct gguf_item *item = find(r, key->name);
    if (!item)
        return !key->required ||
               fail(r->error, "%s: %s is missing", r->container->path, full_key(r, key->name).text);
    return key->field == GGUF_NO_FIELD ||
           (check_layers(r, item, key->name) && set_field(r, item, key) &&
            config_check_number(r->config, key->field, full_key(r, key->name).text, r->container->path,
                                r->error));
}

static bool read_keys(const struct reading *r) {
    for (const struct gguf_key *key = gguf_keys; key->name; key++)
        if (!read_key(r, key))
            return false;
    return true;
}

/* ---- Traits told by which tensors there are ---- */

static const struct tensor *layer_tensor(const struct reading *r, const char *name) {
    char full[MAX_NAME];
    snprintf(full, sizeof full, "blk.0.%s", name);
    return container_tensor(r->container, full);
}

static bool has(const struct reading *r, const char *name) {
    return layer_tensor(r, name) != NULL;
}

/* Gate and up in one tensor, as in phi3. */
static bool has_gated_up(const struct container *container, const struct model_config *c, uint32_t layer) {
    char name[64];
    layer_name(name, sizeof name, "blk.{}.ffn_up.weight", layer);
    const struct tensor *up = container_tensor(container, name);
    return up && up->n_dims == 2 && up->dims[0] == 2 * c->ffn_dim;
}

static void read_biases(const struct reading *r) {
    struct model_config *c = r->config;
    bool inputs = has(r, "attn_q.bias") || has(r, "attn_qkv.bias");
    c->attention_bias = inputs && has(r, "attn_output.bias");
    c->qkv_bias = inputs && !c->attention_bias;
    c->mlp_bias = has(r, "ffn_down.bias");
    c->norm_bias = container_tensor(r->container, "output_norm.bias") != NULL;
}

static void read_norms(const struct reading *r) {
    struct model_config *c = r->config;
    const struct tensor *q_norm = layer_tensor(r, "attn_q_norm.weight");
    c->norm_kind = find(r, "attention.layer_norm_epsilon") ? NORM_LAYER : NORM_RMS;
    if (has(r, "post_attention_norm.weight"))
        c->norm_place = has(r, "attn_norm.weight") ? NORM_AROUND : NORM_BEHIND;
    if (q_norm)
        c->qk_norm = q_norm->dims[0] == c->head_dim ? QK_NORM_HEAD : QK_NORM_WHOLE;
    c->shared_norm =
        c->norm_place == NORM_BEFORE && !has(r, "ffn_norm.weight") && !has(r, "attn_norm_2.weight");
    c->parallel_residual = c->parallel_residual || c->shared_norm;
}

static bool read_structure(const struct reading *r) {
    struct model_config *c = r->config;
    const struct tensor *embedding = container_tensor(r->container, "token_embd.weight");
    if (!embedding)
        return fail(r->error, "%s: tensor 'token_embd.weight' is missing", r->container->path);
    c->vocab_size = embedding->dims[0];
    c->tied_head = !container_tensor(r->container, "output.weight");
    c->learned_positions = container_tensor(r->container, "position_embd.weight") != NULL;
    c->plain_ffn = !has(r, "ffn_gate.weight") && !c->n_experts && !has_gated_up(r->container, c, 0);
    read_biases(r);
    read_norms(r);
    return true;
}

/* ---- What follows from several keys ---- */

static bool derive_heads(const struct reading *r) {
    struct model_config *c = r->config;
    const struct gguf_item *values = find(r, "attention.value_length");
    uint64_t value_dim = 0;
    if (!c->n_kv_heads)
        c->n_kv_heads = c->n_heads;
    if (!c->head_dim && c->dim % c->n_heads)
        return fail(r->error, "%s: a width of %" PRIu64 " cannot be divided by %" PRIu64 " heads",
                    r->container->path, c->dim, c->n_heads);
    if (!c->head_dim)
        c->head_dim = c->dim / c->n_heads;
    if (c->rope_dim && c->rope_dim != c->head_dim && r->architecture->paired)
        return fail(r->error, "%s: %s is %" PRIu64 ", heads have %" PRIu64 "; only the same is supported",
                    r->container->path, full_key(r, "rope.dimension_count").text, c->rope_dim, c->head_dim);
    return !values || (gguf_uint(values, 0, &value_dim) && value_dim == c->head_dim) ||
           fail(r->error, "%s: %s is %" PRIu64 ", keys have %" PRIu64 "; only the same is supported",
                r->container->path, full_key(r, "attention.value_length").text, value_dim, c->head_dim);
}

/* A period or a flag for each layer. */
static bool read_window_layers(const struct reading *r, const struct gguf_item *item) {
    struct model_config *c = r->config;
    bool flags[CONFIG_MAX_LAYERS];
    uint64_t period = r->architecture->window_period;
    bool by_layer = item && item->is_array;
    if (item && !by_layer && !gguf_uint(item, 0, &period))
        return wrong_kind(r, "attention.sliding_window_pattern", "a whole number");
    for (uint64_t i = 0; i < c->n_layers; i++) {
        flags[i] = !period || i % period < period - 1;
        if (by_layer && !gguf_flag(item, i, &flags[i]))
            return wrong_kind(r, "attention.sliding_window_pattern", "a flag for each layer");
    }
    layer_pattern_set(&c->window_layers, flags, c->n_layers);
    return true;
}

/* A window no shorter than the context changes nothing, unless positions in it rotate otherwise. */
static bool derive_window(const struct reading *r) {
    struct model_config *c = r->config;
    if (!c->window) {
        c->rope_local_theta = 0;
        return true;
    }
    if (r->architecture->with_window) {
        c->family = r->architecture->with_window;
        c->rope_local_theta = c->rope_theta;
    }
    return read_window_layers(r, find(r, "attention.sliding_window_pattern"));
}

static void derive_scales(const struct reading *r) {
    struct model_config *c = r->config;
    const struct gguf_architecture *a = r->architecture;
    if (a->scales_by_width)
        c->embedding_scale = sqrt((double)c->dim);
    if (a->divides_logits && c->logit_scale > 0)
        c->logit_scale = 1 / c->logit_scale;
    if (c->n_layers == a->wide_layers)
        c->attention_scale = 1 / sqrt((double)(c->dim / c->n_heads));
}

static bool derive_experts(const struct reading *r) {
    struct model_config *c = r->config;
    const struct gguf_item *gating = find(r, "expert_gating_func");
    uint64_t function = 1;
    if (!c->n_experts)
        return true;
    if (!c->expert_ffn_dim)
        c->expert_ffn_dim = c->ffn_dim;
    if (r->architecture->with_experts)
        c->family = r->architecture->with_experts;
    return !gating || (gguf_uint(gating, 0, &function) && function == 1) ||
           fail(r->error, "%s: %s is %" PRIu64 ", only 1 (softmax) is supported", r->container->path,
                full_key(r, "expert_gating_func").text, function);
}

static bool check_fixed(const struct reading *r) {
    const struct gguf_item *causal = find(r, "attention.causal"),
                           *parallel = find(r, "use_parallel_residual");
    bool flag = true;
    if (causal && (!gguf_flag(causal, 0, &flag) || !flag))
        return fail(r->error, "%s: %s is not true, other models are not supported", r->container->path,
                    full_key(r, "attention.causal").text);
    if (parallel && !strcmp(r->architecture->name, "gptneox"))
        return gguf_flag(parallel, 0, &r->config->parallel_residual) ||
               wrong_kind(r, "use_parallel_residual", "true or false");
    return true;
}

/* ---- Rotary positions ---- */

static bool read_factors(const struct reading *r, const char *name, struct rope_factors *factors) {
    const struct tensor *tensor = container_tensor(r->container, name);
    float values[CONFIG_MAX_ROPE_FACTORS];
    uint64_t count = (r->config->rope_dim ? r->config->rope_dim : r->config->head_dim) / 2;
    if (!tensor)
        return true;
    if (tensor->n_dims != 1 || tensor->dims[0] != count || count > CONFIG_MAX_ROPE_FACTORS ||
        tensor->layout.block_bytes != sizeof(float))
        return fail(r->error, "%s: tensor '%s' is not %" PRIu64 " values of F32", r->container->path, name,
                    count);
    if (!tensor_read(r->container, tensor, values, (size_t)tensor->size, 0, r->error))
        return false;
    factors->count = count;
    for (uint64_t i = 0; i < count; i++)
        factors->values[i] = shortest_decimal((double)values[i]);
    return true;
}

/* Are these the factors of Llama 3? The numbers that they were made from are, but for the largest, the same
 * in all its versions. */
static bool is_llama3(struct model_config *c, const struct rope_factors *factors) {
    c->rope_kind = ROPE_LLAMA3;
    c->rope_factor = factors->values[factors->count - 1];
    c->rope_low_freq_factor = 1;
    c->rope_high_freq_factor = 4;
    c->rope_original_context = 8192;
    for (uint64_t i = 0; i < factors->count; i++) {
        double expected = gguf_llama3_factor(c, i, factors->count);
        if (!(fabs(factors->values[i] - expected) <= 1e-4 * expected))
            return false;
    }
    return true;
}

/* rope_freqs.weight: other factors than those are a table for contexts of any length. */
static void settle_freqs(struct model_config *c, const struct rope_factors *factors) {
    if (is_llama3(c, factors))
        return;
    c->rope_kind = ROPE_LONG;
    c->rope_short_factors = c->rope_long_factors = *factors;
    c->rope_low_freq_factor = c->rope_high_freq_factor = 0;
    c->rope_factor = c->rope_attention_factor = 1;
    c->rope_original_context = c->context;
}

/* Lists of factors, not this, make it longrope. */
static const struct scaling {
    const char *name;
    enum rope_kind kind;
} scalings[] = {{"none", ROPE_PLAIN}, {"linear", ROPE_LINEAR}, {"longrope", ROPE_PLAIN}, {"yarn", ROPE_YARN}};

static const struct scaling *find_scaling(const char *name) {
    for (size_t i = 0; i < COUNT(scalings); i++)
        if (!strcmp(scalings[i].name, name))
            return &scalings[i];
    return NULL;
}

static bool read_scaling_type(const struct reading *r) {
    struct arena arena = {0};
    const char *key = "rope.scaling.type",
               *name = gguf_text_of(r->container, full_key(r, key).text, &arena, r->error);
    const struct scaling *scaling = find_scaling(name ? name : "linear");
    if (scaling)
        r->config->rope_kind = scaling->kind;
    bool known =
        scaling || fail(r->error, "%s: %s is '%.40s', only none, linear, yarn and longrope are supported",
                        r->container->path, full_key(r, key).text, name);
    arena_free(&arena);
    return known;
}

static void settle_scaling(struct model_config *c) {
    if (c->rope_kind == ROPE_PLAIN || !(c->rope_factor > 1)) {
        c->rope_kind = ROPE_PLAIN;
        c->rope_factor = 1;
    }
    if (c->rope_kind != ROPE_YARN) {
        c->rope_original_context = 0;
        c->rope_attention_factor = 0;
        c->rope_beta_fast = c->rope_beta_slow = 0;
        return;
    }
    c->rope_truncate = true;
    c->rope_beta_fast = c->rope_beta_fast > 0 ? c->rope_beta_fast : 32;
    c->rope_beta_slow = c->rope_beta_slow > 0 ? c->rope_beta_slow : 1;
}

static bool settle_long(const struct reading *r) {
    struct model_config *c = r->config;
    if (!c->rope_short_factors.count || !c->rope_original_context)
        return fail(r->error, "%s: rope_factors_long.weight needs rope_factors_short.weight and %s",
                    r->container->path, full_key(r, "rope.scaling.original_context_length").text);
    c->rope_kind = ROPE_LONG;
    c->rope_factor = (double)c->context / (double)c->rope_original_context;
    return true;
}

static bool read_rope(const struct reading *r) {
    struct model_config *c = r->config;
    struct rope_factors freqs = {0};
    if (!read_scaling_type(r) || !read_factors(r, "rope_freqs.weight", &freqs) ||
        !read_factors(r, "rope_factors_long.weight", &c->rope_long_factors) ||
        !read_factors(r, "rope_factors_short.weight", &c->rope_short_factors))
        return false;
    if (c->rope_long_factors.count)
        return settle_long(r);
    settle_scaling(c);
    if (freqs.count)
        settle_freqs(c, &freqs);
    return true;
}

/* ---- The whole ---- */

bool gguf_read_config(const struct container *container, struct model_config *config, bool *paired,
                      struct error *error) {
    struct reading r = {.container = container, .config = config, .error = error};
    if (!find_architecture(&r))
        return false;
    *config = r.architecture->traits;
    config->family = r.architecture->name;
    *paired = r.architecture->paired;
    if (!(config->rope_theta > 0))
        config->rope_theta = 10000;
    config->rope_factor = 1;
    if (!check_known(&r) || !read_keys(&r) || !derive_heads(&r) || !read_structure(&r) || !check_fixed(&r) ||
        !derive_experts(&r) || !derive_window(&r) || !read_rope(&r))
        return false;
    derive_scales(&r);
    family_settle(config);
    return config_check(config, container->path, error);
}

/* ---- Tensors ---- */

const char *const gguf_read_tensors[] = {"rope_freqs.weight", "rope_factors_long.weight",
                                         "rope_factors_short.weight", NULL};

static bool is_there(const struct container *container, const char *pattern, uint32_t layer) {
    char name[64];
    layer_name(name, sizeof name, pattern, layer);
    return container_tensor(container, name) != NULL;
}

struct file {
    const struct container *container;
    const struct model_config *config;
};

static bool file_has(const void *context, enum gguf_layout layout, uint32_t layer) {
    static const char *const signs[] = {
        [GGUF_QKV] = "blk.{}.attn_qkv.weight",
        [GGUF_QKV_BIAS] = "blk.{}.attn_qkv.bias",
        [GGUF_NORMS_TURNED] = "blk.{}.attn_norm_2.weight",
    };
    const struct file *file = context;
    return layout == GGUF_GATE_UP ? has_gated_up(file->container, file->config, layer)
                                  : is_there(file->container, signs[layout], layer);
}

struct gguf_place gguf_find_place(const struct container *container, const struct model_config *config,
                                  const struct role_tensor *role) {
    return gguf_place_of(config, role, file_has, &(struct file){container, config});
}
