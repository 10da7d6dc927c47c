#include "models/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Fields: their metadata keys, kinds and ranges ---- */

enum field_kind { FIELD_TEXT, FIELD_UINT, FIELD_REAL, FIELD_BOOL, FIELD_TRAIT, FIELD_PATTERN, FIELD_REALS };

struct field {
    const char *key;
    size_t offset;
    enum field_kind kind;
    double least, most; /* of numbers, inclusive */
    const char *const *names; /* of traits by number, NULL behind the last */
    bool optional; /* 0 may be, and is not written */
};

static const char *const rope_names[] = {"plain", "linear", "llama3", "longrope", "yarn", NULL};
static const char *const norm_names[] = {"rms", "layer", NULL};
static const char *const place_names[] = {"before", "behind", "around", NULL};
static const char *const qk_norm_names[] = {"none", "head", "whole", NULL};
static const char *const activation_names[] = {"silu", "gelu", "gelu_tanh", NULL};

#define FIELD(name, sort, ...)                                                                               \
    { .key = "model." #name, .offset = offsetof(struct model_config, name), .kind = sort, __VA_ARGS__ }
#define REQUIRED .optional = false
#define OPTIONAL .optional = true
#define RANGE(low, high) .least = (low), .most = (high)
#define NAMES(list) .names = (list)

static const struct field fields[] = {
    FIELD(family, FIELD_TEXT, REQUIRED),
    FIELD(n_layers, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_LAYERS)),
    FIELD(dim, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_DIM)),
    FIELD(ffn_dim, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_DIM)),
    FIELD(n_heads, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_DIM / 2)),
    FIELD(n_kv_heads, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_DIM / 2)),
    FIELD(head_dim, FIELD_UINT, REQUIRED, RANGE(2, CONFIG_MAX_DIM)),
    FIELD(vocab_size, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_VOCAB)),
    FIELD(context, FIELD_UINT, REQUIRED, RANGE(1, CONFIG_MAX_CONTEXT)),
    FIELD(tied_head, FIELD_BOOL, REQUIRED),
    FIELD(norm_eps, FIELD_REAL, REQUIRED, RANGE(1e-12, 1)),
    FIELD(norm_kind, FIELD_TRAIT, OPTIONAL, NAMES(norm_names)),
    FIELD(norm_bias, FIELD_BOOL, OPTIONAL),
    FIELD(norm_place, FIELD_TRAIT, OPTIONAL, NAMES(place_names)),
    FIELD(parallel_residual, FIELD_BOOL, OPTIONAL),
    FIELD(shared_norm, FIELD_BOOL, OPTIONAL),
    FIELD(attention_bias, FIELD_BOOL, REQUIRED),
    FIELD(qkv_bias, FIELD_BOOL, OPTIONAL),
    FIELD(mlp_bias, FIELD_BOOL, REQUIRED),
    FIELD(qk_norm, FIELD_TRAIT, OPTIONAL, NAMES(qk_norm_names)),
    FIELD(attention_scale, FIELD_REAL, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(attention_softcap, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e6)),
    FIELD(window, FIELD_UINT, OPTIONAL, RANGE(1, CONFIG_MAX_CONTEXT)),
    FIELD(window_layers, FIELD_PATTERN, OPTIONAL),
    FIELD(learned_positions, FIELD_BOOL, OPTIONAL),
    FIELD(rope_layers, FIELD_PATTERN, OPTIONAL),
    FIELD(rope_dim, FIELD_UINT, OPTIONAL, RANGE(2, CONFIG_MAX_DIM)),
    FIELD(rope_theta, FIELD_REAL, REQUIRED, RANGE(1, 1e12)),
    FIELD(rope_local_theta, FIELD_REAL, OPTIONAL, RANGE(1, 1e12)),
    FIELD(rope_kind, FIELD_TRAIT, REQUIRED, NAMES(rope_names)),
    FIELD(rope_factor, FIELD_REAL, REQUIRED, RANGE(1, 1e6)),
    FIELD(rope_low_freq_factor, FIELD_REAL, REQUIRED, RANGE(0, 1e6)),
    FIELD(rope_high_freq_factor, FIELD_REAL, REQUIRED, RANGE(0, 1e6)),
    FIELD(rope_original_context, FIELD_UINT, REQUIRED, RANGE(0, CONFIG_MAX_CONTEXT)),
    FIELD(rope_short_factors, FIELD_REALS, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(rope_long_factors, FIELD_REALS, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(rope_beta_fast, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e6)),
    FIELD(rope_beta_slow, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e6)),
    FIELD(rope_truncate, FIELD_BOOL, OPTIONAL),
    FIELD(rope_attention_factor, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e3)),
    FIELD(rope_mscale, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e3)),
    FIELD(rope_mscale_all_dim, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e3)),
    FIELD(activation, FIELD_TRAIT, OPTIONAL, NAMES(activation_names)),
    FIELD(plain_ffn, FIELD_BOOL, OPTIONAL),
    FIELD(embedding_scale, FIELD_REAL, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(residual_scale, FIELD_REAL, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(logit_scale, FIELD_REAL, OPTIONAL, RANGE(1e-6, 1e6)),
    FIELD(logit_softcap, FIELD_REAL, OPTIONAL, RANGE(1e-3, 1e6)),
    FIELD(n_experts, FIELD_UINT, OPTIONAL, RANGE(1, CONFIG_MAX_EXPERTS)),
    FIELD(n_experts_used, FIELD_UINT, OPTIONAL, RANGE(1, CONFIG_MAX_EXPERTS)),
    FIELD(expert_ffn_dim, FIELD_UINT, OPTIONAL, RANGE(1, CONFIG_MAX_DIM)),
    FIELD(shared_ffn_dim, FIELD_UINT, OPTIONAL, RANGE(1, CONFIG_MAX_DIM)),
    FIELD(norm_expert_weights, FIELD_BOOL, OPTIONAL),
    FIELD(expert_layers, FIELD_PATTERN, OPTIONAL),
};
#define N_FIELDS (sizeof fields / sizeof *fields)

static const void *field_of(const struct model_config *config, const struct field *field) {
    return (const char *)config + field->offset;
}

static const struct field *field_at(size_t offset) {
    const struct field *field = fields;
    while (field < fields + N_FIELDS && field->offset != offset)
        field++;
    return field < fields + N_FIELDS ? field : NULL;
}

/* ---- Traits by name ---- */

static uint64_t n_names(const char *const *names) {
    uint64_t n = 0;
    while (names[n])
        n++;
    return n;
}

static bool trait_number(const struct field *field, const char *name, uint64_t *number) {
    for (*number = 0; field->names[*number]; ++*number)
        if (!strcmp(name, field->names[*number]))
            return true;
    return false;
}

/* ---- Patterns of layers ---- */

bool layer_has(const struct layer_pattern *pattern, uint64_t layer) {
    size_t period = strlen(pattern->text);
    return !period || pattern->text[layer % period] == '1';
}

static bool repeats(const bool *flags, uint64_t n_layers, uint64_t period) {
    for (uint64_t i = period; i < n_layers; i++)
        if (flags[i] != flags[i - period])
            return false;
    return true;
}

void layer_pattern_set(struct layer_pattern *pattern, const bool *flags, uint64_t n_layers) {
    uint64_t period = 1;
    while (!repeats(flags, n_layers, period))
        period++;
    *pattern = (struct layer_pattern){0};
    for (uint64_t i = 0; i < period && !(period == 1 && flags[0]); i++)
        pattern->text[i] = flags[i] ? '1' : '0';
}

/* The shortest text for what it says. */
static bool check_pattern(const struct model_config *c, const struct field *field, const char *path,
                          struct error *error) {
    const struct layer_pattern *pattern = field_of(c, field);
    struct layer_pattern shortest;
    bool flags[CONFIG_MAX_LAYERS];
    for (uint64_t layer = 0; layer < c->n_layers; layer++)
        flags[layer] = layer_has(pattern, layer);
    layer_pattern_set(&shortest, flags, c->n_layers);
    return !strcmp(pattern->text, shortest.text) ||
           fail(error, "%s: %s is \"%.40s\", expected the shortest text for it, \"%.40s\"", path, field->key,
                pattern->text, shortest.text);
}

/* ---- Ranges ---- */

static bool check_reals(const struct rope_factors *factors, const struct field *field, const char *path,
                        struct error *error) {
    for (uint64_t i = 0; i < factors->count; i++)
        if (!(factors->values[i] >= field->least && factors->values[i] <= field->most))
            return fail(error, "%s: %s[%" PRIu64 "] is %g, expected %g to %g", path, field->key, i,
                        factors->values[i], field->least, field->most);
    return true;
}

static bool check_field(const struct model_config *config, const struct field *field, const char *name,
                        const char *path, struct error *error) {
    const void *at = field_of(config, field);
    if (field->kind == FIELD_UINT) {
        uint64_t x = *(const uint64_t *)at;
        if (!(field->optional && !x) && (x < (uint64_t)field->least || x > (uint64_t)field->most))
            return fail(error, "%s: %s is %" PRIu64 ", expected %.0f to %.0f", path, name, x, field->least,
                        field->most);
    }
    if (field->kind == FIELD_REAL) {
        double x = *(const double *)at;
        if (!(field->optional && x == 0) && !(x >= field->least && x <= field->most))
            return fail(error, "%s: %s is %g, expected %g to %g", path, name, x, field->least, field->most);
    }
    if (field->kind == FIELD_TRAIT && *(const uint64_t *)at >= n_names(field->names))
        return fail(error, "%s: %s is %" PRIu64 ", expected less than %" PRIu64, path, name,
                    *(const uint64_t *)at, n_names(field->names));
    return field->kind != FIELD_REALS || check_reals(at, field, path, error);
}

bool config_check_number(const struct model_config *config, size_t offset, const char *name, const char *path,
                         struct error *error) {
    const struct field *field = field_at(offset);
    return !field || check_field(config, field, name, path, error);
}

static bool check_heads(const struct model_config *c, const char *path, struct error *error) {
    if (c->n_heads % c->n_kv_heads)
        return fail(error, "%s: %" PRIu64 " heads cannot be shared out over %" PRIu64 " key-value heads",
                    path, c->n_heads, c->n_kv_heads);
    if (c->head_dim % 2)
        return fail(error, "%s: head_dim is %" PRIu64 ", rotary positions need an even number", path,
                    c->head_dim);
    if (c->n_heads * c->head_dim > CONFIG_MAX_DIM)
        return fail(error, "%s: %" PRIu64 " heads of %" PRIu64 " are wider than %u", path, c->n_heads,
                    c->head_dim, CONFIG_MAX_DIM);
    return true;
}

static bool check_factors(const struct model_config *c, const struct rope_factors *factors, const char *name,
                          const char *path, struct error *error) {
    uint64_t n = c->rope_kind == ROPE_LONG ? (c->rope_dim ? c->rope_dim : c->head_dim) / 2 : 0;
    return factors->count == n ||
           fail(error, "%s: %s has %" PRIu64 " factors, expected %" PRIu64, path, name, factors->count, n);
}

static bool check_llama3(const struct model_config *c, const char *path, struct error *error) {
    if (c->rope_kind != ROPE_LLAMA3 ||
        (c->rope_low_freq_factor > 0 && c->rope_high_freq_factor > c->rope_low_freq_factor))
        return true;
    return fail(error,
                "%s: rope low_freq_factor is %g and high_freq_factor %g, expected 0 < the first < the second",
                path, c->rope_low_freq_factor, c->rope_high_freq_factor);
}

static bool check_yarn(const struct model_config *c, const char *path, struct error *error) {
    if (c->rope_kind != ROPE_YARN)
        return true;
    if (!(c->rope_beta_slow > 0 && c->rope_beta_fast >= c->rope_beta_slow))
        return fail(error, "%s: rope beta_fast is %g and beta_slow %g, expected 0 < the second <= the first",
                    path, c->rope_beta_fast, c->rope_beta_slow);
    return c->rope_theta > 1 || /* by whose logarithm is divided */
           fail(error, "%s: rope of kind yarn has a theta of 1, expected more", path);
}

static bool check_original_context(const struct model_config *c, const char *path, struct error *error) {
    bool needed = c->rope_kind != ROPE_PLAIN && c->rope_kind != ROPE_LINEAR;
    if (needed && !c->rope_original_context)
        return fail(error, "%s: rope of kind %s needs its original context, which is 0", path,
                    rope_names[c->rope_kind]);
    if (c->rope_kind == ROPE_LONG && c->rope_original_context < 2) /* by whose logarithm is divided */
        return fail(error, "%s: rope of kind longrope has an original context of 1, expected 2 or more",
                    path);
    return true;
}

static bool check_rope(const struct model_config *c, const char *path, struct error *error) {
    if (c->rope_dim % 2 || c->rope_dim > c->head_dim)
        return fail(error, "%s: rope_dim is %" PRIu64 ", expected an even number up to head_dim, %" PRIu64,
                    path, c->rope_dim, c->head_dim);
    return check_original_context(c, path, error) && check_llama3(c, path, error) &&
           check_yarn(c, path, error) &&
           check_factors(c, &c->rope_short_factors, "rope_short_factors", path, error) &&
           check_factors(c, &c->rope_long_factors, "rope_long_factors", path, error);
}

/* What must be 0 where a model has no experts. */
static bool has_expert_fields(const struct model_config *c) {
    return c->n_experts_used || c->expert_ffn_dim || c->shared_ffn_dim || c->norm_expert_weights ||
           c->expert_layers.text[0];
}

static bool check_experts(const struct model_config *c, const char *path, struct error *error) {
    if (!c->n_experts)
        return !has_expert_fields(c) ||
               fail(error, "%s: the model has no experts, but numbers of them", path);
    if (!c->n_experts_used || c->n_experts_used > c->n_experts)
        return fail(error, "%s: %" PRIu64 " experts of %" PRIu64 " are used for a token, expected 1 to all",
                    path, c->n_experts_used, c->n_experts);
    if (!c->expert_ffn_dim || c->expert_ffn_dim % CONFIG_EXPERT_ROWS || c->dim % CONFIG_EXPERT_ROWS)
        return fail(error, "%s: experts of %" PRIu64 " by %" PRIu64 ", expected multiples of %d", path,
                    c->expert_ffn_dim, c->dim, CONFIG_EXPERT_ROWS);
    return true;
}

static bool check_patterns(const struct model_config *c, const char *path, struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].kind == FIELD_PATTERN && !check_pattern(c, &fields[i], path, error))
            return false;
    return true;
}

