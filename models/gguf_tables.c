#include "models/gguf_tables.h"

#include <math.h>
#include <string.h>

#define FIELD(name) offsetof(struct model_config, name)
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Architectures ---- */

#define BIASES "attention_bias qkv_bias mlp_bias "
#define EXPERTS "n_experts n_experts_used expert_ffn_dim "
#define LLAMA_ROPES (1u << ROPE_LLAMA3 | 1u << ROPE_LONG)

const struct gguf_architecture gguf_architectures[] = {
    {.name = "llama",
     .with_experts = "mixtral",
     .paired = true,
     .traits = {.norm_expert_weights = true},
     .told = BIASES EXPERTS,
     .ropes = LLAMA_ROPES,
     .families = "mistral mixtral "},
    {.name = "granite",
     .paired = true,
     .divides_logits = true,
     .told = BIASES "attention_scale embedding_scale residual_scale logit_scale ",
     .ropes = LLAMA_ROPES},
    {.name = "smollm3", .paired = true, .traits = {.rope_layers = {"1110"}}, .told = "qkv_bias "},
    {.name = "qwen2", .told = "qkv_bias ", .whole_heads = true},
    {.name = "qwen3", .told = "qkv_bias "},
    {.name = "qwen2moe",
     .told = "qkv_bias " EXPERTS "shared_ffn_dim ",
     .whole_heads = true,
     .own_head = true},
    {.name = "qwen3moe", .traits = {.norm_expert_weights = true}, .told = "qkv_bias " EXPERTS},
    {.name = "olmo2",
     .with_window = "olmo3",
     .window_period = 4,
     .told = "qkv_bias window window_layers rope_local_theta ",
     .whole_heads = true,
     .own_head = true,
     .families = "olmo3 "},
    {.name = "olmoe", .told = "qkv_bias " EXPERTS, .whole_heads = true, .own_head = true},
    {.name = "phi3",
     .told = "qkv_bias rope_dim ",
     .ropes = 1u << ROPE_LONG,
     .fuses_gate_up = true,
     .whole_heads = true},
    {.name = "gemma", .scales_by_width = true, .traits = {.activation = ACT_GELU_TANH}, .told = ""},
    {.name = "gemma2",
     .scales_by_width = true,
     .wide_layers = 46, /* 27B */
     .window_period = 2,
     .traits = {.activation = ACT_GELU_TANH, .window = 4096},
     .told = "window window_layers attention_softcap logit_softcap "},
    {.name = "gemma3",
     .scales_by_width = true,
     .wide_layers = 62, /* 27B */
     .window_period = 6,
     .traits = {.activation = ACT_GELU_TANH, .rope_theta = 1e6, .rope_local_theta = 1e4},
     .told = "window window_layers rope_local_theta logit_softcap "},
    {.name = "stablelm",
     .told = "qkv_bias rope_dim parallel_residual shared_norm ",
     .whole_heads = true,
     .own_head = true},
    {.name = "starcoder2", .traits = {.activation = ACT_GELU_TANH}, .told = "", .whole_heads = true},
    {.name = "gpt2",
     .traits = {.activation = ACT_GELU_TANH, .rope_layers = {"0"}},
     .told = "",
     .fuses_qkv = true,
     .whole_heads = true},
    {.name = "gptneox",
     .traits = {.activation = ACT_GELU},
     .told = "rope_dim parallel_residual ",
     .fuses_qkv = true,
     .whole_heads = true,
     .own_head = true},
    {.name = "falcon",
     .traits = {.activation = ACT_GELU, .parallel_residual = true},
     .told = "shared_norm ",
     .fuses_qkv = true,
     .whole_heads = true},
    {0},
};

/* ---- Keys ---- */

