/* One sequence in progress: the KV cache, the buffers of a forward pass, and the pass itself. The cache is in
 * binary16; in binary32 where the weights are f32.
 *
 * The pass reads traits in model_config and never asks which family a model is of. */
#ifndef INFER_SESSION_H
#define INFER_SESSION_H

#include "infer/model.h"

struct session {
    const struct model *model;
    struct pool *pool;
    size_t capacity; /* positions that the KV cache has room for */
    size_t position; /* tokens taken in so far */
    struct session_buffers *buffers;
    struct arena arena;
};

/* capacity is at most config.context. batch is how many tokens one pass takes at most (longer runs are cut
 * up). */
bool session_open(struct session *session, const struct model *model, size_t capacity, size_t batch,
                  struct pool *pool, struct error *error);
void session_close(struct session *session);

/* Forgets positions from `position` on. */
void session_rewind(struct session *session, size_t position);

/* Takes in `count` tokens behind those already there. Writes logits [n][vocab_size] of the last n_logits
 * tokens to `logits` (n_logits 0 .. count). Refuses ids outside the vocabulary and more tokens than there is
 * room for. */
bool session_forward(struct session *session, const uint32_t *tokens, size_t count, float *logits,
                     size_t n_logits, struct error *error);

/* Bytes of KV cache that taking in the token at `position` reads, its own entry included. */
uint64_t session_kv_bytes(const struct session *session, size_t position);

#endif
