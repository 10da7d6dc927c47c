/* StarCoder 2: layer norms, biases everywhere, a feed-forward without a gate. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("use_bias", attention_bias, KEY_BOOL),
    KEY("use_bias", mlp_bias, KEY_BOOL),
    {0},
};

static const struct family_tensor tensors[ROLES] = {
    [ROLE_FFN_UP] = {.name = "model.layers.{}.mlp.c_fc.weight"},
    [ROLE_FFN_UP_BIAS] = {.name = "model.layers.{}.mlp.c_fc.bias"},
    [ROLE_FFN_DOWN] = {.name = "model.layers.{}.mlp.c_proj.weight"},
    [ROLE_FFN_DOWN_BIAS] = {.name = "model.layers.{}.mlp.c_proj.bias"},
};

const struct family starcoder2_family = {
    .name = "starcoder2",
    .classes = NAMES("Starcoder2ForCausalLM"),
    .defaults = {.n_kv_heads = 2,
                 .context = 4096,
                 .tied_head = true,
                 .norm_eps = 1e-5,
                 .norm_kind = NORM_LAYER,
                 .norm_bias = true,
                 .attention_bias = true,
                 .mlp_bias = true,
                 .rope_theta = 10000,
                 .activation = ACT_GELU_TANH,
                 .plain_ffn = true},
    .keys = KEYS(llama_keys, hidden_act_keys, window_keys, keys),
    .tensors = TENSORS(tensors, llama_tensors, norm_bias_tensors),
};
