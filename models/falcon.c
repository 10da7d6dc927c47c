/* Falcon, in three layouts: that of 7B (one head of keys and values, one norm for attention and
 * feed-forward), that of 40B and 180B (several, and a norm for each), that of Falcon 2 11B (several, and one
 * norm). */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("num_hidden_layers", n_layers, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("hidden_size|n_embed", dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("ffn_hidden_size", ffn_dim, KEY_UINT),
    KEY("num_attention_heads", n_heads, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("vocab_size", vocab_size, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("max_position_embeddings", context, KEY_UINT),
    KEY("layer_norm_epsilon", norm_eps, KEY_REAL),
    KEY("tie_word_embeddings", tied_head, KEY_BOOL),
    KEY("bias", attention_bias, KEY_BOOL),
    KEY("bias", mlp_bias, KEY_BOOL),
    KEY("activation", activation, KEY_ACTIVATION),
    {0},
};

static const struct family_key new_keys[] = {
    KEY("num_kv_heads", n_kv_heads, KEY_UINT, .presence = KEY_NULLABLE),
    {0},
};

static const struct family_fixed old_fixed[] = {
    {"multi_query", "true"},
    {"parallel_attn", "true"},
    {"num_ln_in_parallel_attn", "1"},
    {0},
};

static const struct family_fixed new_fixed[] = {
    {"parallel_attn", "true"},
    {0},
};

static const struct family_fixed when_old[] = {{"new_decoder_architecture", "null|false"}, {0}};
static const struct family_fixed when_one_norm[] = {{"num_ln_in_parallel_attn", "1"}, {0}};

static const struct family_tensor tensors[ROLES] = {
    [ROLE_TOKEN_EMBD] = {.name = "transformer.word_embeddings.weight"},
    [ROLE_ATTN_NORM] = {.name = "transformer.h.{}.input_layernorm.weight"},
    [ROLE_ATTN_NORM_BIAS] = {.name = "transformer.h.{}.input_layernorm.bias"},
    [ROLE_ATTN_Q] = {.name = "transformer.h.{}.self_attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_Q_BIAS] = {.name = "transformer.h.{}.self_attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_K] = {.name = "transformer.h.{}.self_attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_K_BIAS] = {.name = "transformer.h.{}.self_attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_V] = {.name = "transformer.h.{}.self_attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_V_BIAS] = {.name = "transformer.h.{}.self_attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_OUTPUT] = {.name = "transformer.h.{}.self_attention.dense.weight"},
    [ROLE_ATTN_OUTPUT_BIAS] = {.name = "transformer.h.{}.self_attention.dense.bias"},
    [ROLE_FFN_UP] = {.name = "transformer.h.{}.mlp.dense_h_to_4h.weight"},
    [ROLE_FFN_UP_BIAS] = {.name = "transformer.h.{}.mlp.dense_h_to_4h.bias"},
    [ROLE_FFN_DOWN] = {.name = "transformer.h.{}.mlp.dense_4h_to_h.weight"},
    [ROLE_FFN_DOWN_BIAS] = {.name = "transformer.h.{}.mlp.dense_4h_to_h.bias"},
    [ROLE_OUTPUT_NORM] = {.name = "transformer.ln_f.weight"},
    [ROLE_OUTPUT_NORM_BIAS] = {.name = "transformer.ln_f.bias"},
    [ROLE_OUTPUT] = {.name = "lm_head.weight"},
};

static const struct family_tensor two_norms[ROLES] = {
    [ROLE_ATTN_NORM] = {.name = "transformer.h.{}.ln_attn.weight"},
    [ROLE_ATTN_NORM_BIAS] = {.name = "transformer.h.{}.ln_attn.bias"},
    [ROLE_FFN_NORM] = {.name = "transformer.h.{}.ln_mlp.weight"},
    [ROLE_FFN_NORM_BIAS] = {.name = "transformer.h.{}.ln_mlp.bias"},
};

static const char *const classes[] = {"FalconForCausalLM", NULL};

#define DEFAULTS                                                                                             \
    .context = 2048, .tied_head = true, .norm_eps = 1e-5, .norm_kind = NORM_LAYER, .norm_bias = true,        \
    .parallel_residual = true, .rope_theta = 10000, .activation = ACT_GELU, .plain_ffn = true

const struct family falcon_7b_family = {
    .name = "falcon",
    .classes = classes,
    .when = when_old,
    .defaults = {DEFAULTS, .n_kv_heads = 1, .shared_norm = true},
    .ffn_multiple = 4,
    .keys = KEYS(keys),
    .fixed = old_fixed,
    .tensors = TENSORS(tensors),
};

const struct family falcon_11b_family = {
    .name = "falcon",
    .classes = classes,
    .when = when_one_norm,
    .defaults = {DEFAULTS, .shared_norm = true},
    .ffn_multiple = 4,
    .keys = KEYS(keys, new_keys),
    .fixed = new_fixed,
    .tensors = TENSORS(tensors),
};

const struct family falcon_40b_family = {
    .name = "falcon",
    .classes = classes,
    .defaults = {DEFAULTS},
    .ffn_multiple = 4,
    .keys = KEYS(keys, new_keys),
    .fixed = new_fixed,
    .tensors = TENSORS(two_norms, tensors),
};