bool config_check(const struct model_config *config, const char *path, struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!check_field(config, &fields[i], fields[i].key, path, error))
            return false;
    return check_patterns(config, path, error) && check_heads(config, path, error) &&
           check_rope(config, path, error) && check_experts(config, path, error);
}

/* ---- Metadata ---- */

static struct value text_value(const char *text) {
    return (struct value){.kind = VALUE_TEXT, .text = text, .count = strlen(text)};
}

static struct value field_value(const struct model_config *config, const struct field *field) {
    const void *at = field_of(config, field);
    switch (field->kind) {
    case FIELD_TEXT:
        return text_value(*(const char *const *)at);
    case FIELD_TRAIT:
        return text_value(field->names[*(const uint64_t *)at]);
    case FIELD_PATTERN:
        return text_value(((const struct layer_pattern *)at)->text);
    case FIELD_UINT:
        return (struct value){.kind = VALUE_UINT, .uint = *(const uint64_t *)at};
    case FIELD_REAL:
        return (struct value){.kind = VALUE_REAL, .real = *(const double *)at};
    case FIELD_REALS: {
        const struct rope_factors *factors = at;
        return (struct value){.kind = VALUE_REALS, .reals = factors->values, .count = factors->count};
    }
    case FIELD_BOOL:
        break;
    }
    return (struct value){.kind = VALUE_BOOL, .boolean = *(const bool *)at};
}

