/* StableLM: Llama with layer norms, of whose heads a quarter rotates. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("use_qkv_bias", qkv_bias, KEY_BOOL),
    KEY("use_parallel_residual", parallel_residual, KEY_BOOL),
    KEY("use_parallel_residual", shared_norm, KEY_BOOL),
    {0},
};

const struct family stablelm_family = {
    .name = "stablelm",
    .classes = NAMES("StableLmForCausalLM"),
    .defaults = {.n_kv_heads = 32,
                 .context = 4096,
                 .norm_eps = 1e-5,
                 .norm_kind = NORM_LAYER,
                 .norm_bias = true,
                 .rope_theta = 10000},
    .rotary_share = 0.25,
    .keys = KEYS(llama_keys, hidden_act_keys, keys),
    .tensors = TENSORS(llama_tensors, norm_bias_tensors),
    .ignored_tensors = llama_ignored_tensors,
};
