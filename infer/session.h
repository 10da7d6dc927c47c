/* A sequence in progress: its KV cache, and the forward pass with its buffers. The cache is in binary16; in
 * binary32 where the weights are f32.
 *
 * Sequences opened together share the buffers and can take a step together, which reads the weights once for
 * all of them.
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
    char *cache; /* layer by layer, head by head, its keys, then its values */
    struct session_buffers *buffers; /* shared, and in the arena of the first, like the caches of all */
    struct arena arena;
};

/* Tokens of a prompt that are best taken in together: as many as meet weights that were unpacked once. */
#define PROMPT_BATCH 512

/* capacity is at most config.context. batch is how many tokens one pass takes at most (longer runs are cut
 * up). */
bool session_open(struct session *session, const struct model *model, size_t capacity, size_t batch,
                  struct pool *pool, struct error *error);
/* Opens sessions[n] together. Closing the first closes them all. */
bool session_open_many(struct session *sessions, size_t n, const struct model *model, size_t capacity,
                       size_t batch, struct pool *pool, struct error *error);
void session_close(struct session *session);

/* Forgets positions from `position` on. */
void session_rewind(struct session *session, size_t position);

/* Takes in `count` tokens behind those already there. Writes logits [n][vocab_size] of the last n_logits
 * tokens to `logits` (n_logits 0 .. count). Refuses ids outside the vocabulary and more tokens than there is
 * room for. */
bool session_forward(struct session *session, const uint32_t *tokens, size_t count, float *logits,
                     size_t n_logits, struct error *error);

/* Takes in one token of each of the first n sessions that were opened together, in one pass; their positions
 * may differ. Writes logits [n][vocab_size]. Refuses what session_forward refuses, and then takes in none. */
bool session_step(struct session *sessions, size_t n, const uint32_t *tokens, float *logits,
                  struct error *error);

/* Bytes of KV cache that taking in the token at `position` reads, its own entry included. */
uint64_t session_kv_bytes(const struct session *session, size_t position);

#endif
