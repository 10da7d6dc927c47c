/* SmolLM 3: Llama with layers that do not rotate. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    KEY("mlp_bias", mlp_bias, KEY_BOOL),
    KEY("no_rope_layer_interval", rope_layers, KEY_LAYERS_NOT_EVERY, .otherwise = 4),
    KEY("no_rope_layers", rope_layers, KEY_LAYER_FLAGS), /* 1 where they do rotate */
    {0},
};

static const struct family_fixed fixed[] = {
    {"use_sliding_window", "false"},
    {0},
};

const struct family smollm3_family = {
    .name = "smollm3",
    .classes = NAMES("SmolLM3ForCausalLM"),
    .defaults =
        {.n_kv_heads = 4, .context = 32768, .tied_head = true, .norm_eps = 1e-6, .rope_theta = 2000000},
    .keys = KEYS(llama_keys, hidden_act_keys, keys),
    .fixed = fixed,
    .tensors = TENSORS(llama_tensors),
};
