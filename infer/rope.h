/* Rotary position embedding (Su et al. 2021) of the first `dim` values of a head with pairs (i, i + dim / 2),
 * as in Hugging Face checkpoints. */
#ifndef INFER_ROPE_H
#define INFER_ROPE_H

#include "lib/memory.h"
#include "models/config.h"

struct rope {
    size_t dim; /* even, at most head_dim */
    double *frequencies; /* [dim / 2]: radians by which a pair turns from one position to the next */
    double factor; /* of cosines and sines */
};

/* With the configuration's scaling as transformers computes it; plain and with rope_local_theta where
 * `local`. `capacity` is the longest sequence that is to come: longrope has other factors, and so other
 * states, for sequences beyond the original context, which all positions of a sequence must share. */
bool rope_init(struct rope *rope, const struct model_config *config, bool local, size_t capacity,
               struct arena *arena, struct error *error);

/* The turn of a position: cosines, then sines, of each pair. turn[dim]. */
void rope_turn(const struct rope *rope, size_t position, float *turn);

/* out = the head x[head_dim], its first `dim` values turned, and all scaled. out may be x. */
void rope_apply(const float *x, const float *turn, size_t dim, size_t head_dim, float scale, float *out);

#endif
