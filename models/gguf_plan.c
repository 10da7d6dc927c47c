#include "models/gguf_plan.h"

#include "models/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- What an architecture can say ---- */

static bool lists(const char *names, const char *name) {
    size_t length = strlen(name);
    for (; names && *names; names += strcspn(names, " ") + 1)
        if (strcspn(names, " ") == length && !strncmp(names, name, length))
            return true;
    return false;
}

static const struct gguf_architecture *architecture_of(const char *family) {
    for (const struct gguf_architecture *a = gguf_architectures; a->name; a++)
        if (!strcmp(a->name, family) || lists(a->families, family))
            return a;
    return NULL;
}

static const struct family *family_of(const char *name) {
    size_t i = 0;
    while (families[i] && strcmp(families[i]->name, name))
        i++;
    return families[i];
}

/* What keys, tensors and the checks below tell of every model. */
static const char told_of_all[] =
    "family n_layers dim ffn_dim n_heads n_kv_heads head_dim vocab_size context tied_head norm_eps "
    "rope_theta rope_kind rope_factor rope_low_freq_factor rope_high_freq_factor rope_original_context "
    "rope_short_factors rope_long_factors rope_beta_fast rope_beta_slow ";

static bool is_told(const struct gguf_architecture *architecture, const char *name) {
    return lists(told_of_all, name) || lists(architecture->told, name);
}

static void settle(struct layer_pattern *pattern, uint64_t n_layers) {
    bool flags[CONFIG_MAX_LAYERS];
    for (uint64_t layer = 0; layer < n_layers; layer++)
        flags[layer] = layer_has(pattern, layer);
    layer_pattern_set(pattern, flags, n_layers);
}

/* What llama.cpp takes a model of the architecture to be, where nothing says otherwise. */
static struct model_config implied_config(const struct gguf_plan *plan) {
    const struct gguf_architecture *a = plan->architecture;
    const struct model_config *c = &plan->config;
    struct model_config implied = family_of(c->family)->defaults;
    implied.family = c->family;
    implied.window = 0;
    implied.window_layers = (struct layer_pattern){0};
    implied.rope_local_theta = 0;
    implied.rope_layers = a->traits.rope_layers;
    settle(&implied.rope_layers, c->n_layers);
    implied.norm_expert_weights = c->n_experts && a->traits.norm_expert_weights;
    implied.shared_ffn_dim = 0;
    implied.embedding_scale = a->scales_by_width ? sqrt((double)c->dim) : 0;
    implied.attention_scale = c->n_layers == a->wide_layers ? 1 / sqrt((double)(c->dim / c->n_heads)) : 0;
    if (implied.attention_scale == 1 / sqrt((double)c->head_dim))
        implied.attention_scale = 0;
    implied.rope_attention_factor = c->rope_kind == ROPE_LONG ? c->rope_attention_factor : 0;
    implied.rope_truncate = c->rope_kind == ROPE_YARN;
    if (c->activation == ACT_GELU && implied.activation == ACT_GELU_TANH)
        implied.activation = ACT_GELU; /* llama.cpp's one GELU stands for both */
    if (c->activation == ACT_GELU_TANH && implied.activation == ACT_GELU)
        implied.activation = ACT_GELU_TANH;
    return implied;
}

static bool same_value(const struct value *a, const struct value *b) {
    if (!a || !b || a->kind != b->kind || a->count != b->count)
        return a == b;
    switch (a->kind) {
    case VALUE_TEXT:
        return !strcmp(a->text, b->text);
    case VALUE_REALS:
        return !memcmp(a->reals, b->reals, a->count * sizeof *a->reals);
    case VALUE_REAL:
        return !(a->real < b->real) && !(a->real > b->real);
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    default:
        return a->uint == b->uint;
    }
}

/* Every key of `a` that is not told must be the same in `b`. */
static bool check_told(const struct gguf_plan *plan, const char *path, const struct metadata *a,
                       const struct metadata *b, struct error *error) {
    for (size_t i = 0; i < a->count; i++) {
        const char *key = a->items[i].key, *name = strchr(key, '.') + 1;
        if (!is_told(plan->architecture, name) && !same_value(&a->items[i].value, metadata_find(b, key)))
            return fail(error,
                        "%s: llama.cpp's architecture %s has its own idea of %s, and a GGUF file has no "
                        "place for another",
                        path, plan->architecture->name, key);
    }
    return true;
}

static bool check_traits(const struct gguf_plan *plan, const char *path, struct error *error) {
    struct arena arena = {0};
    struct metadata actual = {.arena = &arena}, implied = {.arena = &arena};
    const struct model_config expected = implied_config(plan);
    bool good =
        config_to_metadata(&plan->config, &actual, error) && config_to_metadata(&expected, &implied, error) &&
        check_told(plan, path, &actual, &implied, error) && check_told(plan, path, &implied, &actual, error);
    arena_free(&arena);
    return good;
}

