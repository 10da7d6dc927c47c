/* OLMo 2 and 3, and OLMoE. 2 and 3 norm what attention and feed-forward add, not what they take; 3 has a
 * window in three layers of four. OLMoE is Llama with experts. All norm queries and keys whole. */
#include "models/family.h"

static const struct family_key keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    {0},
};

static const struct family_key layer_types_keys[] = {
    KEY("layer_types", window_layers, KEY_LAYER_TYPES),
    {0},
};

static const struct family_key expert_keys[] = {
    KEY("num_experts|num_local_experts", n_experts, KEY_UINT),
    KEY("num_experts_per_tok", n_experts_used, KEY_UINT),
    KEY("intermediate_size", expert_ffn_dim, KEY_UINT),
    KEY("norm_topk_prob", norm_expert_weights, KEY_BOOL),
    {0},
};

static const struct family_tensor norms_behind[ROLES] = {
    [ROLE_ATTN_POST_NORM] = {.name = "model.layers.{}.post_attention_layernorm.weight"},
    [ROLE_FFN_POST_NORM] = {.name = "model.layers.{}.post_feedforward_layernorm.weight"},
};

const struct family olmo2_family = {
    .name = "olmo2",
    .classes = NAMES("Olmo2ForCausalLM"),
    .defaults = {.context = 2048,
                 .norm_eps = 1e-5,
                 .norm_place = NORM_BEHIND,
                 .qk_norm = QK_NORM_WHOLE,
                 .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, keys),
    .tensors = TENSORS(norms_behind, qk_norm_tensors, llama_tensors),
};

const struct family olmo3_family = {
    .name = "olmo3",
    .classes = NAMES("Olmo3ForCausalLM"),
    .defaults = {.context = 2048,
                 .norm_eps = 1e-5,
                 .norm_place = NORM_BEHIND,
                 .qk_norm = QK_NORM_WHOLE,
                 .window = 4096,
                 .window_layers = {"1110"},
                 .rope_theta = 500000,
                 .rope_local_theta = 500000},
    .keys = KEYS(llama_keys, hidden_act_keys, keys, window_keys, layer_types_keys),
    .tensors = TENSORS(norms_behind, qk_norm_tensors, llama_tensors),
};

const struct family olmoe_family = {
    .name = "olmoe",
    .classes = NAMES("OlmoeForCausalLM"),
    .defaults = {.context = 4096,
                 .norm_eps = 1e-5,
                 .qk_norm = QK_NORM_WHOLE,
                 .rope_theta = 10000,
                 .n_experts = 64,
                 .n_experts_used = 8},
    .keys = KEYS(llama_keys, hidden_act_keys, keys, expert_keys),
    .tensors = TENSORS(llama_tensors, qk_norm_tensors, expert_tensors),
};
