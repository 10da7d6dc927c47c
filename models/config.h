/* What a decoder-only transformer is, as numbers: the one description that forward() reads.
 *
 * A .qm file stores it as metadata under "model.*" keys; a checkpoint's config.json is translated to it by
 * its family. */
#ifndef MODELS_CONFIG_H
#define MODELS_CONFIG_H

#include "format/metadata.h"

/* Positions rotate pairs of values (Su et al. 2021), linear: by position / factor (Chen et al. 2023), llama3:
 * low frequencies alone slowed by factor, with a smooth passage between (Llama 3.1). */
enum rope_kind { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3 };

struct model_config {
    const char *family; /* "llama" */
    uint64_t n_layers;
    uint64_t dim; /* width of the residual stream */
    uint64_t ffn_dim;
    uint64_t n_heads, n_kv_heads, head_dim;
    uint64_t vocab_size;
    uint64_t context; /* longest sequence that the model was made for */
    double norm_eps; /* of its RMS norms */
    double rope_theta;
    uint64_t rope_kind; /* enum rope_kind */
    double rope_factor; /* linear, llama3; else 1 */
    double rope_low_freq_factor, rope_high_freq_factor; /* llama3; else 0 */
    uint64_t rope_original_context; /* llama3; else 0 */
    bool tied_head; /* the head is the embedding */
    bool attention_bias, mlp_bias; /* q, k, v, output; gate, up, down */
};

/* Limits that keep every size below computable; a configuration outside them is refused by name and number.
 */
#define CONFIG_MAX_LAYERS 1024
#define CONFIG_MAX_DIM (1u << 18)
#define CONFIG_MAX_VOCAB (1u << 22)
#define CONFIG_MAX_CONTEXT (1u << 27)

/* Both directions by one table. From metadata: every key required, unknown "model.*" keys refused; checked.
 */
bool config_to_metadata(const struct model_config *config, struct metadata *metadata, struct error *error);
bool config_from_metadata(struct model_config *config, const struct metadata *metadata, const char *path,
                          struct error *error);
/* Every field in range and consistent with the others. `path` begins the sentence. */
bool config_check(const struct model_config *config, const char *path, struct error *error);
/* The range of the one number at `offset` (offsetof), which the sentence calls `name`. */
bool config_check_number(const struct model_config *config, size_t offset, const char *name, const char *path,
                         struct error *error);

/* ---- The tensors that a configuration calls for, under their names in a .qm file (those of GGUF) ----
 *
 *   token_embd.weight        (vocab_size, dim)
 *   output_norm.weight       (dim)
 *   output.weight            (vocab_size, dim)                  unless the head is tied
 *   blk.L.attn_norm.weight   (dim)
 *   blk.L.attn_q.weight      (n_heads * head_dim, dim)          [.bias (n_heads * head_dim)]
 *   blk.L.attn_k.weight      (n_kv_heads * head_dim, dim)       [.bias]
 *   blk.L.attn_v.weight      (n_kv_heads * head_dim, dim)       [.bias]
 *   blk.L.attn_output.weight (dim, n_heads * head_dim)          [.bias (dim)]
 *   blk.L.ffn_norm.weight    (dim)
 *   blk.L.ffn_gate.weight    (ffn_dim, dim)                     [.bias]
 *   blk.L.ffn_up.weight      (ffn_dim, dim)                     [.bias]
 *   blk.L.ffn_down.weight    (dim, ffn_dim)                     [.bias]
 *
 * Rotary pairs are (i, i + head_dim / 2), as in Hugging Face checkpoints. */
enum role {
    ROLE_TOKEN_EMBD,
    ROLE_OUTPUT_NORM,
    ROLE_OUTPUT,
    ROLE_ATTN_NORM,
    ROLE_ATTN_Q,
    ROLE_ATTN_K,
    ROLE_ATTN_V,
    ROLE_ATTN_OUTPUT,
    ROLE_FFN_NORM,
    ROLE_FFN_GATE,
    ROLE_FFN_UP,
    ROLE_FFN_DOWN,
    ROLE_ATTN_Q_BIAS,
    ROLE_ATTN_K_BIAS,
    ROLE_ATTN_V_BIAS,
    ROLE_ATTN_OUTPUT_BIAS,
    ROLE_FFN_GATE_BIAS,
    ROLE_FFN_UP_BIAS,
    ROLE_FFN_DOWN_BIAS,
    ROLES,
};

struct role_tensor {
    enum role role;
    uint32_t layer; /* 0 for those outside layers */
    char name[64];
    uint32_t n_dims;
    uint64_t dims[2];
};

/* All tensors of a configuration, in the order in which a token meets them: the order of a .qm file's data.
 */
struct role_tensor *config_tensors(const struct model_config *config, size_t *count, struct arena *arena,
                                   struct error *error);

/* Writes `pattern` with the layer's number in place of {}; false where `size` bytes do not hold it. */
bool layer_name(char *to, size_t size, const char *pattern, uint32_t layer);

#endif
