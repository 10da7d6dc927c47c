/* What a decoder-only transformer is, as numbers: the one description that forward() reads.
 *
 * A .qm file stores it as metadata under "model.*" keys; a checkpoint's config.json is translated to it by
 * its family. */
#ifndef MODELS_CONFIG_H
#define MODELS_CONFIG_H

#include "format/metadata.h"

/* Traits with a name each. What is 0 is what Llama has, so that a configuration says only what differs. */

/* Positions rotate pairs of values (Su et al. 2021). linear: by position / factor (Chen et al. 2023); llama3:
 * low frequencies alone slowed by factor, with a smooth passage between (Llama 3.1); longrope: each pair by a
 * factor of its own, one list for contexts up to the original one and one for longer (Ding et al. 2024);
 * yarn: as linear for pairs that turn slowly, not at all for those that turn fast, and a passage between,
 * over the pairs (Peng et al. 2023). */
enum rope_kind { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3, ROPE_LONG, ROPE_YARN };
/* RMS norm (Zhang and Sennrich 2019), layer norm (Ba et al. 2016). */
enum norm_kind { NORM_RMS, NORM_LAYER };
/* Before attention and feed-forward, behind them (what they add to the residual stream is normed), or both.
 */
enum norm_place { NORM_BEFORE, NORM_BEHIND, NORM_AROUND };
/* Of queries and keys before they rotate: of each head, or of all heads as one vector. */
enum qk_norm { QK_NORM_NONE, QK_NORM_HEAD, QK_NORM_WHOLE };
/* SiLU; GELU (Hendrycks and Gimpel 2016), exact or by tanh. */
enum activation { ACT_SILU, ACT_GELU, ACT_GELU_TANH };

#define CONFIG_MAX_LAYERS 1024
#define CONFIG_MAX_ROPE_FACTORS 512

/* Which layers have a trait: layer l where text[l % strlen(text)] is '1'; all where the text is empty. Always
 * the shortest text that says so: "" for all layers, "0" for none, "10" for the first and every second. */
struct layer_pattern {
    char text[CONFIG_MAX_LAYERS + 1];
};
bool layer_has(const struct layer_pattern *pattern, uint64_t layer);
/* From one flag a layer; n_layers at most CONFIG_MAX_LAYERS. */
void layer_pattern_set(struct layer_pattern *pattern, const bool *flags, uint64_t n_layers);

/* What each frequency is divided by, [rope_dim / 2]. */
struct rope_factors {
    uint64_t count;
    double values[CONFIG_MAX_ROPE_FACTORS];
};

struct model_config {
    const char *family; /* "llama" */
    uint64_t n_layers;
    uint64_t dim; /* width of the residual stream */
    uint64_t ffn_dim; /* of dense layers */
    uint64_t n_heads, n_kv_heads, head_dim;
    uint64_t vocab_size;
    uint64_t context; /* longest sequence that the model was made for */
    bool tied_head; /* the head is the embedding */

    double norm_eps;
    uint64_t norm_kind; /* enum norm_kind, of all norms */
    bool norm_bias; /* of all norms but those of queries and keys */
    uint64_t norm_place; /* enum norm_place */
    bool parallel_residual; /* attention and feed-forward both take the layer's input, and are added together
                             */
    bool shared_norm; /* one norm for both of these, attn_norm */

    bool attention_bias, qkv_bias, mlp_bias; /* q, k, v, output; q, k, v; gate, up, down */
    uint64_t qk_norm; /* enum qk_norm, RMS */
    double attention_scale; /* of scores; 0: 1 / sqrt(head_dim) */
    double attention_softcap; /* scores become cap * tanh(score / cap); 0: no cap */
    uint64_t window; /* position p sees those behind p - window; 0: all */
    struct layer_pattern window_layers; /* that have the window */