static bool is_zero(const struct model_config *config, const struct field *field) {
    const void *at = field_of(config, field);
    switch (field->kind) {
    case FIELD_UINT:
    case FIELD_TRAIT:
        return !*(const uint64_t *)at;
    case FIELD_REAL:
        return *(const double *)at == 0;
    case FIELD_BOOL:
        return !*(const bool *)at;
    case FIELD_PATTERN:
        return !((const struct layer_pattern *)at)->text[0];
    case FIELD_REALS:
        return !((const struct rope_factors *)at)->count;
    case FIELD_TEXT:
        break;
    }
    return false;
}

bool config_to_metadata(const struct model_config *config, struct metadata *metadata, struct error *error) {
    for (size_t i = 0; i < N_FIELDS; i++) {
        const struct field *field = &fields[i];
        if (!(field->optional && is_zero(config, field)) &&
            !metadata_set(metadata, field->key, field_value(config, field), error))
            return false;
    }
    return true;
}

static bool read_trait(uint64_t *number, const struct field *field, const char *text, const char *path,
                       struct error *error) {
    if (trait_number(field, text, number))
        return true;
    char known[80] = "";
    for (size_t i = 0; field->names[i]; i++)
        strcat(strcat(known, i ? ", " : ""), field->names[i]);
    return fail(error, "%s: %s is \"%.40s\", known are %s", path, field->key, text, known);
}

