/* Mistral: Llama with a sliding window in its first version, which later ones switched off (null). */
#include "models/family.h"

#define FIELD(name) offsetof(struct model_config, name)

static const struct family_key keys[] = {
    {"num_hidden_layers", FIELD(n_layers), KEY_UINT, KEY_REQUIRED},
    {"hidden_size", FIELD(dim), KEY_UINT, KEY_REQUIRED},
    {"intermediate_size", FIELD(ffn_dim), KEY_UINT, KEY_REQUIRED},
    {"num_attention_heads", FIELD(n_heads), KEY_UINT, KEY_REQUIRED},
    {"num_key_value_heads", FIELD(n_kv_heads), KEY_UINT, KEY_OPTIONAL},
    {"head_dim", FIELD(head_dim), KEY_UINT, KEY_OPTIONAL},
    {"vocab_size", FIELD(vocab_size), KEY_UINT, KEY_REQUIRED},
    {"max_position_embeddings", FIELD(context), KEY_UINT, KEY_OPTIONAL},
    {"rms_norm_eps", FIELD(norm_eps), KEY_REAL, KEY_OPTIONAL},
    {"tie_word_embeddings", FIELD(tied_head), KEY_BOOL, KEY_OPTIONAL},
    {0},
};

static const struct family_fixed fixed[] = {
    {"hidden_act", "\"silu\""},
    {0},
};

const struct family mistral_family = {
    .name = "mistral",
    .classes = (const char *const[]){"MistralForCausalLM", NULL},
    .defaults = {.n_kv_heads = 8, .context = 131072, .norm_eps = 1e-6, .rope_theta = 10000},
    .keys = keys,
    .fixed = fixed,
    .window = {"sliding_window", 4096},
    .tensors = llama_tensors,
    .ignored_tensors = llama_ignored_tensors,
};
