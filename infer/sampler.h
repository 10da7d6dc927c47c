/* Picks the next token from logits. Temperature 0 is greedy: the largest logit, the lowest id among equals.
 *
 * Order of steps, as llama.cpp and transformers agree where they do: repetition penalty, temperature, top-k,
 * top-p, min-p. The vocabulary is never sorted whole. The same seed and logits give the same tokens on every
 * machine (PCG32). */
#ifndef INFER_SAMPLER_H
#define INFER_SAMPLER_H

#include "lib/memory.h"

struct sampling {
    double temperature; /* 0 is greedy */
    uint64_t top_k; /* 0: all */
    double top_p; /* 1: all */
    double min_p; /* 0: all; else tokens below min_p times the best one's probability go */
    double repetition_penalty; /* 1: none; Keskar et al. 2019, over the last `penalty_window` tokens */
    uint64_t penalty_window;
    uint64_t seed;
};

struct sampler;

/* Refuses values out of range by name. */
struct sampler *sampler_new(const struct sampling *sampling, size_t vocab_size, struct arena *arena,
                            struct error *error);
/* Changes `logits`. */
uint32_t sampler_next(struct sampler *sampler, float *logits);
/* Tells the sampler of a token in the text, sampled or given, for the repetition penalty. */
void sampler_saw(struct sampler *sampler, uint32_t id);

#endif