const struct gguf_key gguf_keys[] = {
    {"block_count", FIELD(n_layers), KEY_UINT, true, WRITTEN},
    {"embedding_length", FIELD(dim), KEY_UINT, true, WRITTEN},
    {"feed_forward_length", FIELD(ffn_dim), KEY_UINT, true, WRITTEN},
    {"attention.head_count", FIELD(n_heads), KEY_UINT, true, WRITTEN},
    {"attention.head_count_kv", FIELD(n_kv_heads), KEY_UINT, false, WRITTEN},
    {"attention.key_length", FIELD(head_dim), KEY_UINT, false, WRITTEN},
    {"attention.value_length", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {"context_length", FIELD(context), KEY_UINT, true, WRITTEN},
    {"attention.layer_norm_rms_epsilon", FIELD(norm_eps), KEY_REAL, false, WRITTEN_RMS},
    {"attention.layer_norm_epsilon", FIELD(norm_eps), KEY_REAL, false, WRITTEN_LAYER},
    {"attention.scale", FIELD(attention_scale), KEY_REAL, false, WRITTEN},
    {"attention.sliding_window", FIELD(window), KEY_UINT, false, WRITTEN},
    {"attention.sliding_window_pattern", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {"attention.causal", GGUF_NO_FIELD, KEY_BOOL, false, WRITTEN},
    {"attn_logit_softcapping", FIELD(attention_softcap), KEY_REAL, false, WRITTEN},
    {"final_logit_softcapping", FIELD(logit_softcap), KEY_REAL, false, WRITTEN},
    {"embedding_scale", FIELD(embedding_scale), KEY_REAL, false, WRITTEN},
    {"residual_scale", FIELD(residual_scale), KEY_REAL, false, WRITTEN},
    {"logit_scale", FIELD(logit_scale), KEY_REAL, false, WRITTEN},
    {"rope.freq_base", FIELD(rope_theta), KEY_REAL, false, WRITTEN},
    {"rope.freq_base_swa", FIELD(rope_local_theta), KEY_REAL, false, WRITTEN},
    {"rope.dimension_count", FIELD(rope_dim), KEY_UINT, false, WRITTEN},
    {"rope.scaling.type", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {"rope.scaling.factor", FIELD(rope_factor), KEY_REAL, false, WRITTEN},
    {"rope.scale_linear", FIELD(rope_factor), KEY_REAL, false, NOT_WRITTEN},
    {"rope.scaling.original_context_length", FIELD(rope_original_context), KEY_UINT, false, WRITTEN},
    {"rope.scaling.attn_factor", FIELD(rope_attention_factor), KEY_REAL, false, WRITTEN},
    {"rope.scaling.finetuned", GGUF_NO_FIELD, KEY_BOOL, false, WRITTEN},
    {"rope.scaling.yarn_attn_factor", FIELD(rope_attention_factor), KEY_REAL, false, NOT_WRITTEN},
    {"rope.scaling.yarn_beta_fast", FIELD(rope_beta_fast), KEY_REAL, false, WRITTEN},
    {"rope.scaling.yarn_beta_slow", FIELD(rope_beta_slow), KEY_REAL, false, WRITTEN},
    {"expert_count", FIELD(n_experts), KEY_UINT, false, WRITTEN},
    {"expert_used_count", FIELD(n_experts_used), KEY_UINT, false, WRITTEN},
    {"expert_feed_forward_length", FIELD(expert_ffn_dim), KEY_UINT, false, WRITTEN},
    {"expert_shared_feed_forward_length", FIELD(shared_ffn_dim), KEY_UINT, false, WRITTEN},
    {"expert_weights_norm", FIELD(norm_expert_weights), KEY_BOOL, false, WRITTEN},
    {"expert_gating_func", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {"use_parallel_residual", GGUF_NO_FIELD, KEY_BOOL, false, WRITTEN},
    {"tensor_data_layout", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {"vocab_size", GGUF_NO_FIELD, KEY_UINT, false, WRITTEN},
    {0},
};

/* ---- Tensors ---- */

/* Roles that a tensor of another name holds, alone or behind others. */
static const struct elsewhere {
    enum role role;
    enum part { ALL, Q, K, V, GATE, UP } part;
    enum gguf_layout layout;
    const char *name;
} elsewhere[] = {
    {ROLE_ATTN_Q, Q, GGUF_QKV, "blk.{}.attn_qkv.weight"},
    {ROLE_ATTN_K, K, GGUF_QKV, "blk.{}.attn_qkv.weight"},
    {ROLE_ATTN_V, V, GGUF_QKV, "blk.{}.attn_qkv.weight"},
    {ROLE_ATTN_Q_BIAS, Q, GGUF_QKV_BIAS, "blk.{}.attn_qkv.bias"},
    {ROLE_ATTN_K_BIAS, K, GGUF_QKV_BIAS, "blk.{}.attn_qkv.bias"},
    {ROLE_ATTN_V_BIAS, V, GGUF_QKV_BIAS, "blk.{}.attn_qkv.bias"},
    {ROLE_FFN_GATE, GATE, GGUF_GATE_UP, "blk.{}.ffn_up.weight"},
    {ROLE_FFN_UP, UP, GGUF_GATE_UP, "blk.{}.ffn_up.weight"},
    {ROLE_ATTN_NORM, ALL, GGUF_NORMS_TURNED, "blk.{}.attn_norm_2.weight"},
    {ROLE_ATTN_NORM_BIAS, ALL, GGUF_NORMS_TURNED, "blk.{}.attn_norm_2.bias"},
    {ROLE_FFN_NORM, ALL, GGUF_NORMS_TURNED, "blk.{}.attn_norm.weight"},
    {ROLE_FFN_NORM_BIAS, ALL, GGUF_NORMS_TURNED, "blk.{}.attn_norm.bias"},
};

static uint64_t rows_before(const struct model_config *c, const struct role_tensor *role, enum part part) {
    const uint64_t q = c->n_heads * c->head_dim, k = c->n_kv_heads * c->head_dim;
    return (uint64_t[]){[ALL] = 0, [Q] = 0, [K] = q, [V] = q + k, [GATE] = 0, [UP] = role->dims[0]}[part];
}

static uint64_t rows_of_all(const struct model_config *c, const struct role_tensor *role, enum part part) {
    if (part == ALL)
        return role->dims[0];
    return part < GATE ? (c->n_heads + 2 * c->n_kv_heads) * c->head_dim : 2 * role->dims[0];
}

struct gguf_place gguf_place_of(const struct model_config *config, const struct role_tensor *role,
                                gguf_has_layout *has, const void *context) {
    struct gguf_place place = {.n_rows = role->dims[0]};
    memcpy(place.name, role->name, sizeof place.name);
    for (size_t i = 0; i < COUNT(elsewhere); i++) {
        const struct elsewhere *e = &elsewhere[i];
        if (e->role != role->role || !has(context, e->layout, role->layer))
            continue;
        layer_name(place.name, sizeof place.name, e->name, role->layer);
        place.first_row = rows_before(config, role, e->part);
        place.n_rows = rows_of_all(config, role, e->part);
    }
    return place;
}

/* ---- Rotary positions ---- */

/* What Llama 3.1 divides frequency i by (transformers' modeling_rope_utils, _compute_llama3_parameters). */
double gguf_llama3_factor(const struct model_config *c, uint64_t i, uint64_t count) {
    double wavelength = 2 * 3.14159265358979323846 * pow(c->rope_theta, (double)i / (double)count);
    double original = (double)c->rope_original_context;
    double low = original / c->rope_low_freq_factor, high = original / c->rope_high_freq_factor;
    if (wavelength < high)
        return 1;
    if (wavelength > low)
        return c->rope_factor;
    double smooth = (original / wavelength - c->rope_low_freq_factor) /
                    (c->rope_high_freq_factor - c->rope_low_freq_factor);
    return 1 / ((1 - smooth) / c->rope_factor + smooth);
}
