/* A model at work on one sequence: tokens in, sampled tokens out as text. */
#ifndef RUN_GENERATION_H
#define RUN_GENERATION_H

#include "infer/model.h"
#include "infer/sampler.h"
#include "infer/session.h"
#include "infer/tokenizer.h"
#include "run/ends.h"
#include "run/stream.h"

#include <signal.h>

struct rate {
    uint64_t tokens;
    double seconds;
};

struct generation {
    const struct model *model;
    const struct tokenizer *tokenizer;
    struct session session;
    struct sampler *sampler;
    struct ends ends;
    struct stream stream;
    float *logits; /* (vocab_size) */
    struct tokens next; /* decided, but not yet taken in by the model */
    struct rate prompt, answer; /* for statistics */
    struct arena arena;
};

enum outcome {
    OUTCOME_STOPPED, /* by a token that ends the text */
    OUTCOME_LIMIT, /* of tokens asked for */
    OUTCOME_CONTEXT, /* no room for another token */
    OUTCOME_INTERRUPTED,
};

bool generation_open(struct generation *generation, const struct model *model,
                     const struct tokenizer *tokenizer, const struct sampling *sampling, struct error *error);
void generation_close(struct generation *generation);

/* Makes the room for `capacity` tokens, once before generate. */
bool generation_start(struct generation *generation, size_t capacity, struct pool *pool, struct error *error);

/* Queues a token as part of the text. */
bool generation_push(struct generation *generation, uint32_t id, struct error *error);

/* Writes at most `limit` tokens behind those pushed, which must fit the capacity. Returns early once
 * *interrupted is set. */
bool generate(struct generation *generation, uint64_t limit, const volatile sig_atomic_t *interrupted,
              enum outcome *outcome, struct error *error);

#endif
