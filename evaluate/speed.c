#include "evaluate/speed.h"

#include "evaluate/batches.h"
#include "evaluate/roof.h"
#include "lib/progress.h"

#define ROUNDS 5
#define PROMPT 128 /* tokens of the prefill, unless asked otherwise */
#define BURST 64 /* tokens generated before the sequence is cut back to the prompt */
#define ROUND_SECONDS 0.25 /* at least so long, and one step, is spent on generation each round */
#define REPEAT_SECONDS 1.0 /* a prefill that takes longer is timed once */

/* Sequences that generate together. */
struct generation {
    struct session *sessions; /* [n], opened together */
    size_t n;
    size_t from, to; /* a sequence that is at position `to` is cut back to `from` */
    float *logits; /* (n, vocab_size) */
    double rates[ROUNDS]; /* steps a second */
    double kv_bytes, n_steps; /* summed over all steps */
};

struct trial {
    struct session session; /* that the prompt is taken in by */
    struct session sessions[BATCH_LARGEST]; /* that make up batches */
    uint32_t *prompt; /* [depth] */
    size_t depth;
    double prefills[ROUNDS]; /* tokens a second */
    size_t n_prefills;
    struct generation alone, batches[BATCH_SIZES];
};

struct speed {
    const struct speed_request *request;
    size_t depth; /* of all trials */
    struct trial *trials; /* [n_models] */
    struct roof roof;
    double roofs[ROUNDS]; /* bytes a second */
    struct arena arena;
};

/* Which tokens does not matter for speed; these are spread over the vocabulary. */
static uint32_t some_token(const struct model *model, size_t i) {
    return (uint32_t)(i * 2654435761u % model->config.vocab_size);
}

/* ---- A model's turn ---- */

static bool time_prefill(struct trial *trial, struct error *error) {
    double start = clock_seconds();
    session_rewind(&trial->session, 0);
    if (!session_forward(&trial->session, trial->prompt, trial->depth, trial->alone.logits, 1, error))
        return false;
    trial->prefills[trial->n_prefills++] = (double)trial->depth / (clock_seconds() - start);
    return true;
}

static bool worth_repeating(const struct trial *trial) {
    return trial->n_prefills == 0 ||
           (double)trial->depth / trial->prefills[trial->n_prefills - 1] < REPEAT_SECONDS;
}

static bool take_step(struct generation *g, struct error *error) {
    uint32_t tokens[BATCH_LARGEST];
    for (size_t i = 0; i < g->n; i++) {
        struct session *session = &g->sessions[i];
        if (session->position == g->to)
            session_rewind(session, g->from);
        tokens[i] = some_token(session->model, session->position + i);
        g->kv_bytes += (double)session_kv_bytes(session, session->position);
    }
    g->n_steps++;
    return session_step(g->sessions, g->n, tokens, g->logits, error);
}

static bool time_steps(struct generation *g, size_t round, struct error *error) {
    double start = clock_seconds(), elapsed;
    size_t n = 0;
    do {
        if (!take_step(g, error))
            return false;
        n++;
        elapsed = clock_seconds() - start;
    } while (elapsed < ROUND_SECONDS);
    g->rates[round] = (double)n / elapsed;
    return true;
}

static bool take_turn(struct trial *trial, bool batches, size_t round, struct error *error) {
    if (worth_repeating(trial) && !time_prefill(trial, error))
        return false;
    if (!time_steps(&trial->alone, round, error))
        return false;
    for (size_t i = 0; batches && i < BATCH_SIZES; i++)
        if (!time_steps(&trial->batches[i], round, error))
            return false;
    return true;
}

/* ---- All of it ---- */

static const struct model *shortest(const struct speed_request *request) {
    const struct model *found = request->models[0];
    for (size_t i = 1; i < request->n_models; i++)
        if (request->models[i]->config.context < found->config.context)
            found = request->models[i];
    return found;
}

/* All models get the same prompt, for which there is room in the shortest context. */
static bool choose_depth(struct speed *speed, struct error *error) {
    const struct model *model = shortest(speed->request);
    const uint64_t context = model->config.context;
    const size_t wanted = speed->request->depth, otherwise = context < PROMPT + BURST ? context / 2 : PROMPT;
    if (context < 4)
        return fail(error, "%s: a context of %llu tokens is too short to measure speed", model->path,
                    (unsigned long long)context);
    if (wanted >= context)
        return fail(error, "%s: --depth %zu leaves no room in a context of %llu tokens", model->path, wanted,
                    (unsigned long long)context);
    speed->depth = wanted ? wanted : otherwise;
    return true;
}

