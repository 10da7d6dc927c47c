/* Phi 3, 3.5 and 4 (mini): Llama with queries, keys and values in one tensor, gate and up in another, and
 * longrope. */
#include "models/family.h"

static const struct family_tensor tensors[ROLES] = {
    [ROLE_ATTN_Q] = {.name = "model.layers.{}.self_attn.qkv_proj.weight"},
    [ROLE_ATTN_K] = {.name = "model.layers.{}.self_attn.qkv_proj.weight"},
    [ROLE_ATTN_V] = {.name = "model.layers.{}.self_attn.qkv_proj.weight"},
    [ROLE_FFN_GATE] = {.name = "model.layers.{}.mlp.gate_up_proj.weight"},
    [ROLE_FFN_UP] = {.name = "model.layers.{}.mlp.gate_up_proj.weight"},
};

const struct family phi3_family = {
    .name = "phi3",
    .classes = NAMES("Phi3ForCausalLM"),
    .defaults = {.context = 4096, .norm_eps = 1e-5, .rope_theta = 10000, .rope_original_context = 4096},
    .rotary_share = 1,
    .keys = KEYS(llama_keys, hidden_act_keys, window_keys),
    .tensors = TENSORS(tensors, llama_tensors),
    .ignored_tensors = llama_ignored_tensors,
};