static bool read_pattern(struct layer_pattern *pattern, const struct field *field, const char *text,
                         const char *path, struct error *error) {
    size_t length = strlen(text);
    if (length > CONFIG_MAX_LAYERS || strspn(text, "01") != length)
        return fail(error, "%s: %s is \"%.40s\", expected up to %d digits 0 and 1", path, field->key, text,
                    CONFIG_MAX_LAYERS);
    memcpy(pattern->text, text, length + 1);
    return true;
}

static bool read_reals(struct rope_factors *factors, const struct field *field, const struct value *value,
                       const char *path, struct error *error) {
    if (value->count > CONFIG_MAX_ROPE_FACTORS)
        return fail(error, "%s: %s has %zu numbers, the limit is %d", path, field->key, value->count,
                    CONFIG_MAX_ROPE_FACTORS);
    factors->count = value->count;
    memcpy(factors->values, value->reals, value->count * sizeof *value->reals);
    return true;
}

static const struct {
    enum value_kind kind;
    const char *expected;
} stored_as[] = {
    [FIELD_TEXT] = {VALUE_TEXT, "text"},
    [FIELD_UINT] = {VALUE_UINT, "a whole number"},
    [FIELD_REAL] = {VALUE_REAL, "a real number"},
    [FIELD_BOOL] = {VALUE_BOOL, "true or false"},
    [FIELD_TRAIT] = {VALUE_TEXT, "text"},
    [FIELD_PATTERN] = {VALUE_TEXT, "text"},
    [FIELD_REALS] = {VALUE_REALS, "a list of real numbers"},
};

