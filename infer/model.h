/* A model in memory, ready to run: weights mapped from a .qm file, or made up in a given shape. */
#ifndef INFER_MODEL_H
#define INFER_MODEL_H

#include "format/format.h"
#include "lib/threads.h"
#include "models/config.h"
#include "types/type.h"

struct norm {
    const float *weight; /* (dim); NULL where there is no such norm */
    const float *bias; /* (dim), or NULL */
};

/* down(act(gate) * up), or down(act(up)) where there is no gate. */
struct feed_forward {
    struct matrix gate, up; /* (width, dim) */
    struct matrix down; /* (dim, width) */
    const float *gate_bias, *up_bias, *down_bias; /* NULL where the model has none */
};

/* The matrices of all experts, one below the other. */
struct experts {
    struct matrix router; /* (n_experts, dim) */
    struct matrix gate, up; /* (n_experts * expert_ffn_dim, dim) */
    struct matrix down; /* (n_experts * dim, expert_ffn_dim) */
    const float *shared_router; /* (dim), or NULL */
};

/* Matrices that a layer lacks have no type, vectors are NULL. */
struct layer {
    size_t window; /* a token sees so many positions, itself included; SIZE_MAX: all */
    bool rotates; /* queries and keys, by position */
    bool local; /* with rope_local_theta */
    struct norm attn_norm, attn_post_norm, ffn_norm, ffn_post_norm;
    struct matrix q; /* (n_heads * head_dim, dim) */
    struct matrix k, v; /* (n_kv_heads * head_dim, dim) */
    struct matrix attn_output; /* (dim, n_heads * head_dim) */
    const float *q_bias, *k_bias, *v_bias, *attn_output_bias;
    const float *q_norm, *k_norm; /* (head_dim), or of all heads */
    struct feed_forward ffn; /* where there are experts: the shared one */
    struct experts experts;
};

struct model {
    struct model_config config;
    struct matrix embedding; /* (vocab_size, dim) */
    struct matrix positions; /* (context, dim), of learned positions */
    struct layer *layers; /* [n_layers] */
    struct norm output_norm;
    struct matrix head; /* (vocab_size, dim); the embedding itself where tied */
    const char *main_type; /* the type that most weight bytes have, for reports */
    uint64_t tensor_bytes; /* of all tensors as stored */
    uint64_t n_weights; /* elements of all tensors */
    /* Of the weights that one token is generated with: all but rows that are not looked up and experts that
     * are not used. */
    uint64_t n_streamed_weights, streamed_bytes;
    uint64_t file_bytes; /* 0 where synthetic */
    char model_id[33]; /* hexadecimal; "" where synthetic */
    const char *path; /* or a label such as "synthetic 7b q4" */
    struct container container; /* open where the model came from a file: blobs, metadata */
    struct arena arena;
    void *pages; /* where synthetic */
    size_t pages_bytes;
};

/* Opens a .qm file. Checks structure and sizes, not digests (that is verify's work). */
bool model_open(struct model *model, const char *path, struct error *error);

/* Weights of a given shape and type with made-up values, to measure speed alone. */
bool model_synthetic(struct model *model, const struct model_config *shape, const struct type *type,
                     const char *label, struct pool *pool, struct error *error);
void model_close(struct model *model);

#endif
