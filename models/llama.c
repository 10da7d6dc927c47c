/* Llama 1 to 3, and what was trained in its likeness (SmolLM2, TinyLlama, Yi). As LlamaForCausalLM of
 * transformers reads it: config.json keys that it ignores are ignored here. */
#include "models/family.h"

const struct family_tensor llama_tensors[ROLES] = {
    [ROLE_TOKEN_EMBD] = {.name = "model.embed_tokens.weight"},
    [ROLE_OUTPUT_NORM] = {.name = "model.norm.weight"},
    [ROLE_OUTPUT] = {.name = "lm_head.weight"},
    [ROLE_ATTN_NORM] = {.name = "model.layers.{}.input_layernorm.weight"},
    [ROLE_ATTN_Q] = {.name = "model.layers.{}.self_attn.q_proj.weight"},
    [ROLE_ATTN_K] = {.name = "model.layers.{}.self_attn.k_proj.weight"},
    [ROLE_ATTN_V] = {.name = "model.layers.{}.self_attn.v_proj.weight"},
    [ROLE_ATTN_OUTPUT] = {.name = "model.layers.{}.self_attn.o_proj.weight"},
    [ROLE_FFN_NORM] = {.name = "model.layers.{}.post_attention_layernorm.weight"},
    [ROLE_FFN_GATE] = {.name = "model.layers.{}.mlp.gate_proj.weight"},
    [ROLE_FFN_UP] = {.name = "model.layers.{}.mlp.up_proj.weight"},
    [ROLE_FFN_DOWN] = {.name = "model.layers.{}.mlp.down_proj.weight"},
    [ROLE_ATTN_Q_BIAS] = {.name = "model.layers.{}.self_attn.q_proj.bias"},
    [ROLE_ATTN_K_BIAS] = {.name = "model.layers.{}.self_attn.k_proj.bias"},
    [ROLE_ATTN_V_BIAS] = {.name = "model.layers.{}.self_attn.v_proj.bias"},
    [ROLE_ATTN_OUTPUT_BIAS] = {.name = "model.layers.{}.self_attn.o_proj.bias"},
    [ROLE_FFN_GATE_BIAS] = {.name = "model.layers.{}.mlp.gate_proj.bias"},
    [ROLE_FFN_UP_BIAS] = {.name = "model.layers.{}.mlp.up_proj.bias"},
    [ROLE_FFN_DOWN_BIAS] = {.name = "model.layers.{}.mlp.down_proj.bias"},
};

const struct family_tensor qk_norm_tensors[ROLES] = {
    [ROLE_ATTN_Q_NORM] = {.name = "model.layers.{}.self_attn.q_norm.weight"},
    [ROLE_ATTN_K_NORM] = {.name = "model.layers.{}.self_attn.k_norm.weight"},
};

const struct family_tensor norm_bias_tensors[ROLES] = {
    [ROLE_ATTN_NORM_BIAS] = {.name = "model.layers.{}.input_layernorm.bias"},
    [ROLE_FFN_NORM_BIAS] = {.name = "model.layers.{}.post_attention_layernorm.bias"},
    [ROLE_OUTPUT_NORM_BIAS] = {.name = "model.norm.bias"},
};

const struct family_tensor expert_tensors[ROLES] = {
    [ROLE_ROUTER] = {.name = "model.layers.{}.mlp.gate.weight"},
    [ROLE_EXPERT_GATE] = {.name = "model.layers.{}.mlp.experts.{}.gate_proj.weight"},
    [ROLE_EXPERT_UP] = {.name = "model.layers.{}.mlp.experts.{}.up_proj.weight"},
    [ROLE_EXPERT_DOWN] = {.name = "model.layers.{}.mlp.experts.{}.down_proj.weight"},
};

const char *const llama_ignored_tensors[] = {
    "model.layers.{}.self_attn.rotary_emb.inv_freq", /* written by transformers before 4.32 */
    "model.rotary_emb.inv_freq",
    NULL,
};

const struct family_key llama_keys[] = {
    KEY("num_hidden_layers", n_layers, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("hidden_size", dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("intermediate_size", ffn_dim, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("num_attention_heads", n_heads, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("num_key_value_heads", n_kv_heads, KEY_UINT, .presence = KEY_NULLABLE),
    KEY("head_dim", head_dim, KEY_UINT, .presence = KEY_NULLABLE),
    KEY("vocab_size", vocab_size, KEY_UINT, .presence = KEY_REQUIRED),
    KEY("max_position_embeddings", context, KEY_UINT),
    KEY("rms_norm_eps|layer_norm_eps|norm_epsilon", norm_eps, KEY_REAL),
    KEY("tie_word_embeddings", tied_head, KEY_BOOL),
    {0},
};

const struct family_key hidden_act_keys[] = {
    KEY("hidden_act", activation, KEY_ACTIVATION),
    {0},
};

const struct family_key window_keys[] = {
    KEY("sliding_window", window, KEY_UINT, .presence = KEY_NULLABLE),
    {0},
};

const struct family_key use_window_keys[] = {
    KEY("sliding_window", window, KEY_UINT, .presence = KEY_NULLABLE),
    KEY("use_sliding_window", window, KEY_SWITCH),
    {0},
};

static const struct family_key keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    KEY("mlp_bias", mlp_bias, KEY_BOOL),
    {0},
};

static const struct family_fixed fixed[] = {
    {"pretraining_tp", "1"},
    {0},
};

const struct family llama_family = {
    .name = "llama",
    .classes = NAMES("LlamaForCausalLM"),
    .defaults = {.context = 2048, .norm_eps = 1e-6, .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, keys),
    .fixed = fixed,
    .tensors = TENSORS(llama_tensors),
    .ignored_tensors = llama_ignored_tensors,
};