static bool read_field(struct model_config *config, const struct field *field, const struct value *value,
                       const char *path, struct error *error) {
    if (!value)
        return field->optional || fail(error, "%s: the metadata lacks %s", path, field->key);
    if (value->kind != stored_as[field->kind].kind)
        return fail(error, "%s: %s is not %s", path, field->key, stored_as[field->kind].expected);
    void *at = (char *)config + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
        *(const char **)at = value->text;
        return true;
    case FIELD_TRAIT:
        return read_trait(at, field, value->text, path, error);
    case FIELD_PATTERN:
        return read_pattern(at, field, value->text, path, error);
    case FIELD_REALS:
        return read_reals(at, field, value, path, error);
    case FIELD_UINT:
        *(uint64_t *)at = value->uint;
        return true;
    case FIELD_REAL:
        *(double *)at = value->real;
        return true;
    case FIELD_BOOL:
        *(bool *)at = value->boolean;
        return true;
    }
    return true;
}

static bool key_known(const char *key) {
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!strcmp(key, fields[i].key))
            return true;
    return false;
}

bool config_from_metadata(struct model_config *config, const struct metadata *metadata, const char *path,
                          struct error *error) {
    *config = (struct model_config){0};
    for (size_t i = 0; i < metadata->count; i++) {
        const char *key = metadata->items[i].key;
        if (!strncmp(key, "model.", 6) && !key_known(key))
            return fail(error, "%s: the model has a trait that this version does not know, %s", path, key);
    }
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!read_field(config, &fields[i], metadata_find(metadata, fields[i].key), path, error))
            return false;
    return config_check(config, path, error);
}

