#include "evaluate/shapes.h"

#include <string.h>

#define COMMON                                                                                               \
    .family = "llama", .norm_eps = 1e-5, .rope_theta = 10000, .rope_kind = ROPE_PLAIN, .rope_factor = 1

/* Rotary frequencies do not matter for speed, and are left plain. */
const struct shape shapes[] = {
    {"135m",
     "SmolLM2 135M",
     "HuggingFaceTB/SmolLM2-135M",
     {COMMON, .n_layers = 30, .dim = 576, .ffn_dim = 1536, .n_heads = 9, .n_kv_heads = 3, .head_dim = 64,
      .vocab_size = 49152, .context = 8192, .tied_head = true}},
    {"360m",
     "SmolLM2 360M",
     "HuggingFaceTB/SmolLM2-360M",
     {COMMON, .n_layers = 32, .dim = 960, .ffn_dim = 2560, .n_heads = 15, .n_kv_heads = 5, .head_dim = 64,
      .vocab_size = 49152, .context = 8192, .tied_head = true}},
    {"0.5b",
     "Qwen2.5 0.5B",
     "Qwen/Qwen2.5-0.5B",
     {COMMON, .n_layers = 24, .dim = 896, .ffn_dim = 4864, .n_heads = 14, .n_kv_heads = 2, .head_dim = 64,
      .vocab_size = 151936, .context = 32768, .tied_head = true, .qkv_bias = true}},
    {"1b",
     "Llama 3.2 1B",
     "meta-llama/Llama-3.2-1B",
     {COMMON, .n_layers = 16, .dim = 2048, .ffn_dim = 8192, .n_heads = 32, .n_kv_heads = 8, .head_dim = 64,
      .vocab_size = 128256, .context = 131072, .tied_head = true}},
    {"1.5b",
     "Qwen2.5 1.5B",
     "Qwen/Qwen2.5-1.5B",
     {COMMON, .n_layers = 28, .dim = 1536, .ffn_dim = 8960, .n_heads = 12, .n_kv_heads = 2, .head_dim = 128,
      .vocab_size = 151936, .context = 131072, .tied_head = true, .qkv_bias = true}},
    {"2b",
     "Gemma 2 2B",
     "google/gemma-2-2b",
     {COMMON, .n_layers = 26, .dim = 2304, .ffn_dim = 9216, .n_heads = 8, .n_kv_heads = 4, .head_dim = 256,
      .vocab_size = 256000, .context = 8192, .tied_head = true, .norm_place = NORM_AROUND,
      .attention_softcap = 50, .window = 4096, .window_layers = {"10"}, .activation = ACT_GELU_TANH,
      .embedding_scale = 48, .logit_softcap = 30}},
    {"3b",
     "Llama 3.2 3B",
     "meta-llama/Llama-3.2-3B",
     {COMMON, .n_layers = 28, .dim = 3072, .ffn_dim = 8192, .n_heads = 24, .n_kv_heads = 8, .head_dim = 128,
      .vocab_size = 128256, .context = 131072, .tied_head = true}},
    {"3.8b",
     "Phi-3 mini",
     "microsoft/Phi-3-mini-4k-instruct",
     {COMMON, .n_layers = 32, .dim = 3072, .ffn_dim = 8192, .n_heads = 32, .n_kv_heads = 32, .head_dim = 96,
      .vocab_size = 32064, .context = 4096, .window = 2047}},
    {"7b-a1b",
     "OLMoE 1B-7B",
     "allenai/OLMoE-1B-7B-0924",
     {COMMON, .n_layers = 16, .dim = 2048, .ffn_dim = 1024, .n_heads = 16, .n_kv_heads = 16, .head_dim = 128,
      .vocab_size = 50304, .context = 4096, .qk_norm = QK_NORM_WHOLE, .n_experts = 64, .n_experts_used = 8,
      .expert_ffn_dim = 1024}},
    {"7b",
     "Llama 2 7B",
     "meta-llama/Llama-2-7b-hf",
     {COMMON, .n_layers = 32, .dim = 4096, .ffn_dim = 11008, .n_heads = 32, .n_kv_heads = 32, .head_dim = 128,
      .vocab_size = 32000, .context = 4096}},
    {"8b",
     "Llama 3.1 8B",
     "meta-llama/Llama-3.1-8B",
     {COMMON, .n_layers = 32, .dim = 4096, .ffn_dim = 14336, .n_heads = 32, .n_kv_heads = 8, .head_dim = 128,
      .vocab_size = 128256, .context = 131072}},
    {"13b",
     "Llama 2 13B",
     "meta-llama/Llama-2-13b-hf",
     {COMMON, .n_layers = 40, .dim = 5120, .ffn_dim = 13824, .n_heads = 40, .n_kv_heads = 40, .head_dim = 128,
      .vocab_size = 32000, .context = 4096}},
    {"30b-a3b",
     "Qwen3 30B-A3B",
     "Qwen/Qwen3-30B-A3B",
     {COMMON, .n_layers = 48, .dim = 2048, .ffn_dim = 6144, .n_heads = 32, .n_kv_heads = 4, .head_dim = 128,
      .vocab_size = 151936, .context = 40960, .qk_norm = QK_NORM_HEAD, .n_experts = 128, .n_experts_used = 8,
      .expert_ffn_dim = 768, .norm_expert_weights = true}},
    {0},
};

const struct shape *shape_find(const char *name, struct error *error) {
    for (const struct shape *shape = shapes; shape->name; shape++)
        if (!strcmp(shape->name, name))
            return shape;
    char known[256] = "";
    for (const struct shape *shape = shapes; shape->name; shape++) {
        strncat(known, known[0] ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, shape->name, sizeof known - strlen(known) - 1);
    }
    fail(error, "--shape %s: known shapes are %s", name, known);
    return NULL;
}