    bool learned_positions; /* position_embd is added to the embedding */
    struct layer_pattern rope_layers; /* that rotate */
    uint64_t rope_dim; /* the first values of a head, which rotate; 0: all */
    double rope_theta;
    double rope_local_theta; /* of layers that have the window, which then scale nothing; 0: as the others */
    uint64_t rope_kind; /* enum rope_kind */
    double rope_factor; /* linear, llama3, longrope, yarn; else 1 */
    double rope_low_freq_factor, rope_high_freq_factor; /* llama3; else 0 */
    uint64_t rope_original_context; /* llama3, longrope, yarn; else 0 */
    struct rope_factors rope_short_factors, rope_long_factors; /* longrope; else none */
    /* yarn, else 0: pairs that turn more than rope_beta_fast times within the original context are kept,
     * those that turn less than rope_beta_slow times slowed by all of rope_factor */
    double rope_beta_fast, rope_beta_slow;
    bool rope_truncate; /* the passage between these begins and ends at whole pairs */
    /* Of sines and cosines; 0: for longrope sqrt(1 + log(rope_factor) / log(rope_original_context)), for yarn
     * m(rope_mscale) / m(rope_mscale_all_dim), or m(1) where these are 0, with
     * m(x) = 1 + 0.1 * x * log(rope_factor); else 1 */
    double rope_attention_factor;
    double rope_mscale, rope_mscale_all_dim;

    uint64_t activation; /* enum activation */
    bool plain_ffn; /* down(act(up)), in place of down(act(gate) * up) */

    double embedding_scale, residual_scale, logit_scale; /* of the embedding, of what attention and
                                                            feed-forward add, of logits; 0: not scaled */
    double logit_softcap; /* like attention_softcap, behind the scale */

    /* Mixture of experts (Shazeer et al. 2017): the n_experts_used with the largest logits of the router,
     * each weighed by its softmax over all experts. */
    uint64_t n_experts, n_experts_used; /* 0: none */
    uint64_t expert_ffn_dim;
    uint64_t shared_ffn_dim; /* of one expert more that all tokens take, weighed by the sigmoid of a router of
                                its own; 0: none */
    bool norm_expert_weights; /* weights of those used are made to sum to 1 */
    struct layer_pattern expert_layers; /* that have experts; the others are dense */
};

/* Limits that keep every size below computable; a configuration outside them is refused by name and number.
 */
#define CONFIG_MAX_DIM (1u << 18)
#define CONFIG_MAX_VOCAB (1u << 22)
#define CONFIG_MAX_CONTEXT (1u << 27)
#define CONFIG_MAX_EXPERTS 1024
#define CONFIG_EXPERT_ROWS 16 /* rows of an expert's matrices are a multiple of this, a panel */

