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
    struct tokens text; /* given and written; the model has taken in those before session.position */
    struct buffer written; /* what is shown of the latest answer */
    bool begins; /* what is written next begins a text, at which tokenizers put no space */
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

/* Makes the text these tokens and nothing else. What the model has taken in stays as far as it is the same.
 */
bool generation_give(struct generation *generation, const struct tokens *text, struct error *error);

/* Writes at most `limit` tokens behind the text, which must fit the capacity. Returns early once *interrupted
 * is set. */
bool generate(struct generation *generation, uint64_t limit, const volatile sig_atomic_t *interrupted,
              enum outcome *outcome, struct error *error);

#endif
