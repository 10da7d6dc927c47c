/* Granite 3: Llama with four multipliers. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    KEY("mlp_bias", mlp_bias, KEY_BOOL),
    KEY("attention_multiplier", attention_scale, KEY_SCALE),
    KEY("embedding_multiplier", embedding_scale, KEY_SCALE),
    KEY("residual_multiplier", residual_scale, KEY_SCALE),
    KEY("logits_scaling", logit_scale, KEY_INVERSE),
    {0},
};

const struct family granite_family = {
    .name = "granite",
    .classes = NAMES("GraniteForCausalLM"),
    .defaults = {.context = 2048, .norm_eps = 1e-6, .attention_scale = 1, .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, keys),
    .tensors = TENSORS(llama_tensors),
};
