/* Llama 1 to 3, and what was trained in its likeness (SmolLM2, TinyLlama, Yi). As LlamaForCausalLM of
 * transformers reads it: config.json keys that it ignores are ignored here. */
#include "models/family.h"

const char *const llama_tensors[ROLES] = {
    [ROLE_TOKEN_EMBD] = "model.embed_tokens.weight",
    [ROLE_OUTPUT_NORM] = "model.norm.weight",
    [ROLE_OUTPUT] = "lm_head.weight",
    [ROLE_ATTN_NORM] = "model.layers.{}.input_layernorm.weight",
    [ROLE_ATTN_Q] = "model.layers.{}.self_attn.q_proj.weight",
    [ROLE_ATTN_K] = "model.layers.{}.self_attn.k_proj.weight",
    [ROLE_ATTN_V] = "model.layers.{}.self_attn.v_proj.weight",
    [ROLE_ATTN_OUTPUT] = "model.layers.{}.self_attn.o_proj.weight",
    [ROLE_FFN_NORM] = "model.layers.{}.post_attention_layernorm.weight",
    [ROLE_FFN_GATE] = "model.layers.{}.mlp.gate_proj.weight",
    [ROLE_FFN_UP] = "model.layers.{}.mlp.up_proj.weight",
    [ROLE_FFN_DOWN] = "model.layers.{}.mlp.down_proj.weight",
    [ROLE_ATTN_Q_BIAS] = "model.layers.{}.self_attn.q_proj.bias",
    [ROLE_ATTN_K_BIAS] = "model.layers.{}.self_attn.k_proj.bias",
    [ROLE_ATTN_V_BIAS] = "model.layers.{}.self_attn.v_proj.bias",
    [ROLE_ATTN_OUTPUT_BIAS] = "model.layers.{}.self_attn.o_proj.bias",
    [ROLE_FFN_GATE_BIAS] = "model.layers.{}.mlp.gate_proj.bias",
    [ROLE_FFN_UP_BIAS] = "model.layers.{}.mlp.up_proj.bias",
    [ROLE_FFN_DOWN_BIAS] = "model.layers.{}.mlp.down_proj.bias",
};

const char *const llama_ignored_tensors[] = {
    "model.layers.{}.self_attn.rotary_emb.inv_freq", /* written by transformers before 4.32 */
    "model.rotary_emb.inv_freq",
    NULL,
};

#define FIELD(name) offsetof(struct model_config, name)

static const struct family_key keys[] = {
    {"num_hidden_layers", FIELD(n_layers), KEY_UINT, KEY_REQUIRED},
    {"hidden_size", FIELD(dim), KEY_UINT, KEY_REQUIRED},
    {"intermediate_size", FIELD(ffn_dim), KEY_UINT, KEY_REQUIRED},
    {"num_attention_heads", FIELD(n_heads), KEY_UINT, KEY_REQUIRED},
    {"num_key_value_heads", FIELD(n_kv_heads), KEY_UINT, KEY_OPTIONAL},
    {"head_dim", FIELD(head_dim), KEY_UINT, KEY_OPTIONAL},
    {"vocab_size", FIELD(vocab_size), KEY_UINT, KEY_REQUIRED},
    {"max_position_embeddings", FIELD(context), KEY_UINT, KEY_OPTIONAL},
    {"rms_norm_eps", FIELD(norm_eps), KEY_REAL, KEY_OPTIONAL},
    {"tie_word_embeddings", FIELD(tied_head), KEY_BOOL, KEY_OPTIONAL},
    {"attention_bias", FIELD(attention_bias), KEY_BOOL, KEY_OPTIONAL},
    {"mlp_bias", FIELD(mlp_bias), KEY_BOOL, KEY_OPTIONAL},
    {0},
};

static const struct family_fixed fixed[] = {
    {"hidden_act", "\"silu\""},
    {"pretraining_tp", "1"},
    {0},
};

const struct family llama_family = {
    .name = "llama",
    .classes = (const char *const[]){"LlamaForCausalLM", NULL},
    .defaults = {.context = 2048, .norm_eps = 1e-6, .rope_theta = 10000},
    .keys = keys,
    .fixed = fixed,
    .tensors = llama_tensors,
    .ignored_tensors = llama_ignored_tensors,
};
