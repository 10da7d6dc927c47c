/* GPT-2: learned positions, layer norms, biases everywhere, matrices stored as (inputs, outputs). */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("n_layer", n_layers, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("n_embd", dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("n_inner", ffn_dim, KEY_UINT),
    KEY("n_head", n_heads, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("vocab_size", vocab_size, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("n_positions", context, KEY_UINT),
    KEY("layer_norm_epsilon", norm_eps, KEY_REAL),
    KEY("tie_word_embeddings", tied_head, KEY_BOOL),
    KEY("activation_function", activation, KEY_ACTIVATION),
    {0},
};

static const struct family_fixed fixed[] = {
    {"scale_attn_weights", "true"},
    {"scale_attn_by_inverse_layer_idx", "false"},
    {"add_cross_attention", "false"},
    {0},
};

static const struct family_tensor tensors[ROLES] = {
    [ROLE_TOKEN_EMBD] = {.name = "transformer.wte.weight"},
    [ROLE_POSITION_EMBD] = {.name = "transformer.wpe.weight"},
    [ROLE_ATTN_NORM] = {.name = "transformer.h.{}.ln_1.weight"},
    [ROLE_ATTN_NORM_BIAS] = {.name = "transformer.h.{}.ln_1.bias"},
    [ROLE_ATTN_Q] = {.name = "transformer.h.{}.attn.c_attn.weight", .transposed = true},
    [ROLE_ATTN_Q_BIAS] = {.name = "transformer.h.{}.attn.c_attn.bias"},
    [ROLE_ATTN_K] = {.name = "transformer.h.{}.attn.c_attn.weight", .transposed = true},
    [ROLE_ATTN_K_BIAS] = {.name = "transformer.h.{}.attn.c_attn.bias"},
    [ROLE_ATTN_V] = {.name = "transformer.h.{}.attn.c_attn.weight", .transposed = true},
    [ROLE_ATTN_V_BIAS] = {.name = "transformer.h.{}.attn.c_attn.bias"},
    [ROLE_ATTN_OUTPUT] = {.name = "transformer.h.{}.attn.c_proj.weight", .transposed = true},
    [ROLE_ATTN_OUTPUT_BIAS] = {.name = "transformer.h.{}.attn.c_proj.bias"},
    [ROLE_FFN_NORM] = {.name = "transformer.h.{}.ln_2.weight"},
    [ROLE_FFN_NORM_BIAS] = {.name = "transformer.h.{}.ln_2.bias"},
    [ROLE_FFN_UP] = {.name = "transformer.h.{}.mlp.c_fc.weight", .transposed = true},
    [ROLE_FFN_UP_BIAS] = {.name = "transformer.h.{}.mlp.c_fc.bias"},
    [ROLE_FFN_DOWN] = {.name = "transformer.h.{}.mlp.c_proj.weight", .transposed = true},
    [ROLE_FFN_DOWN_BIAS] = {.name = "transformer.h.{}.mlp.c_proj.bias"},
    [ROLE_OUTPUT_NORM] = {.name = "transformer.ln_f.weight"},
    [ROLE_OUTPUT_NORM_BIAS] = {.name = "transformer.ln_f.bias"},
    [ROLE_OUTPUT] = {.name = "lm_head.weight"},
};

/* The causal mask. */
static const char *const ignored_tensors[] = {
    "transformer.h.{}.attn.bias",
    "transformer.h.{}.attn.masked_bias",
    NULL,
};

const struct family gpt2_family = {
    .name = "gpt2",
    .classes = NAMES("GPT2LMHeadModel"),
    .defaults = {.context = 1024,
                 .tied_head = true,
                 .norm_eps = 1e-5,
                 .norm_kind = NORM_LAYER,
                 .norm_bias = true,
                 .attention_bias = true,
                 .mlp_bias = true,
                 .learned_positions = true,
                 .rope_layers = {"0"},
                 .rope_theta = 10000,
                 .activation = ACT_GELU_TANH,
                 .plain_ffn = true},
    .ffn_multiple = 4,
    .keys = KEYS(keys),
    .fixed = fixed,
    .tensors = TENSORS(tensors),
    .prefix = "transformer.",
    .ignored_tensors = ignored_tensors,
};
