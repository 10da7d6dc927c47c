/* Qwen 2, 2.5 and 3, dense and with experts: Llama with biases of queries, keys and values (2), or norms of
 * queries and keys (3). */
#include "models/family.h"

static const struct family_key upper_window_keys[] = {
    KEY("max_window_layers", window_layers, KEY_LAYERS_FROM, .otherwise = 28),
    KEY("layer_types", window_layers, KEY_LAYER_TYPES),
    {0},
};

static const struct family_key lower_window_keys[] = {
    KEY("max_window_layers", window_layers, KEY_LAYERS_BELOW, .otherwise = 28),
    KEY("layer_types", window_layers, KEY_LAYER_TYPES),
    {0},
};

static const struct family_key expert_keys[] = {
    KEY("num_experts|num_local_experts", n_experts, KEY_UINT),
    KEY("num_experts_per_tok", n_experts_used, KEY_UINT),
    KEY("moe_intermediate_size", expert_ffn_dim, KEY_UINT),
    KEY("norm_topk_prob", norm_expert_weights, KEY_BOOL),
    KEY("decoder_sparse_step", expert_layers, KEY_LAYERS_EVERY),
    KEY("mlp_only_layers", expert_layers, KEY_LAYERS_WITHOUT),
    {0},
};

static const struct family_key qwen2_moe_keys[] = {
    KEY("qkv_bias", qkv_bias, KEY_BOOL),
    KEY("shared_expert_intermediate_size", shared_ffn_dim, KEY_UINT),
    {0},
};

static const struct family_key qwen3_keys[] = {
    KEY("attention_bias", attention_bias, KEY_BOOL),
    {0},
};

static const struct family_tensor shared_expert_tensors[ROLES] = {
    [ROLE_SHARED_ROUTER] = {.name = "model.layers.{}.mlp.shared_expert_gate.weight", .one_row = true},
    [ROLE_SHARED_GATE] = {.name = "model.layers.{}.mlp.shared_expert.gate_proj.weight"},
    [ROLE_SHARED_UP] = {.name = "model.layers.{}.mlp.shared_expert.up_proj.weight"},
    [ROLE_SHARED_DOWN] = {.name = "model.layers.{}.mlp.shared_expert.down_proj.weight"},
};

const struct family qwen2_family = {
    .name = "qwen2",
    .classes = NAMES("Qwen2ForCausalLM"),
    .defaults = {.n_kv_heads = 32,
                 .context = 32768,
                 .norm_eps = 1e-6,
                 .qkv_bias = true,
                 .window = 4096,
                 .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, use_window_keys, upper_window_keys),
    .tensors = TENSORS(llama_tensors),
    .ignored_tensors = llama_ignored_tensors,
};

const struct family qwen3_family = {
    .name = "qwen3",
    .classes = NAMES("Qwen3ForCausalLM"),
    .defaults = {.n_kv_heads = 32,
                 .head_dim = 128,
                 .context = 32768,
                 .norm_eps = 1e-6,
                 .qk_norm = QK_NORM_HEAD,
                 .window = 4096,
                 .rope_theta = 10000},
    .keys = KEYS(llama_keys, hidden_act_keys, use_window_keys, upper_window_keys, qwen3_keys),
    .tensors = TENSORS(llama_tensors, qk_norm_tensors),
};

const struct family qwen2_moe_family = {
    .name = "qwen2moe",
    .classes = NAMES("Qwen2MoeForCausalLM"),
    .defaults = {.n_kv_heads = 16,
                 .context = 32768,
                 .norm_eps = 1e-6,
                 .qkv_bias = true,
                 .window = 4096,
                 .window_layers = {"10"},
                 .rope_theta = 10000,
                 .n_experts = 60,
                 .n_experts_used = 4,
                 .expert_ffn_dim = 1408,
                 .shared_ffn_dim = 5632},
    .keys =
        KEYS(llama_keys, hidden_act_keys, use_window_keys, lower_window_keys, expert_keys, qwen2_moe_keys),
    .tensors = TENSORS(llama_tensors, expert_tensors, shared_expert_tensors),
};

const struct family qwen3_moe_family = {
    .name = "qwen3moe",
    .classes = NAMES("Qwen3MoeForCausalLM"),
    .defaults = {.n_kv_heads = 4,
                 .context = 32768,
                 .norm_eps = 1e-6,
                 .qk_norm = QK_NORM_HEAD,
                 .window = 4096,
                 .rope_theta = 10000,
                 .n_experts = 128,
                 .n_experts_used = 8,
                 .expert_ffn_dim = 768},
    .keys = KEYS(llama_keys, hidden_act_keys, use_window_keys, expert_keys, qwen3_keys),
    .tensors = TENSORS(llama_tensors, qk_norm_tensors, expert_tensors),
};
