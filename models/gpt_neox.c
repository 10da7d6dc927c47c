/* GPT-NeoX and Pythia: attention and feed-forward in parallel, a quarter of each head rotates, and queries,
 * keys and values are in one tensor by turns of heads. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("num_hidden_layers", n_layers, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("hidden_size", dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("intermediate_size", ffn_dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("num_attention_heads", n_heads, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("vocab_size", vocab_size, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("max_position_embeddings", context, KEY_UINT),
    KEY("layer_norm_eps", norm_eps, KEY_REAL),
    KEY("tie_word_embeddings", tied_head, KEY_BOOL),
    KEY("attention_bias", attention_bias, KEY_BOOL),
    KEY("use_parallel_residual", parallel_residual, KEY_BOOL),
    {0},
};

static const struct family_tensor tensors[ROLES] = {
    [ROLE_TOKEN_EMBD] = {.name = "gpt_neox.embed_in.weight"},
    [ROLE_ATTN_NORM] = {.name = "gpt_neox.layers.{}.input_layernorm.weight"},
    [ROLE_ATTN_NORM_BIAS] = {.name = "gpt_neox.layers.{}.input_layernorm.bias"},
    [ROLE_ATTN_Q] = {.name = "gpt_neox.layers.{}.attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_Q_BIAS] = {.name = "gpt_neox.layers.{}.attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_K] = {.name = "gpt_neox.layers.{}.attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_K_BIAS] = {.name = "gpt_neox.layers.{}.attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_V] = {.name = "gpt_neox.layers.{}.attention.query_key_value.weight", .by_head = true},
    [ROLE_ATTN_V_BIAS] = {.name = "gpt_neox.layers.{}.attention.query_key_value.bias", .by_head = true},
    [ROLE_ATTN_OUTPUT] = {.name = "gpt_neox.layers.{}.attention.dense.weight"},
    [ROLE_ATTN_OUTPUT_BIAS] = {.name = "gpt_neox.layers.{}.attention.dense.bias"},
    [ROLE_FFN_NORM] = {.name = "gpt_neox.layers.{}.post_attention_layernorm.weight"},
    [ROLE_FFN_NORM_BIAS] = {.name = "gpt_neox.layers.{}.post_attention_layernorm.bias"},
    [ROLE_FFN_UP] = {.name = "gpt_neox.layers.{}.mlp.dense_h_to_4h.weight"},
    [ROLE_FFN_UP_BIAS] = {.name = "gpt_neox.layers.{}.mlp.dense_h_to_4h.bias"},
    [ROLE_FFN_DOWN] = {.name = "gpt_neox.layers.{}.mlp.dense_4h_to_h.weight"},
    [ROLE_FFN_DOWN_BIAS] = {.name = "gpt_neox.layers.{}.mlp.dense_4h_to_h.bias"},
    [ROLE_OUTPUT_NORM] = {.name = "gpt_neox.final_layer_norm.weight"},
    [ROLE_OUTPUT_NORM_BIAS] = {.name = "gpt_neox.final_layer_norm.bias"},
    [ROLE_OUTPUT] = {.name = "embed_out.weight"},
};

static const char *const ignored_tensors[] = {
    "gpt_neox.layers.{}.attention.bias", /* the causal mask */
    "gpt_neox.layers.{}.attention.masked_bias",
    "gpt_neox.layers.{}.attention.rotary_emb.inv_freq",
    NULL,
};

const struct family gpt_neox_family = {
    .name = "gptneox",
    .classes = NAMES("GPTNeoXForCausalLM"),
    .defaults = {.context = 2048,
                 .norm_eps = 1e-5,
                 .norm_kind = NORM_LAYER,
                 .norm_bias = true,
                 .parallel_residual = true,
                 .attention_bias = true,
                 .mlp_bias = true,
                 .rope_theta = 10000,
                 .activation = ACT_GELU,
                 .plain_ffn = true},
    .rotary_share = 0.25,
    .keys = KEYS(keys, hidden_act_keys),
    .tensors = TENSORS(tensors),
    .ignored_tensors = ignored_tensors,
};
