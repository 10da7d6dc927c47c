/* Mistral: Llama with a sliding window in its first version, which later ones switched off (null). */
#include "models/family.h"

const struct family mistral_family = {
    .name = "mistral",
    .classes = NAMES("MistralForCausalLM"),
    .defaults = {.n_kv_heads = 8, .context = 131072, .norm_eps = 1e-6, .window = 4096, .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, window_keys),
    .tensors = TENSORS(llama_tensors),
    .ignored_tensors = llama_ignored_tensors,
};
