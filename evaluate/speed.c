#include "evaluate/speed.h"

#include "lib/progress.h"

#include <string.h>

#define ROUNDS 5
/* Several times the largest cache of a processor; no power of two, since places that lie one apart displace
 * each other in caches and banks. */
#define ROOF_BYTES ((size_t)1200000000)
#define PROMPT 128 /* tokens of the prefill; generation begins behind them */
#define BURST 64 /* tokens generated before the sequence is cut back to the prompt */
#define ROUND_SECONDS 0.25 /* at least so long, and one token, is spent on generation each round */
#define REPEAT_SECONDS 1.0 /* a prefill that takes longer is timed once */

struct trial {
    struct session session;
    size_t prompt, burst;
    double prefill[ROUNDS], decode[ROUNDS]; /* tokens a second */
    size_t n_prefills;
    double kv_bytes, n_tokens; /* summed over generated tokens */
    float *logits;
};

struct speed {
    const struct speed_request *request;
    struct trial *trials; /* [n_models] */
    double roof[ROUNDS];
    uint8_t *memory; /* [ROOF_BYTES] */
    uint64_t *kept; /* [THREADS_MAX]: results of the reads, so that they are not left out */
    struct arena arena;
};

/* ---- The roof ---- */

/* A cache line, read as whatever registers the compiler has. */
typedef uint64_t line_of_memory __attribute__((vector_size(64)));

#define PLACES                                                                                               \
    4 /* that a thread reads from in turn: each of a core's prefetchers follows a stream of its own */

/* The fastest plain read that we know. */
static void read_share(void *context, unsigned thread, unsigned n_threads) {
    const struct speed *speed = context;
    size_t begin, end;
    share_of(ROOF_BYTES, PLACES * sizeof(line_of_memory), thread, n_threads, &begin, &end);
    const line_of_memory *lines = (const void *)(speed->memory + begin);
    const size_t apart = (end - begin) / sizeof *lines / PLACES;
    line_of_memory sum = {0};
    for (size_t i = 0; i < apart; i++)
        for (size_t k = 0; k < PLACES; k++)
            sum |= lines[k * apart + i];
    uint64_t kept = 0;
    for (size_t i = 0; i < 8; i++)
        kept |= sum[i];
    speed->kept[thread] = kept;
}

static void touch_share(void *context, unsigned thread, unsigned n_threads) {
    const struct speed *speed = context;
    size_t begin, end;
    share_of(ROOF_BYTES, PLACES * sizeof(line_of_memory), thread, n_threads, &begin, &end);
    memset(speed->memory + begin, 1, end - begin);
}

static double read_memory(struct speed *speed) {
    double start = clock_seconds();
    pool_run(speed->request->pool, read_share, speed);
    return (double)ROOF_BYTES / (clock_seconds() - start);
}

/* ---- A model's turn ---- */

/* Which tokens does not matter for speed; these are spread over the vocabulary. */
static uint32_t some_token(const struct trial *trial, size_t i) {
    return (uint32_t)(i * 2654435761u % trial->session.model->config.vocab_size);
}

static bool prefill(struct trial *trial, struct error *error) {
    uint32_t tokens[PROMPT];
    for (size_t i = 0; i < trial->prompt; i++)
        tokens[i] = some_token(trial, i);
    session_rewind(&trial->session, 0);
    return session_forward(&trial->session, tokens, trial->prompt, trial->logits, 1, error);
}

static bool time_prefill(struct trial *trial, struct error *error) {
    double start = clock_seconds();
    if (!prefill(trial, error))
        return false;
    trial->prefill[trial->n_prefills++] = (double)trial->prompt / (clock_seconds() - start);
    return true;
}

static bool worth_repeating(const struct trial *trial) {
    return trial->n_prefills == 0 ||
           (double)trial->prompt / trial->prefill[trial->n_prefills - 1] < REPEAT_SECONDS;
}

static bool decode_one(struct trial *trial, struct error *error) {
    struct session *session = &trial->session;
    if (session->position == trial->prompt + trial->burst)
        session_rewind(session, trial->prompt);
    uint32_t token = some_token(trial, session->position);
    trial->kv_bytes += (double)session_kv_bytes(session, session->position);
    trial->n_tokens++;
    return session_forward(session, &token, 1, trial->logits, 1, error);
}

