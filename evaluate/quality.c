#include "evaluate/quality.h"

#include "lib/progress.h"

#include <math.h>
#include <string.h>

#define BATCH 256 /* tokens to a pass */
#define SCORED_AT_ONCE 128 /* tokens whose logits are held at once, for two models */

/* What was found for every scored token of one subject, window by window. */
struct scores {
    struct session session;
    double *surprise; /* -log p of the token that came, nats */
    double *divergence;
    bool *agrees;
};

struct run {
    const struct quality_request *request;
    struct scores *scores; /* [n_subjects] */
    size_t windows, scored;
    uint32_t *window; /* [context] */
    float *logits, *reference_logits; /* (SCORED_AT_ONCE, vocab_size) */
    struct arena arena;
};

size_t scored_tokens(size_t context) {
    return context - context / 2 - 1;
}

/* ---- Scoring ---- */

struct job {
    const float *logits, *reference; /* reference NULL: no divergence */
    const uint32_t *targets;
    size_t count, vocab_size;
    double *surprise, *divergence;
    bool *agrees;
};

static void score_share(void *context, unsigned thread, unsigned n_threads) {
    const struct job *job = context;
    size_t begin, end, n = job->vocab_size;
    share_of(job->count, 1, thread, n_threads, &begin, &end);
    for (size_t i = begin; i < end; i++) {
        const float *q = job->logits + i * n;
        double q_sum = log_sum_exp(q, n);
        job->surprise[i] = q_sum - (double)q[job->targets[i]];
        if (!job->reference)
            continue;
        const float *p = job->reference + i * n;
        job->divergence[i] = divergence(p, log_sum_exp(p, n), q, q_sum, n);
        job->agrees[i] = index_of_largest(p, n) == index_of_largest(q, n);
    }
}

/* Takes in tokens [at, at + count) of the window and scores each against the one behind it. */
static bool score_part(struct run *run, size_t subject, size_t window, size_t at, size_t count,
                       struct error *error) {
    const struct quality_request *request = run->request;
    struct scores *scores = &run->scores[subject];
    const struct model *model = scores->session.model;
    bool compared = request->reference < request->n_subjects;
    float *logits = subject == request->reference ? run->reference_logits : run->logits;
    if (!session_forward(&scores->session, run->window + at, count, logits, count, error))
        return false;
    size_t to = window * run->scored + at - request->context / 2;
    struct job job = {logits,
                      compared ? run->reference_logits : NULL,
                      run->window + at + 1,
                      count,
                      model->config.vocab_size,
                      scores->surprise + to,
                      scores->divergence + to,
                      scores->agrees + to};
    pool_run(request->pool, score_share, &job);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(scores->surprise[to + i]))
            return fail(error, "%s: its logits are not all finite at token %zu of window %zu of the text",
                        model->path, at + i, window);
    return true;
}

/* The reference comes first, because the others are compared with its logits. */
static size_t subject_in_turn(const struct quality_request *request, size_t turn) {
    if (request->reference == request->n_subjects || turn > request->reference)
        return turn;
    return turn == 0 ? request->reference : turn - 1;
}

static bool score_window(struct run *run, size_t window, struct error *error) {
    const struct quality_request *request = run->request;
    size_t context = request->context, first = context / 2;
    for (size_t at = 0, n; at + 1 < context; at += n) {
        n = at < first ? first : context - 1 - at;
        if (at >= first && n > SCORED_AT_ONCE)
            n = SCORED_AT_ONCE;
        for (size_t turn = 0; turn < request->n_subjects; turn++) {
            size_t subject = subject_in_turn(request, turn);
            struct session *session = &run->scores[subject].session;
            subject_window(&request->subjects[subject], window, context, run->window);
            if (at == 0)
                session_rewind(session, 0);
            if (at < first ? !session_forward(session, run->window, n, NULL, 0, error)
                           : !score_part(run, subject, window, at, n, error))
                return false;
            progress_advance(n);
        }
    }
    return true;
}

/* ---- Setting up ---- */

static bool check_same_text(const struct quality_request *request, struct error *error) {
    const struct subject *reference = &request->subjects[request->reference];
    for (size_t i = 0; i < request->n_subjects; i++) {
        const struct subject *subject = &request->subjects[i];
        if (subject->model.config.vocab_size != reference->model.config.vocab_size)
            return fail(error, "%s: has a vocabulary of %llu tokens, the reference %s one of %llu",
                        subject->model.path, (unsigned long long)subject->model.config.vocab_size,
                        reference->model.path, (unsigned long long)reference->model.config.vocab_size);
        if (subject->tokens.count != reference->tokens.count ||
            memcmp(subject->tokens.ids, reference->tokens.ids, subject->tokens.count * sizeof(uint32_t)))
            return fail(error, "%s: cuts the text into other tokens than the reference %s",
                        subject->model.path, reference->model.path);
    }
    return true;
}