/* ---- Tensors ---- */

enum extent {
    NONE,
    DIM,
    FFN,
    VOCAB,
    CONTEXT,
    QUERY,
    KEY,
    QUERY_NORM,
    KEY_NORM,
    EXPERTS,
    EXPERT_FFN,
    SHARED_FFN
};

static uint64_t extent_of(const struct model_config *c, enum extent extent) {
    switch (extent) {
    case DIM:
        return c->dim;
    case FFN:
        return c->ffn_dim;
    case VOCAB:
        return c->vocab_size;
    case CONTEXT:
        return c->context;
    case QUERY:
        return c->n_heads * c->head_dim;
    case KEY:
        return c->n_kv_heads * c->head_dim;
    case QUERY_NORM:
        return c->qk_norm == QK_NORM_HEAD ? c->head_dim : c->n_heads * c->head_dim;
    case KEY_NORM:
        return c->qk_norm == QK_NORM_HEAD ? c->head_dim : c->n_kv_heads * c->head_dim;
    case EXPERTS:
        return c->n_experts;
    case EXPERT_FFN:
        return c->expert_ffn_dim;
    case SHARED_FFN:
        return c->shared_ffn_dim;
    case NONE:
        break;
    }
    return 0;
}

/* What must hold for a tensor to be called for, and of which layers. */
enum condition {
    BIAS = 1 << 0, /* norm_bias */
    UNTIED = 1 << 1,
    POSITIONS = 1 << 2,
    BEFORE = 1 << 3, /* the place of norms */
    BEHIND = 1 << 4,
    OWN_NORM = 1 << 5, /* the feed-forward's is not attention's */
    QKV_BIAS = 1 << 6,
    OUTPUT_BIAS = 1 << 7,
    MLP_BIAS = 1 << 8,
    QK_NORM = 1 << 9,
    DENSE = 1 << 10,
    GATED = 1 << 11,
    EXPERT = 1 << 12,
    SHARED = 1 << 13
};

static unsigned conditions_of(const struct model_config *c, uint32_t layer) {
    bool expert = c->n_experts && layer_has(&c->expert_layers, layer);
    const struct {
        enum condition condition;
        bool holds;
    } table[] = {
        {BIAS, c->norm_bias},
        {UNTIED, !c->tied_head},
        {POSITIONS, c->learned_positions},
        {BEFORE, c->norm_place != NORM_BEHIND},
        {BEHIND, c->norm_place != NORM_BEFORE},
        {OWN_NORM, !c->shared_norm},
        {QKV_BIAS, c->qkv_bias || c->attention_bias},
        {OUTPUT_BIAS, c->attention_bias},
        {MLP_BIAS, c->mlp_bias},
        {QK_NORM, c->qk_norm != QK_NORM_NONE},
        {DENSE, !expert},
        {GATED, !c->plain_ffn},
        {EXPERT, expert},
        {SHARED, c->shared_ffn_dim > 0},
    };
    unsigned conditions = 0;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        conditions |= table[i].holds ? table[i].condition : 0;
    return conditions;
}