static bool time_decode(struct trial *trial, size_t round, struct error *error) {
    double start = clock_seconds(), elapsed;
    size_t n = 0;
    do {
        if (!decode_one(trial, error))
            return false;
        n++;
        elapsed = clock_seconds() - start;
    } while (elapsed < ROUND_SECONDS);
    trial->decode[round] = (double)n / elapsed;
    return true;
}

static bool take_turn(struct trial *trial, size_t round, struct error *error) {
    if (worth_repeating(trial) && !time_prefill(trial, error))
        return false;
    return time_decode(trial, round, error);
}

/* ---- All of it ---- */

static bool open_trial(struct speed *speed, size_t i, struct error *error) {
    struct trial *trial = &speed->trials[i];
    const struct model *model = speed->request->models[i];
    uint64_t context = model->config.context;
    if (context < 4)
        return fail(error, "%s: a context of %llu tokens is too short to measure speed", model->path,
                    (unsigned long long)context);
    trial->prompt = context < PROMPT + BURST ? context / 2 : PROMPT;
    trial->burst = context < PROMPT + BURST ? context - trial->prompt : BURST;
    trial->logits = ARENA_NEW(&speed->arena, float, model->config.vocab_size, error);
    return trial->logits && session_open(&trial->session, model, trial->prompt + trial->burst, trial->prompt,
                                         speed->request->pool, error);
}

static bool open_speed(struct speed *speed, struct error *error) {
    size_t n = speed->request->n_models;
    speed->kept = ARENA_NEW(&speed->arena, uint64_t, THREADS_MAX, error);
    speed->trials = ARENA_NEW(&speed->arena, struct trial, n, error);
    if (!speed->kept || !speed->trials)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!open_trial(speed, i, error))
            return false;
    speed->memory = memory_pages(ROOF_BYTES);
    if (!speed->memory)
        return fail(error, "no memory for %zu bytes, to measure how fast it can be read", ROOF_BYTES);
    return true;
}

static void close_speed(struct speed *speed) {
    for (size_t i = 0; speed->trials && i < speed->request->n_models; i++)
        session_close(&speed->trials[i].session);
    if (speed->memory)
        memory_pages_free(speed->memory, ROOF_BYTES);
    arena_free(&speed->arena);
}

/* One token of each model brings its weights into memory. */
static bool warm_up(struct speed *speed, struct error *error) {
    pool_run(speed->request->pool, touch_share, speed);
    for (size_t i = 0; i < speed->request->n_models; i++) {
        struct trial *trial = &speed->trials[i];
        uint32_t token = some_token(trial, 0);
        if (!session_forward(&trial->session, &token, 1, trial->logits, 1, error))
            return false;
        progress_advance(1);
    }
    return true;
}

static bool run_rounds(struct speed *speed, struct error *error) {
    for (size_t round = 0; round < ROUNDS; round++) {
        speed->roof[round] = read_memory(speed);
        for (size_t i = 0; i < speed->request->n_models; i++) {
            if (!take_turn(&speed->trials[i], round, error))
                return false;
            progress_advance(1);
        }
    }
    return true;
}

static void sum_up(struct speed *speed, struct row *rows, struct evaluation *evaluation) {
    evaluation->roof = median(speed->roof, ROUNDS);
    evaluation->roof_bytes = ROOF_BYTES;
    evaluation->rounds = ROUNDS;
    evaluation->prompt = PROMPT;
    for (size_t i = 0; i < speed->request->n_models; i++) {
        struct trial *trial = &speed->trials[i];
        struct row *row = &rows[i];
        row->prefill = median(trial->prefill, trial->n_prefills);
        row->decode = median(trial->decode, ROUNDS);
        row->streamed_bytes =
            (double)speed->request->models[i]->streamed_bytes + trial->kv_bytes / trial->n_tokens;
        row->bandwidth = row->decode * row->streamed_bytes;
        row->roof_share = row->bandwidth / evaluation->roof;
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