static bool plan(struct run *run, struct error *error) {
    const struct quality_request *request = run->request;
    run->scored = scored_tokens(request->context);
    run->windows = request->windows;
    for (size_t i = 0; i < request->n_subjects; i++)
        if (!subject_windows(&request->subjects[i], request->text, request->context, run->windows,
                             &run->windows, error))
            return false;
    return request->reference == request->n_subjects || check_same_text(request, error);
}

static bool open_scores(struct run *run, size_t i, struct error *error) {
    const struct quality_request *request = run->request;
    struct scores *scores = &run->scores[i];
    size_t n = run->windows * run->scored;
    scores->surprise = ARENA_NEW(&run->arena, double, n, error);
    scores->divergence = ARENA_NEW(&run->arena, double, n, error);
    scores->agrees = ARENA_NEW(&run->arena, bool, n, error);
    return scores->surprise && scores->divergence && scores->agrees &&
           session_open(&scores->session, &request->subjects[i].model, request->context, BATCH, request->pool,
                        error);
}

static bool open_run(struct run *run, struct error *error) {
    const struct quality_request *request = run->request;
    uint64_t largest_vocab = 0;
    for (size_t i = 0; i < request->n_subjects; i++)
        if (request->subjects[i].model.config.vocab_size > largest_vocab)
            largest_vocab = request->subjects[i].model.config.vocab_size;
    run->window = ARENA_NEW(&run->arena, uint32_t, request->context, error);
    run->logits = ARENA_NEW(&run->arena, float, SCORED_AT_ONCE *largest_vocab, error);
    run->reference_logits = ARENA_NEW(&run->arena, float, SCORED_AT_ONCE *largest_vocab, error);
    run->scores = ARENA_NEW(&run->arena, struct scores, request->n_subjects, error);
    if (!run->window || !run->logits || !run->reference_logits || !run->scores)
        return false;
    for (size_t i = 0; i < request->n_subjects; i++)
        if (!open_scores(run, i, error))
            return false;
    return true;
}

static void close_run(struct run *run) {
    for (size_t i = 0; run->scores && i < run->request->n_subjects; i++)
        session_close(&run->scores[i].session);
    arena_free(&run->arena);
}

/* ---- Summing up ---- */

/* A mean over tokens, with the standard error of the means over windows, which are of equal size. */
static bool by_window(const struct run *run, const double *values, struct estimate *estimate,
                      struct error *error) {
    struct arena scratch = {0};
    double *means = ARENA_NEW(&scratch, double, run->windows, error);
    for (size_t w = 0; means && w < run->windows; w++)
        means[w] = estimate_mean(values + w * run->scored, run->scored).mean;
    if (means)
        *estimate = estimate_mean(means, run->windows);
    arena_free(&scratch);
    return means != NULL;
}

static bool sum_up(const struct run *run, const struct scores *scores, struct row *row, struct error *error) {
    size_t n = run->windows * run->scored, agreed = 0;
    struct estimate surprise;
    if (!by_window(run, scores->surprise, &surprise, error) ||
        !by_window(run, scores->divergence, &row->divergence, error))
        return false;
    double perplexity = exp(surprise.mean);
    row->perplexity = (struct estimate){perplexity, perplexity * surprise.error}; /* to first order */
    row->divergence_p99 = quantile(scores->divergence, n, 0.99);
    for (size_t i = 0; i < n; i++)
        agreed += scores->agrees[i];
    row->agreement = (double)agreed / (double)n;
    return true;
}

static bool score_all(struct run *run, struct row *rows, struct error *error) {
    const struct quality_request *request = run->request;
    bool good = true;
    progress_start("evaluate", run->windows * (request->context - 1) * request->n_subjects, "tokens",
                   request->quiet);
    for (size_t w = 0; good && w < run->windows; w++)
        good = score_window(run, w, error);
    progress_done();
    for (size_t i = 0; good && i < request->n_subjects; i++)
        good = sum_up(run, &run->scores[i], &rows[i], error);
    return good;
}

bool measure_quality(const struct quality_request *request, struct row *rows, size_t *windows,
                     struct error *error) {
    struct run run = {.request = request};
    bool good = plan(&run, error) && open_run(&run, error) && score_all(&run, rows, error);
    *windows = run.windows;
    close_run(&run);
    return good;
}
