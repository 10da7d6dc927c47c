/* A model in memory, ready to run: weights mapped from a .qm file, or made up in a given shape. */
#ifndef INFER_MODEL_H
#define INFER_MODEL_H

#include "format/format.h"
#include "lib/threads.h"
#include "models/config.h"
#include "types/type.h"

struct layer {
    const float *attn_norm; /* (dim) */
    struct matrix q; /* (n_heads * head_dim, dim) */
    struct matrix k, v; /* (n_kv_heads * head_dim, dim) */
    struct matrix attn_output; /* (dim, n_heads * head_dim) */
    const float *ffn_norm; /* (dim) */
    struct matrix gate, up; /* (ffn_dim, dim) */
    struct matrix down; /* (dim, ffn_dim) */
    const float *q_bias, *k_bias, *v_bias, *attn_output_bias; /* NULL where the model has none */
    const float *gate_bias, *up_bias, *down_bias;
};

struct model {
    struct model_config config;
    struct matrix embedding; /* (vocab_size, dim) */
    struct layer *layers; /* [n_layers] */
    const float *output_norm; /* (dim) */
    struct matrix head; /* (vocab_size, dim); the embedding itself where tied */
    const char *main_type; /* the type that most weight bytes have, for reports */
    uint64_t tensor_bytes; /* of all tensors as stored */
    uint64_t n_weights; /* elements of all tensors */
    uint64_t streamed_bytes; /* weights read to generate one token: all matrices but an untied embedding's
                                other rows */
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