static bool check_ropes(const struct gguf_plan *plan, const char *path, struct error *error) {
    const struct model_config *c = &plan->config;
    const unsigned ropes = 1u << ROPE_PLAIN | 1u << ROPE_LINEAR | 1u << ROPE_YARN | plan->architecture->ropes;
    return ropes & 1u << c->rope_kind ||
           fail(error, "%s: llama.cpp's architecture %s has no rotary scaling of kind %s", path,
                plan->architecture->name, c->rope_kind == ROPE_LLAMA3 ? "llama3" : "longrope");
}

static bool check_heads(const struct gguf_plan *plan, const char *path, struct error *error) {
    const struct model_config *c = &plan->config;
    bool whole = c->n_heads * c->head_dim == c->dim;
    bool alike = c->qk_norm != QK_NORM_WHOLE || c->n_heads == c->n_kv_heads ||
                 plan->architecture->window_period; /* of olmo2 and olmoe, the latter expects as many */
    if (plan->architecture->whole_heads && !whole)
        return fail(error,
                    "%s: llama.cpp expects heads of a model of %s to be as wide together as the model, %llu; "
                    "they are %llu",
                    path, plan->architecture->name, (unsigned long long)c->dim,
                    (unsigned long long)(c->n_heads * c->head_dim));
    return alike ||
           fail(error, "%s: llama.cpp expects a model of %s to have as many key-value heads as heads", path,
                plan->architecture->name);
}

static void cut_context(struct gguf_plan *plan) {
    struct model_config *c = &plan->config;
    if (!c->window || is_told(plan->architecture, "window"))
        return;
    plan->context_cut = true;
    c->context = c->window;
    c->window = 0;
    c->window_layers = (struct layer_pattern){0};
}

bool gguf_plan_config(const struct model_config *config, const char *path, struct gguf_plan *plan,
                      struct error *error) {
    *plan = (struct gguf_plan){.architecture = architecture_of(config->family), .config = *config};
    if (!plan->architecture || !family_of(config->family))
        return fail(error, "%s: llama.cpp has no architecture for a model of family %s", path,
                    config->family);
    cut_context(plan);
    return check_ropes(plan, path, error) && check_heads(plan, path, error) &&
           check_traits(plan, path, error);
}

/* ---- Keys ---- */

struct full_key {
    char text[MAX_NAME + 1];
};

static struct full_key full_key(const struct gguf_plan *plan, const char *name) {
    struct full_key key;
    snprintf(key.text, sizeof key.text, "%s.%s", plan->architecture->name, name);
    return key;
}

static double attention_factor(const struct model_config *c) {
    if (c->rope_kind != ROPE_LONG || c->rope_attention_factor > 0)
        return c->rope_attention_factor;
    return sqrt(1 + log(c->rope_factor) / log((double)c->rope_original_context));
}

/* The numbers as the keys have them; those of 0 are not written. */
static struct model_config spelled(const struct gguf_plan *plan) {
    const struct gguf_architecture *a = plan->architecture;
    struct model_config c = plan->config;
    bool rotates = strcmp(c.rope_layers.text, "0") != 0;
    c.rope_dim = !rotates ? 0 : c.rope_dim ? c.rope_dim : c.head_dim;
    c.rope_theta = rotates ? c.rope_theta : 0;
    c.rope_attention_factor = attention_factor(&c);
    c.rope_factor = c.rope_kind == ROPE_LINEAR || c.rope_kind == ROPE_YARN ? c.rope_factor : 0;
    c.rope_original_context =
        c.rope_kind == ROPE_LONG || c.rope_kind == ROPE_YARN ? c.rope_original_context : 0;
    c.window = !c.window && c.rope_local_theta > 0 ? c.context : c.window;
    c.embedding_scale = a->scales_by_width ? 0 : c.embedding_scale;
    c.attention_scale = is_told(a, "attention_scale") ? c.attention_scale : 0;
    if (a->divides_logits)
        c.logit_scale = c.logit_scale > 0 ? 1 / c.logit_scale : 1;
    return c;
}

static bool is_written(const struct gguf_plan *plan, const struct gguf_key *key) {
    bool layer = plan->config.norm_kind == NORM_LAYER;
    return key->field != GGUF_NO_FIELD && key->written != NOT_WRITTEN &&
           key->written != (layer ? WRITTEN_RMS : WRITTEN_LAYER);
}

