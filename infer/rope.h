/* Rotary position embedding (Su et al. 2021) with pairs (i, i + head_dim / 2), as in Hugging Face
 * checkpoints. */
#ifndef INFER_ROPE_H
#define INFER_ROPE_H

#include "models/config.h"

/* Radians by which pair i turns from one position to the next, frequencies[head_dim / 2], with the
 * configuration's scaling as transformers computes it. */
void rope_frequencies(const struct model_config *config, double *frequencies);

/* The turn of a position: cosines, then sines, of each pair. turn[head_dim]. */
void rope_turn(const double *frequencies, size_t head_dim, size_t position, float *turn);

/* out = the head x[head_dim], turned and scaled. out may be x. */
void rope_apply(const float *x, const float *turn, size_t head_dim, float scale, float *out);

#endif
