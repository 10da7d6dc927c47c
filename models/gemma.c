/* Gemma 1 to 3, their text models: embeddings scaled by the root of the width, norm weights stored less 1,
 * GELU. 2 has norms on both sides, caps of scores and logits, and a window in every second layer; 3 has norms
 * of queries and keys in place of the caps, and layers with a window rotate by a theta of their own. */
#include "models/family.h"

static const struct family_key gemma_keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    {0},
};

/* "gelu" is what the first releases say; it means the same. */
static const struct family_fixed gemma_fixed[] = {
    {"hidden_act", "\"gelu_pytorch_tanh\"|\"gelu\""},
    {"use_bidirectional_attention", "false"},
    {0},
};

static const struct family_key gemma2_keys[] = {
    KEY("hidden_activation", activation, KEY_ACTIVATION),
    KEY("query_pre_attn_scalar", attention_scale, KEY_INVERSE_ROOT),
    KEY("attn_logit_softcapping", attention_softcap, KEY_REAL, .presence = KEY_NULLABLE),
    KEY("final_logit_softcapping", logit_softcap, KEY_REAL, .presence = KEY_NULLABLE),
    {0},
};

static const struct family_key gemma2_window_keys[] = {
    KEY("layer_types", window_layers, KEY_LAYER_TYPES),
    {0},
};

static const struct family_key gemma3_window_keys[] = {
    KEY("sliding_window_pattern|_sliding_window_pattern", window_layers, KEY_LAYERS_NOT_EVERY,
        .otherwise = 6),
    KEY("layer_types", window_layers, KEY_LAYER_TYPES),
    {0},
};

static const struct family_fixed gemma2_fixed[] = {
    {"use_bidirectional_attention", "false"},
    {0},
};

static const struct family_tensor gemma_tensors[ROLES] = {
    [ROLE_ATTN_NORM] = {.name = "model.layers.{}.input_layernorm.weight", .add_one = true},
    [ROLE_FFN_NORM] = {.name = "model.layers.{}.post_attention_layernorm.weight", .add_one = true},
    [ROLE_OUTPUT_NORM] = {.name = "model.norm.weight", .add_one = true},
};

static const struct family_tensor gemma2_tensors[ROLES] = {
    [ROLE_ATTN_NORM] = {.name = "model.layers.{}.input_layernorm.weight", .add_one = true},
    [ROLE_ATTN_POST_NORM] = {.name = "model.layers.{}.post_attention_layernorm.weight", .add_one = true},
    [ROLE_FFN_NORM] = {.name = "model.layers.{}.pre_feedforward_layernorm.weight", .add_one = true},
    [ROLE_FFN_POST_NORM] = {.name = "model.layers.{}.post_feedforward_layernorm.weight", .add_one = true},
    [ROLE_OUTPUT_NORM] = {.name = "model.norm.weight", .add_one = true},
};

static const struct family_tensor gemma3_tensors[ROLES] = {
    [ROLE_ATTN_Q_NORM] = {.name = "model.layers.{}.self_attn.q_norm.weight", .add_one = true},
    [ROLE_ATTN_K_NORM] = {.name = "model.layers.{}.self_attn.k_norm.weight", .add_one = true},
};

const struct family gemma_family = {
    .name = "gemma",
    .classes = NAMES("GemmaForCausalLM"),
    .defaults = {.n_kv_heads = 16,
                 .head_dim = 256,
                 .context = 8192,
                 .tied_head = true,
                 .norm_eps = 1e-6,
                 .rope_theta = 10000,
                 .activation = ACT_GELU_TANH},
    .embedding_by_root = true,
    .keys = KEYS(llama_keys, gemma_keys),
    .fixed = gemma_fixed,
    .tensors = TENSORS(gemma_tensors, llama_tensors),
    .ignored_tensors = llama_ignored_tensors,
};

const struct family gemma2_family = {
    .name = "gemma2",
    .classes = NAMES("Gemma2ForCausalLM"),
    .defaults = {.n_kv_heads = 4,
                 .head_dim = 256,
                 .context = 8192,
                 .tied_head = true,
                 .norm_eps = 1e-6,
                 .norm_place = NORM_AROUND,
                 .attention_scale = 1. / 16,
                 .attention_softcap = 50,
                 .window = 4096,
                 .window_layers = {"10"},
                 .rope_theta = 10000,
                 .activation = ACT_GELU_TANH,
                 .logit_softcap = 30},
    .embedding_by_root = true,
    .keys = KEYS(llama_keys, gemma_keys, gemma2_keys, window_keys, gemma2_window_keys),
    .fixed = gemma2_fixed,
    .tensors = TENSORS(gemma2_tensors, llama_tensors),
};

const struct family gemma3_family = {
    .name = "gemma3",
    .classes = NAMES("Gemma3ForCausalLM"),
    .defaults = {.n_kv_heads = 4,
                 .head_dim = 256,
                 .context = 131072,
                 .tied_head = true,
                 .norm_eps = 1e-6,
                 .norm_place = NORM_AROUND,
                 .qk_norm = QK_NORM_HEAD,
                 .attention_scale = 1. / 16,
                 .window = 4096,
                 .rope_theta = 1000000,
                 .rope_local_theta = 10000,
                 .activation = ACT_GELU_TANH},
    .embedding_by_root = true,
    .keys = KEYS(llama_keys, gemma_keys, gemma2_keys, window_keys, gemma3_window_keys),
    .fixed = gemma2_fixed,
    .tensors = TENSORS(gemma3_tensors, gemma2_tensors, llama_tensors),
};
