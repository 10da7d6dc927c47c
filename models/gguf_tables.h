/* What reading and writing GGUF go by alike: architectures, their keys, and the tensors that hold several
 * roles. What llama.cpp expects is what its sources say (src/models, src/llama-model.cpp). */
#ifndef MODELS_GGUF_TABLES_H
#define MODELS_GGUF_TABLES_H

#include "models/family.h"

/* ---- Architectures ---- */

struct gguf_architecture {
    const char *name; /* general.architecture, and our family */
    const char *with_experts, *with_window; /* the family of those that have them, where it is another (whose
                                               layers with the window scale no positions) */
    bool paired; /* see gguf_read_config */
    bool scales_by_width; /* the embedding, by sqrt(dim) */
    bool divides_logits; /* by logit_scale, in place of multiplying */
    uint64_t wide_layers; /* with so many layers, scores are scaled for dim / n_heads */
    uint64_t window_period; /* every such layer sees all, the others the window */
    struct model_config traits; /* that no key and no tensor tells */

    /* For writing. What keys and tensors tell in such a file besides what they tell in all of them: names of
     * struct model_config, a space behind each. */
    const char *told;
    unsigned ropes; /* bits 1 << enum rope_kind, besides plain and linear */
    bool fuses_qkv, fuses_gate_up;
    bool whole_heads; /* heads are dim / n_heads wide */
    bool own_head; /* the head is a tensor of its own even where it is the embedding */
    const char *families; /* that are written as this one besides that of its name, a space behind each */
};

extern const struct gguf_architecture gguf_architectures[]; /* a zeroed entry behind the last */

/* ---- Keys: all begin with the architecture's name and a dot ---- */

#define GGUF_NO_FIELD SIZE_MAX

/* Those that set a field, or are looked at by name, or change nothing. Those that have a field are written:
 * numbers of 0 where they are required. */
struct gguf_key {
    const char *name;
    size_t field; /* offsetof(struct model_config, ...) */
    enum key_kind kind; /* KEY_UINT, KEY_REAL or KEY_BOOL */
    bool required;
    enum { WRITTEN, WRITTEN_RMS, WRITTEN_LAYER, NOT_WRITTEN } written; /* always, or for one kind of norm */
};

extern const struct gguf_key gguf_keys[]; /* a zeroed entry behind the last */

/* ---- Tensors ---- */

/* Ways in which roles lie in tensors of other names. */
enum gguf_layout {
    GGUF_QKV, /* queries, keys and values in one */
    GGUF_QKV_BIAS,
    GGUF_GATE_UP, /* gate and up in one */
    GGUF_NORMS_TURNED, /* where falcon has two norms, that of attention is the second */
};

/* Where a role lies in a file of such layouts, and how many rows all of the tensor has. */
struct gguf_place {
    char name[64];
    uint64_t first_row, n_rows;
};
typedef bool gguf_has_layout(const void *context, enum gguf_layout layout, uint32_t layer);
struct gguf_place gguf_place_of(const struct model_config *config, const struct role_tensor *role,
                                gguf_has_layout *has, const void *context);

/* What Llama 3.1 divides frequency i of `count` by. */
double gguf_llama3_factor(const struct model_config *config, uint64_t i, uint64_t count);

#endif