static bool put_key(const struct gguf_plan *plan, const struct model_config *c, const struct gguf_key *key,
                    struct gguf_items *items, struct error *error) {
    const void *at = (const char *)c + key->field;
    struct full_key name = full_key(plan, key->name);
    if (key->kind == KEY_UINT)
        return (!*(const uint64_t *)at && !key->required) ||
               gguf_item_uint(items, name.text, *(const uint64_t *)at, error);
    if (key->kind == KEY_REAL)
        return !(*(const double *)at > 0) || gguf_item_real(items, name.text, *(const double *)at, error);
    return !*(const bool *)at || gguf_item_bool(items, name.text, true, error);
}

static bool put_window_layers(const struct gguf_plan *plan, struct gguf_items *items, struct error *error) {
    const struct model_config *c = &plan->config;
    if (!gguf_item_array(items, full_key(plan, "attention.sliding_window_pattern").text, GGUF_BOOL,
                         c->n_layers, error))
        return false;
    for (uint64_t layer = 0; layer < c->n_layers; layer++)
        if (!gguf_add_bool(items, layer_has(&c->window_layers, layer), error))
            return false;
    return true;
}

static bool put_rope_kind(const struct gguf_plan *plan, struct gguf_items *items, struct error *error) {
    static const char *const names[] = {
        [ROPE_LINEAR] = "linear", [ROPE_LONG] = "longrope", [ROPE_YARN] = "yarn"};
    uint64_t kind = plan->config.rope_kind;
    return kind == ROPE_PLAIN || kind == ROPE_LLAMA3 ||
           gguf_item_text(items, full_key(plan, "rope.scaling.type").text, names[kind], error);
}

bool gguf_put_config(const struct gguf_plan *plan, struct gguf_items *items, struct error *error) {
    const struct model_config c = spelled(plan);
    bool good = gguf_item_text(items, "general.architecture", plan->architecture->name, error);
    for (const struct gguf_key *key = gguf_keys; good && key->name; key++)
        good = !is_written(plan, key) || put_key(plan, &c, key, items, error);
    return good && gguf_item_uint(items, full_key(plan, "attention.value_length").text, c.head_dim, error) &&
           gguf_item_uint(items, full_key(plan, "vocab_size").text, c.vocab_size, error) &&
           put_rope_kind(plan, items, error) && (!c.window || put_window_layers(plan, items, error)) &&
           (!is_told(plan->architecture, "parallel_residual") ||
            gguf_item_bool(items, full_key(plan, "use_parallel_residual").text, c.parallel_residual, error));
}

/* ---- Tensors ---- */

static bool plan_has(const void *context, enum gguf_layout layout, uint32_t layer) {
    const struct gguf_plan *plan = context;
    (void)layer;
    switch (layout) {
    case GGUF_QKV:
    case GGUF_QKV_BIAS:
        return plan->architecture->fuses_qkv;
    case GGUF_GATE_UP:
        return plan->architecture->fuses_gate_up;
    case GGUF_NORMS_TURNED:
        return is_told(plan->architecture, "shared_norm") && plan->architecture->fuses_qkv &&
               !plan->config.shared_norm;
    }
    return false;
}

struct gguf_place gguf_plan_place(const struct gguf_plan *plan, const struct role_tensor *role) {
    return gguf_place_of(&plan->config, role, plan_has, plan);
}

bool gguf_plan_pairs(const struct gguf_plan *plan, enum role role) {
    return plan->architecture->paired && (role == ROLE_ATTN_Q || role == ROLE_ATTN_K ||
                                          role == ROLE_ATTN_Q_BIAS || role == ROLE_ATTN_K_BIAS);
}

static void set_factors(struct gguf_factors *to, const char *name, const struct rope_factors *from) {
    to->name = name;
    to->count = from->count;
    for (uint64_t i = 0; i < from->count; i++)
        to->values[i] = (float)from->values[i];
}

size_t gguf_plan_factors(const struct gguf_plan *plan, struct gguf_factors factors[2]) {
    const struct model_config *c = &plan->config;
    struct rope_factors freqs = {.count = c->head_dim / 2};
    if (c->rope_kind == ROPE_LONG) {
        set_factors(&factors[0], "rope_factors_long.weight", &c->rope_long_factors);
        set_factors(&factors[1], "rope_factors_short.weight", &c->rope_short_factors);
        return 2;
    }
    if (c->rope_kind != ROPE_LLAMA3 || freqs.count > CONFIG_MAX_ROPE_FACTORS)
        return 0;
    for (uint64_t i = 0; i < freqs.count; i++)
        freqs.values[i] = gguf_llama3_factor(c, i, freqs.count);
    set_factors(&factors[0], "rope_freqs.weight", &freqs);
    return 1;
}