/* Rows, columns; a tensor of one dimension has rows alone; of three, matrices before them. */
static const struct shape {
    const char *name;
    enum extent extents[3];
    unsigned conditions; /* enum condition, all of them */
} shapes[ROLES] = {
    [ROLE_TOKEN_EMBD] = {"token_embd.weight", {VOCAB, DIM}, 0},
    [ROLE_POSITION_EMBD] = {"position_embd.weight", {CONTEXT, DIM}, POSITIONS},
    [ROLE_ATTN_NORM] = {"blk.{}.attn_norm.weight", {DIM}, BEFORE},
    [ROLE_ATTN_NORM_BIAS] = {"blk.{}.attn_norm.bias", {DIM}, BEFORE | BIAS},
    [ROLE_ATTN_Q] = {"blk.{}.attn_q.weight", {QUERY, DIM}, 0},
    [ROLE_ATTN_Q_BIAS] = {"blk.{}.attn_q.bias", {QUERY}, QKV_BIAS},
    [ROLE_ATTN_K] = {"blk.{}.attn_k.weight", {KEY, DIM}, 0},
    [ROLE_ATTN_K_BIAS] = {"blk.{}.attn_k.bias", {KEY}, QKV_BIAS},
    [ROLE_ATTN_V] = {"blk.{}.attn_v.weight", {KEY, DIM}, 0},
    [ROLE_ATTN_V_BIAS] = {"blk.{}.attn_v.bias", {KEY}, QKV_BIAS},
    [ROLE_ATTN_Q_NORM] = {"blk.{}.attn_q_norm.weight", {QUERY_NORM}, QK_NORM},
    [ROLE_ATTN_K_NORM] = {"blk.{}.attn_k_norm.weight", {KEY_NORM}, QK_NORM},
    [ROLE_ATTN_OUTPUT] = {"blk.{}.attn_output.weight", {DIM, QUERY}, 0},
    [ROLE_ATTN_OUTPUT_BIAS] = {"blk.{}.attn_output.bias", {DIM}, OUTPUT_BIAS},
    [ROLE_ATTN_POST_NORM] = {"blk.{}.post_attention_norm.weight", {DIM}, BEHIND},
    [ROLE_ATTN_POST_NORM_BIAS] = {"blk.{}.post_attention_norm.bias", {DIM}, BEHIND | BIAS},
    [ROLE_FFN_NORM] = {"blk.{}.ffn_norm.weight", {DIM}, BEFORE | OWN_NORM},
    [ROLE_FFN_NORM_BIAS] = {"blk.{}.ffn_norm.bias", {DIM}, BEFORE | OWN_NORM | BIAS},
    [ROLE_FFN_GATE] = {"blk.{}.ffn_gate.weight", {FFN, DIM}, DENSE | GATED},
    [ROLE_FFN_GATE_BIAS] = {"blk.{}.ffn_gate.bias", {FFN}, DENSE | GATED | MLP_BIAS},
    [ROLE_FFN_UP] = {"blk.{}.ffn_up.weight", {FFN, DIM}, DENSE},
    [ROLE_FFN_UP_BIAS] = {"blk.{}.ffn_up.bias", {FFN}, DENSE | MLP_BIAS},
    [ROLE_FFN_DOWN] = {"blk.{}.ffn_down.weight", {DIM, FFN}, DENSE},
    [ROLE_FFN_DOWN_BIAS] = {"blk.{}.ffn_down.bias", {DIM}, DENSE | MLP_BIAS},
    [ROLE_ROUTER] = {"blk.{}.ffn_gate_inp.weight", {EXPERTS, DIM}, EXPERT},
    [ROLE_EXPERT_GATE] = {"blk.{}.ffn_gate_exps.weight", {EXPERTS, EXPERT_FFN, DIM}, EXPERT},
    [ROLE_EXPERT_UP] = {"blk.{}.ffn_up_exps.weight", {EXPERTS, EXPERT_FFN, DIM}, EXPERT},
    [ROLE_EXPERT_DOWN] = {"blk.{}.ffn_down_exps.weight", {EXPERTS, DIM, EXPERT_FFN}, EXPERT},
    [ROLE_SHARED_ROUTER] = {"blk.{}.ffn_gate_inp_shexp.weight", {DIM}, EXPERT | SHARED},
    [ROLE_SHARED_GATE] = {"blk.{}.ffn_gate_shexp.weight", {SHARED_FFN, DIM}, EXPERT | SHARED},
    [ROLE_SHARED_UP] = {"blk.{}.ffn_up_shexp.weight", {SHARED_FFN, DIM}, EXPERT | SHARED},
    [ROLE_SHARED_DOWN] = {"blk.{}.ffn_down_shexp.weight", {DIM, SHARED_FFN}, EXPERT | SHARED},
    [ROLE_FFN_POST_NORM] = {"blk.{}.post_ffw_norm.weight", {DIM}, BEHIND},
    [ROLE_FFN_POST_NORM_BIAS] = {"blk.{}.post_ffw_norm.bias", {DIM}, BEHIND | BIAS},
    [ROLE_OUTPUT_NORM] = {"output_norm.weight", {DIM}, 0},
    [ROLE_OUTPUT_NORM_BIAS] = {"output_norm.bias", {DIM}, BIAS},
    [ROLE_OUTPUT] = {"output.weight", {VOCAB, DIM}, UNTIED},
};

