/* One thread's view of a forward pass, for the files that make one up: pass.c, which says how it goes,
 * self_attention.c and experts.c; and for session.c, which has the buffers and begins it. */
#ifndef INFER_PASS_H
#define INFER_PASS_H

#include "infer/attention.h"
#include "infer/rope.h"
#include "infer/session.h"
#include "types/matmul.h"

/* An expert that a token goes to, and what its output counts for. */
struct pick {
    uint32_t expert;
    float weight;
};

/* A token that goes to an expert, and what the expert's output counts for. */
struct route {
    size_t token;
    float weight;
};

/* What a thread has for itself. */
struct own {
    float *x, *normed, *mixed; /* (dim), of a lone token */
    float *attended; /* (n_heads * head_dim), of a lone token */
    struct inputs inputs; /* of a lone token */
    struct pick *picks; /* [n_experts_used], of a lone token */
    float *row; /* (n_heads * head_dim): normed queries or keys */
    struct attention attention;
    void *scratch; /* of matmul */
};

struct session_buffers {
    const struct kernels *kernels;
    size_t batch; /* tokens in one pass at most */
    size_t width; /* head_dim padded to a multiple of TILE */
    struct rope rope, local_rope; /* of all layers, and of local ones */
    float *turns, *local_turns; /* (batch, rope.dim): the rotations of each token's position */
    float *x, *normed; /* (batch, dim) */
    float *attended; /* (batch, n_heads * head_dim) */
    /* Results of matrices; rows stride_of() floats apart. */
    float *q; /* (batch, n_heads * head_dim) */
    float *k, *v; /* (batch, n_kv_heads * head_dim) */
    float *projected, *ffn_projected; /* (batch, dim): what is added to the residual stream */
    float *gate, *up; /* (batch, the widest feed-forward) */
    struct expert_buffers {
        float *router; /* (batch, n_experts): logits */
        struct pick *picks; /* (batch, n_experts_used) */
        struct route *routes; /* (batch * n_experts_used), expert by expert */
        size_t *ends; /* [n_experts]: where those of each end */
        float *gathered, *mixed; /* (batch, dim) */
        float *outputs; /* (batch or n_experts_used, dim) */
    } experts;
    struct inputs inputs;
    size_t max_splits;
    float *split_sums; /* (max_splits, n_heads, width) */
    float *split_totals, *split_largest; /* (max_splits, n_heads) */
    struct own *own; /* [n_threads] */
    const struct cache_kernels *cache_kernels; /* of the caches' format */
    char *caches; /* of all sequences */
    size_t caches_bytes, head_bytes; /* of all; of one sequence's head */
};

/* Floats from one token's results to the next: one line of the cache more than there are, as places a power
 * of two apart would displace each other. */
static inline size_t stride_of(size_t n_rows) {
    return n_rows + 16;
}

/* What a pass is asked to do. */
struct request {
    struct session *sequences; /* [n_sequences] */
    size_t n_sequences, length;
    const uint32_t *tokens; /* (n_sequences, length) */
    float *logits; /* (n_logits, vocab_size), of the last tokens */
    size_t n_logits;
};

/* One thread's view of a pass. */
struct pass {
    const struct request *request;
    const struct model *model;
    const struct model_config *config;
    struct pool *pool;
    struct session_buffers *b;
    size_t count; /* tokens of all sequences */
    unsigned thread, n_threads;
    unsigned part, n_parts; /* this thread's part of work by token; 0 of 1 for a lone token */
    size_t token_begin, token_end; /* which comes to these tokens */
    float *x, *normed, *mixed; /* (count, dim), shared or own */
    struct inputs *inputs; /* likewise */
    struct pick *picks; /* likewise */
    struct own *own;
};

/* All of a pass, as a task of pool_run; context is a struct request. */
void pass_forward(void *context, unsigned thread, unsigned n_threads);

/* ---- Steps that the files share ---- */

static inline const struct session *sequence_of(const struct pass *p, size_t token) {
    return &p->request->sequences[token / p->request->length];
}

static inline size_t position_of(const struct pass *p, size_t token) {
    return sequence_of(p, token)->position + token % p->request->length;
}

/* After work by token: waits for the others' tokens. */
static inline void settle(const struct pass *p) {
    if (p->n_parts > 1)
        pool_barrier(p->pool);
}

static inline uint32_t kind_of(const struct matrix *w) {
    return w->type ? 1u << w->type->rounding : 0;
}

/* Rounds x (count, n_cols), rows `stride` apart, for the products that follow. */
void pass_round(const struct pass *p, const float *x, size_t stride, size_t count, size_t n_cols,
                uint32_t kinds);

/* The residual stream, normed into p->normed, rounded. A layer without a norm there takes the stream itself.
 */
void pass_norm_and_round(const struct pass *p, const struct norm *norm, uint32_t kinds);

/* y (count, stride_of(w->n_rows)) = the rounded inputs times w, plus bias, NULL where there is none. */
struct product {
    const struct matrix *w;
    const float *bias;
    float *y;
};

#define PRODUCTS_MAX 3

/* The rows of up to PRODUCTS_MAX products of the same inputs that come to this thread. They are dealt as if
 * the matrices were one, so that each thread reads as long a run of memory as there is. */
void pass_project(const struct pass *p, const struct inputs *inputs, const struct product *products,
                  size_t n);

/* The products with the gate and up matrices, likewise, into `gate`, a place within b->gate, and the same
 * place within b->up. */
void pass_widen(const struct pass *p, const struct feed_forward *ffn, float *gate);

/* gate = act(gate) * up, or act(up), of `count` tokens: what inputs_set() would have this thread round of
 * them. */
void pass_activate(const struct pass *p, const struct feed_forward *ffn, float *gate, size_t count);

/* Behind a barrier: y (count, stride_of(dim)) = the activations times the down matrix. Even a lone token's
 * are so wide that the threads share them out. */
void pass_narrow(const struct pass *p, const struct feed_forward *ffn, float *gate, size_t count, float *y);

/* Leaves in b->ffn_projected, behind a barrier, what the layer's feed-forward adds, or its shared expert. */
void pass_feed_forward(const struct pass *p, size_t index);

/* Leaves in b->projected, behind a barrier, what a layer's attention adds. */
void self_attention_run(const struct pass *p, size_t index);

/* Leaves in p->mixed what the experts of a layer make of p->normed, whose inputs are rounded for
 * experts_kinds(). */
uint32_t experts_kinds(const struct layer *layer);
void experts_run(const struct pass *p, size_t index);

#endif