static bool open_alone(struct speed *speed, struct trial *trial, const struct model *model, float *logits,
                       struct error *error) {
    trial->depth = speed->depth;
    size_t end = trial->depth + least(BURST, model->config.context - trial->depth);
    trial->prompt = ARENA_NEW(&speed->arena, uint32_t, trial->depth, error);
    if (!trial->prompt || !session_open(&trial->session, model, end, least(trial->depth, PROMPT_BATCH),
                                        speed->request->pool, error))
        return false;
    for (size_t i = 0; i < trial->depth; i++)
        trial->prompt[i] = some_token(model, i);
    trial->alone = (struct generation){&trial->session, 1, trial->depth, end, logits, {0}, 0, 0};
    return true;
}

static bool open_batches(struct speed *speed, struct trial *trial, const struct model *model, float *logits,
                         struct error *error) {
    size_t end = least(BATCH_POSITIONS, model->config.context);
    if (!session_open_many(trial->sessions, BATCH_LARGEST, model, end, BATCH_LARGEST, speed->request->pool,
                           error))
        return false;
    for (size_t i = 0; i < BATCH_SIZES; i++)
        trial->batches[i] = (struct generation){trial->sessions, batch_size(i), 0, end, logits, {0}, 0, 0};
    return true;
}

static bool open_trial(struct speed *speed, size_t i, struct error *error) {
    const struct model *model = speed->request->models[i];
    struct trial *trial = &speed->trials[i];
    bool batches = speed->request->batches;
    float *logits = arena_alloc(&speed->arena, batches ? BATCH_LARGEST : 1,
                                model->config.vocab_size * sizeof *logits, error);
    return logits && open_alone(speed, trial, model, logits, error) &&
           (!batches || open_batches(speed, trial, model, logits, error));
}

static bool open_speed(struct speed *speed, struct error *error) {
    if (!choose_depth(speed, error))
        return false;
    speed->trials = ARENA_NEW(&speed->arena, struct trial, speed->request->n_models, error);
    for (size_t i = 0; speed->trials && i < speed->request->n_models; i++)
        if (!open_trial(speed, i, error))
            return false;
    return speed->trials && roof_open(&speed->roof, speed->request->pool, error);
}

static void close_speed(struct speed *speed) {
    for (size_t i = 0; speed->trials && i < speed->request->n_models; i++) {
        session_close(&speed->trials[i].session);
        session_close(speed->trials[i].sessions);
    }
    roof_close(&speed->roof);
    arena_free(&speed->arena);
}

/* One token of each model brings its weights into memory. */
static bool warm_up(struct speed *speed, struct error *error) {
    for (size_t i = 0; i < speed->request->n_models; i++) {
        struct trial *trial = &speed->trials[i];
        if (!session_forward(&trial->session, trial->prompt, 1, trial->alone.logits, 1, error))
            return false;
        progress_advance(1);
    }
    return true;
}

static bool run_rounds(struct speed *speed, struct error *error) {
    for (size_t round = 0; round < ROUNDS; round++) {
        speed->roofs[round] = roof_read(&speed->roof);
        for (size_t i = 0; i < speed->request->n_models; i++) {
            if (!take_turn(&speed->trials[i], speed->request->batches, round, error))
                return false;
            progress_advance(1);
        }
    }
    return true;
}

static void sum_up_batches(struct trial *trial, const struct model *model, struct row *row) {
    for (size_t i = 0; i < BATCH_SIZES; i++) {
        struct generation *g = &trial->batches[i];
        double rate = median(g->rates, ROUNDS);
        row->batches[i].tokens = rate * (double)g->n;
        row->batches[i].bandwidth = rate * ((double)model->streamed_bytes + g->kv_bytes / g->n_steps);
    }
    row->knee = batch_knee(row->batches);
}

static void sum_up(struct speed *speed, struct row *rows, struct evaluation *evaluation) {
    const struct speed_request *request = speed->request;
    evaluation->roof = median(speed->roofs, ROUNDS);
    evaluation->roof_bytes = ROOF_BYTES;
    evaluation->rounds = ROUNDS;
    evaluation->prompt = speed->depth;
    for (size_t i = 0; i < request->n_models; i++) {
        struct trial *trial = &speed->trials[i];
        struct generation *alone = &trial->alone;
        struct row *row = &rows[i];
        row->prefill = median(trial->prefills, trial->n_prefills);
        row->decode = median(alone->rates, ROUNDS);
        row->streamed_bytes = (double)request->models[i]->streamed_bytes + alone->kv_bytes / alone->n_steps;
        row->bandwidth = row->decode * row->streamed_bytes;
        row->roof_share = row->bandwidth / evaluation->roof;
        if (request->batches)
            sum_up_batches(trial, request->models[i], row);
    }
}

bool measure_speed(const struct speed_request *request, struct row *rows, struct evaluation *evaluation,
                   struct error *error) {
    struct speed speed = {.request = request};
    progress_start("speed", (ROUNDS + 1) * request->n_models, "turns", request->quiet);
    bool good = open_speed(&speed, error) && warm_up(&speed, error) && run_rounds(&speed, error);
    progress_done();
    if (good)
        sum_up(&speed, rows, evaluation);
    close_speed(&speed);
    return good;
}