bool role_is_norm(enum role role) {
    return strstr(shapes[role].name, "norm.weight") != NULL;
}

bool layer_name(char *to, size_t size, const char *pattern, uint32_t layer) {
    const char *place = strstr(pattern, "{}");
    int length =
        place ? snprintf(to, size, "%.*s%" PRIu32 "%s", (int)(place - pattern), pattern, layer, place + 2)
              : snprintf(to, size, "%s", pattern);
    return length >= 0 && (size_t)length < size;
}

static size_t add_roles(const struct model_config *config, enum role first, enum role behind, uint32_t layer,
                        struct role_tensor *to) {
    unsigned conditions = conditions_of(config, layer);
    size_t count = 0;
    for (enum role role = first; role < behind; role++) {
        const struct shape *shape = &shapes[role];
        if (shape->conditions & ~conditions)
            continue;
        struct role_tensor *tensor = &to[count++];
        *tensor = (struct role_tensor){.role = role, .layer = layer};
        layer_name(tensor->name, sizeof tensor->name, shape->name, layer);
        for (size_t d = 0; d < 3 && shape->extents[d] != NONE; d++)
            tensor->dims[tensor->n_dims++] = extent_of(config, shape->extents[d]);
    }
    return count;
}

struct role_tensor *config_tensors(const struct model_config *config, size_t *count, struct arena *arena,
                                   struct error *error) {
    struct role_tensor *tensors = ARENA_NEW(arena, struct role_tensor, config->n_layers * ROLES, error);
    if (!tensors)
        return NULL;
    size_t n = add_roles(config, ROLE_TOKEN_EMBD, ROLE_ATTN_NORM, 0, tensors);
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        n += add_roles(config, ROLE_ATTN_NORM, ROLE_OUTPUT_NORM, layer, tensors + n);
    n += add_roles(config, ROLE_OUTPUT_NORM, ROLES, 0, tensors + n);
    *count = n;
    return tensors;
}