/* Both directions by one table. Traits that are 0 are not written. From metadata: keys of sizes required,
 * those of traits 0 where they are absent, unknown "model.*" keys refused; checked. */
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
 *   token_embd.weight                (vocab_size, dim)
 *   position_embd.weight             (context, dim)              learned_positions
 *   blk.L.attn_norm.weight           (dim)                       NORM_BEFORE, NORM_AROUND
 *   blk.L.attn_q.weight              (n_heads * head_dim, dim)
 *   blk.L.attn_k.weight              (n_kv_heads * head_dim, dim)
 *   blk.L.attn_v.weight              (n_kv_heads * head_dim, dim)
 *   blk.L.attn_q_norm.weight         (head_dim), or of all heads qk_norm
 *   blk.L.attn_k_norm.weight         (head_dim), or of all heads qk_norm
 *   blk.L.attn_output.weight         (dim, n_heads * head_dim)
 *   blk.L.post_attention_norm.weight (dim)                       NORM_BEHIND, NORM_AROUND
 *   blk.L.ffn_norm.weight            (dim)                       as attn_norm, unless shared
 *   blk.L.ffn_gate.weight            (ffn_dim, dim)              unless plain_ffn
 *   blk.L.ffn_up.weight              (ffn_dim, dim)
 *   blk.L.ffn_down.weight            (dim, ffn_dim)
 *   blk.L.post_ffw_norm.weight       (dim)                       as post_attention_norm
 *   output_norm.weight               (dim)
 *   output.weight                    (vocab_size, dim)           unless the head is tied
 *
 * In expert_layers, in place of ffn_gate, ffn_up and ffn_down, the last four where there is shared_ffn_dim:
 *
 *   blk.L.ffn_gate_inp.weight        (n_experts, dim)            the router
 *   blk.L.ffn_gate_exps.weight       (n_experts, expert_ffn_dim, dim)
 *   blk.L.ffn_up_exps.weight         (n_experts, expert_ffn_dim, dim)
 *   blk.L.ffn_down_exps.weight       (n_experts, dim, expert_ffn_dim)
 *   blk.L.ffn_gate_inp_shexp.weight  (dim)                       the shared expert's router
 *   blk.L.ffn_gate_shexp.weight      (shared_ffn_dim, dim)
 *   blk.L.ffn_up_shexp.weight        (shared_ffn_dim, dim)
 *   blk.L.ffn_down_shexp.weight      (dim, shared_ffn_dim)
 *
 * Each weight has a vector .bias beside it, as long as its rows, where norm_bias (all norms but those of
 * queries and keys), attention_bias, qkv_bias or mlp_bias says so.
 *
 * Rotary pairs are (i, i + rope_dim / 2), as in Hugging Face checkpoints. Norm weights are what is multiplied
 * with: where a checkpoint's are to be added to 1, 1 has been added. The order here is that in which a token
 * meets them, and that of a .qm file's data. */
enum role {
    ROLE_TOKEN_EMBD,
    ROLE_POSITION_EMBD,
    ROLE_ATTN_NORM,
    ROLE_ATTN_NORM_BIAS,
    ROLE_ATTN_Q,
    ROLE_ATTN_Q_BIAS,
    ROLE_ATTN_K,
    ROLE_ATTN_K_BIAS,
    ROLE_ATTN_V,
    ROLE_ATTN_V_BIAS,
    ROLE_ATTN_Q_NORM,
    ROLE_ATTN_K_NORM,
    ROLE_ATTN_OUTPUT,
    ROLE_ATTN_OUTPUT_BIAS,
    ROLE_ATTN_POST_NORM,
    ROLE_ATTN_POST_NORM_BIAS,
    ROLE_FFN_NORM,
    ROLE_FFN_NORM_BIAS,
    ROLE_FFN_GATE,
    ROLE_FFN_GATE_BIAS,
    ROLE_FFN_UP,
    ROLE_FFN_UP_BIAS,
    ROLE_FFN_DOWN,
    ROLE_FFN_DOWN_BIAS,
    ROLE_ROUTER,
    ROLE_EXPERT_GATE,
    ROLE_EXPERT_UP,
    ROLE_EXPERT_DOWN,
    ROLE_SHARED_ROUTER,
    ROLE_SHARED_GATE,
    ROLE_SHARED_UP,
    ROLE_SHARED_DOWN,
    ROLE_FFN_POST_NORM,
    ROLE_FFN_POST_NORM_BIAS,
    ROLE_OUTPUT_NORM,
    ROLE_OUTPUT_NORM_BIAS,
    ROLE_OUTPUT,
    ROLES,
};

struct role_tensor {
    enum role role;
    uint32_t layer; /* 0 for those outside layers */
    char name[64];
    uint32_t n_dims;
    uint64_t dims[3]; /* outermost first */
};

/* All tensors of a configuration, by layer and role. */
struct role_tensor *config_tensors(const struct model_config *config, size_t *count, struct arena *arena,
                                   struct error *error);

/* Is this the weight of a norm, of which 1 changes nothing? */
bool role_is_norm(enum role role);

/* Writes `pattern` with the layer's number in place of {}; false where `size` bytes do not hold it. */
bool layer_name(char *to, size_t size, const char *pattern, uint32_t layer);

#endif
