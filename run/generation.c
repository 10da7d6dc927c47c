#include "run/generation.h"

#include "lib/progress.h"

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
    return session_open(&g->session, g->model, capacity, least(capacity, PROMPT_BATCH), pool, error);
}

void generation_close(struct generation *g) {
    if (g->session.model)
        session_close(&g->session);
    ends_free(&g->ends);
    stream_free(&g->stream);
    tokens_free(&g->text);
    buffer_free(&g->written);
    arena_free(&g->arena);
}

static bool push(struct generation *g, uint32_t id, struct error *error) {
    sampler_saw(g->sampler, id);
    return tokens_push(&g->text, id, error);
}

/* One token at least is left to be taken in, since logits come of that. */
bool generation_give(struct generation *g, const struct tokens *text, struct error *error) {
    size_t same = 0;
    while (same + 1 < text->count && same < g->session.position && text->ids[same] == g->text.ids[same])
        same++;
    session_rewind(&g->session, same);
    g->text.count = 0;
    for (size_t i = 0; i < text->count; i++)
        if (!push(g, text->ids[i], error))
            return false;
    return true;
}

/* Takes in what is pending and samples one token. */
static bool step(struct generation *g, struct rate *rate, uint32_t *id, struct error *error) {
    double started = clock_seconds();
    size_t taken = g->session.position, n_pending = g->text.count - taken;
    if (!session_forward(&g->session, g->text.ids + taken, n_pending, g->logits, 1, error))
        return false;
    *id = sampler_next(g->sampler, g->logits);
    rate->tokens += n_pending;
    rate->seconds += clock_seconds() - started;
    return true;
}

static bool show(struct generation *g, uint32_t id, struct error *error) {
    size_t size;
    if (tokenizer_is_special(g->tokenizer, id))
        return true;
    const char *bytes = (g->begins ? tokenizer_first_bytes : tokenizer_bytes)(g->tokenizer, id, &size);
    g->begins = false;
    return buffer_append(&g->written, bytes, size, error) && stream_write(&g->stream, bytes, size, error);
}

bool generate(struct generation *g, uint64_t limit, const volatile sig_atomic_t *interrupted,
              enum outcome *outcome, struct error *error) {
    *outcome = OUTCOME_LIMIT;
    g->written.size = 0;
    for (uint64_t i = 0; i < limit; i++) {
        uint32_t id;
        if (*interrupted || g->stream.closed) {
            *outcome = OUTCOME_INTERRUPTED;
            return true;
        }
        if (g->text.count > g->session.capacity) {
            *outcome = OUTCOME_CONTEXT;
            return true;
        }
        if (!step(g, i == 0 ? &g->prompt : &g->answer, &id, error))
            return false;
        if (ends_is_stop(&g->ends, id)) {
            *outcome = OUTCOME_STOPPED;
            return true;
        }
        if (!show(g, id, error) || !push(g, id, error))
            return false;
    }
    return true;
}
