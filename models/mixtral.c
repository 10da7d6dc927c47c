/* Mixtral: Mistral with experts. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("num_local_experts|num_experts", n_experts, KEY_UINT),
    KEY("num_experts_per_tok", n_experts_used, KEY_UINT),
    KEY("intermediate_size", expert_ffn_dim, KEY_UINT),
    {0},
};

static const struct family_tensor tensors[ROLES] = {
    [ROLE_ROUTER] = {.name = "model.layers.{}.block_sparse_moe.gate.weight"},
    [ROLE_EXPERT_GATE] = {.name = "model.layers.{}.block_sparse_moe.experts.{}.w1.weight"},
    [ROLE_EXPERT_UP] = {.name = "model.layers.{}.block_sparse_moe.experts.{}.w3.weight"},
    [ROLE_EXPERT_DOWN] = {.name = "model.layers.{}.block_sparse_moe.experts.{}.w2.weight"},
};

const struct family mixtral_family = {
    .name = "mixtral",
    .classes = NAMES("MixtralForCausalLM"),
    .defaults = {.n_kv_heads = 8,
                 .context = 131072,
                 .norm_eps = 1e-5,
                 .rope_theta = 1000000,
                 .n_experts = 8,
                 .n_experts_used = 2,
                 .norm_expert_weights = true},
    .keys = KEYS(llama_keys, hidden_act_keys, window_keys, keys),
    .tensors = TENSORS(llama_tensors, tensors),
};
