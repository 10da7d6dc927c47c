#include "run/generation.h"

#include "lib/progress.h"

#define BATCH 256 /* prompt tokens taken in by one pass */

bool generation_open(struct generation *g, const struct model *model, const struct tokenizer *tokenizer,
                     const struct sampling *sampling, struct error *error) {
    *g = (struct generation){.model = model, .tokenizer = tokenizer};
    g->sampler = sampler_new(sampling, model->config.vocab_size, &g->arena, error);
    g->logits = g->sampler ? ARENA_NEW(&g->arena, float, model->config.vocab_size, error) : NULL;
    if (g->logits && ends_read(&g->ends, &model->container, tokenizer, error))
        return true;
    generation_close(g);
    return false;
}

bool generation_start(struct generation *g, size_t capacity, struct pool *pool, struct error *error) {
    return session_open(&g->session, g->model, capacity, capacity < BATCH ? capacity : BATCH, pool, error);
}

void generation_close(struct generation *g) {
    if (g->session.model)
        session_close(&g->session);
    ends_free(&g->ends);
    stream_free(&g->stream);
    tokens_free(&g->next);
    arena_free(&g->arena);
}

bool generation_push(struct generation *g, uint32_t id, struct error *error) {
    sampler_saw(g->sampler, id);
    return tokens_push(&g->next, id, error);
}

/* Takes in what is pending and samples one token. */
static bool step(struct generation *g, struct rate *rate, uint32_t *id, struct error *error) {
    double started = clock_seconds();
    if (!session_forward(&g->session, g->next.ids, g->next.count, g->logits, 1, error))
        return false;
    *id = sampler_next(g->sampler, g->logits);
    rate->tokens += g->next.count;
    rate->seconds += clock_seconds() - started;
    g->next.count = 0;
    return true;
}

static bool show(struct generation *g, uint32_t id, struct error *error) {
    size_t size;
    const char *bytes = tokenizer_bytes(g->tokenizer, id, &size);
    return tokenizer_is_special(g->tokenizer, id) || stream_write(&g->stream, bytes, size, error);
}

bool generate(struct generation *g, uint64_t limit, const volatile sig_atomic_t *interrupted,
              enum outcome *outcome, struct error *error) {
    *outcome = OUTCOME_LIMIT;
    for (uint64_t i = 0; i < limit; i++) {
        uint32_t id;
        if (*interrupted || g->stream.closed) {
            *outcome = OUTCOME_INTERRUPTED;
            return true;
        }
        if (g->session.position + g->next.count > g->session.capacity) {
            *outcome = OUTCOME_CONTEXT;
            return true;
        }
        if (!step(g, i == 0 ? &g->prompt : &g->answer, &id, error))
            return false;
        if (ends_is_stop(&g->ends, id)) {
            *outcome = OUTCOME_STOPPED;
            return true;
        }
        if (!show(g, id, error) || !generation_push(g, id, error))
            return false;
    }
    return true;
}
