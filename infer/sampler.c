#include "infer/sampler.h"

#include <math.h>
#include <string.h>

#define MAX_PENALTY_WINDOW (1u << 20)

struct candidate {
    double weight; /* not normalized; the best has 1 */
    float logit;
    uint32_t id;
};

struct sampler {
    struct sampling settings;
    size_t vocab_size;
    struct candidate *candidates; /* [vocab_size], a heap while they are being picked */
    size_t count;
    uint32_t *window; /* the last tokens, a ring of penalty_window */
    uint64_t n_seen;
    uint64_t *penalized_at; /* [vocab_size]: 1 + n_seen when an id was last penalized: each once a time */
    uint64_t random_state;
};

/* ---- PCG32: O'Neill 2014, XSH-RR, with the stream of its reference implementation ---- */

static uint32_t random_32(struct sampler *sampler) {
    uint64_t old = sampler->random_state;
    sampler->random_state = old * 6364136223846793005u + 0xda3e39cb94b95bdbu;
    uint32_t shifted = (uint32_t)((old >> 18 ^ old) >> 27), rotation = (uint32_t)(old >> 59);
    return shifted >> rotation | shifted << (-rotation & 31);
}

static void random_seed(struct sampler *sampler, uint64_t seed) {
    sampler->random_state = 0;
    random_32(sampler);
    sampler->random_state += seed;
    random_32(sampler);
}

/* Uniform in [0, 1), 53 bits. */
static double random_unit(struct sampler *sampler) {
    uint64_t high = random_32(sampler), low = random_32(sampler);
    return (double)((high << 32 | low) >> 11) * 0x1p-53;
}

/* e^x for x <= 0, in plain arithmetic, since libm's last bits differ from one machine to the next: x is split
 * into k ln 2 + r with |r| <= ln 2 / 2, where the series needs no terms beyond r^12. */
static double exp_portable(double x) {
    static const double inverse_factorials[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       1.0 / 2,      1,           1};
    if (!(x > -700))
        return 0;
    double k = (double)(int64_t)(x * 1.4426950408889634 - 0.5);
    double r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33; /* ln 2 in two parts */
    double sum = 0;
    for (size_t i = 0; i < sizeof inverse_factorials / sizeof *inverse_factorials; i++)
        sum = sum * r + inverse_factorials[i];
    uint64_t bits = (uint64_t)(1023 + (int64_t)k) << 52; /* 2^k */
    double power;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

/* ---- Settings ---- */

static bool settings_check(const struct sampling *s, struct error *error) {
    if (!(s->temperature >= 0 && s->temperature <= 1e6))
        return fail(error, "the temperature is %g, it can be 0 to 1000000", s->temperature);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return fail(error, "top-p is %g, it can be over 0 and up to 1", s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return fail(error, "min-p is %g, it can be 0 to 1", s->min_p);
    if (!(s->repetition_penalty > 0 && s->repetition_penalty <= 1e6))
        return fail(error, "the repetition penalty is %g, it can be over 0 and up to 1000000",
                    s->repetition_penalty);
    if (s->penalty_window > MAX_PENALTY_WINDOW)
        return fail(error, "the repetition penalty reaches %llu tokens back, it can be up to %u",
                    (unsigned long long)s->penalty_window, MAX_PENALTY_WINDOW);
    return true;
}

struct sampler *sampler_new(const struct sampling *sampling, size_t vocab_size, struct arena *arena,
                            struct error *error) {
    if (!settings_check(sampling, error))
        return NULL;
    struct sampler *sampler = ARENA_NEW(arena, struct sampler, 1, error);
    if (!sampler)
        return NULL;
    *sampler = (struct sampler){.settings = *sampling, .vocab_size = vocab_size};
    if (sampling->repetition_penalty == 1)
        sampler->settings.penalty_window = 0;
    sampler->candidates = ARENA_NEW(arena, struct candidate, vocab_size, error);
    sampler->window = ARENA_NEW(arena, uint32_t, sampler->settings.penalty_window + 1, error);
    sampler->penalized_at = ARENA_NEW(arena, uint64_t, vocab_size, error);
    random_seed(sampler, sampling->seed);
    return sampler->candidates && sampler->window && sampler->penalized_at ? sampler : NULL;
}

/* ---- Repetition penalty ---- */

void sampler_saw(struct sampler *sampler, uint32_t id) {
    uint64_t window = sampler->settings.penalty_window;
    if (window > 0 && id < sampler->vocab_size)
        sampler->window[sampler->n_seen++ % window] = id;
}

static void penalize(struct sampler *sampler, float *logits) {
    float penalty = (float)sampler->settings.repetition_penalty;
    uint64_t window = sampler->settings.penalty_window;
    for (uint64_t i = 0; i < window && i < sampler->n_seen; i++) {
        uint32_t id = sampler->window[i];
        if (sampler->penalized_at[id] == sampler->n_seen + 1)
            continue;
        sampler->penalized_at[id] = sampler->n_seen + 1;
        logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
    }
}

/* ---- Picking ---- */

static bool better(const struct candidate *a, const struct candidate *b) {
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static bool worse(const struct candidate *a, const struct candidate *b) {
    return better(b, a);
}

/* Binary heaps; `above` says which of two candidates belongs nearer to the top. */
typedef bool above_fn(const struct candidate *a, const struct candidate *b);

static void sift_down(struct candidate *heap, size_t count, size_t i, above_fn *above) {
    struct candidate moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && above(&heap[child + 1], &heap[child]))
            child++;
        if (!above(&heap[child], &moving))
            break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

static void heapify(struct candidate *heap, size_t count, above_fn *above) {
    for (size_t i = count / 2; i-- > 0;)
        sift_down(heap, count, i, above);
}

/* Most logits are too small to matter; blocks of them are passed over by vector instructions. What is not a
 * number is above nothing. */
enum { BLOCK = 64 };

static bool any_above(const float *logits, size_t count, float least) {
    int found = 0;
    for (size_t i = 0; i < count; i++)
        found |= logits[i] > least;
    return found;
}

static size_t block_at(size_t begin, size_t count) {
    return count - begin < BLOCK ? count - begin : BLOCK;
}

/* The k best of n, with the worst of them on top of the heap, where the others meet it. */
static void take_best(struct sampler *sampler, const float *logits, size_t n, size_t k) {
    struct candidate *heap = sampler->candidates;
    sampler->count = k;
    for (size_t id = 0; id < k; id++)
        heap[id] =
            (struct candidate){.logit = isnan(logits[id]) ? -INFINITY : logits[id], .id = (uint32_t)id};
    if (k == n)
        return;
    heapify(heap, k, worse);
    for (size_t begin = k, size; begin < n; begin += size) {
        size = block_at(begin, n);
        if (!any_above(logits + begin, size, heap[0].logit))
            continue;
        for (size_t id = begin; id < begin + size; id++)
            if (logits[id] > heap[0].logit) { /* of equals, the one before stays */
                heap[0] = (struct candidate){.logit = logits[id], .id = (uint32_t)id};
                sift_down(heap, k, 0, worse);
            }
    }
}

static double weigh(struct sampler *sampler) {
    struct candidate *candidates = sampler->candidates, *best = candidates;
    for (size_t i = 1; i < sampler->count; i++)
        if (better(&candidates[i], best))
            best = &candidates[i];
    double total = 0, top = best->logit;
    for (size_t i = 0; i < sampler->count; i++) {
        double logit = candidates[i].logit; /* infinities are equal to themselves, but differ by no number */
        candidates[i].weight = logit == top ? 1 : exp_portable((logit - top) / sampler->settings.temperature);
        total += candidates[i].weight;
    }
    return total;
}

/* Keeps the best whose weights first reach `enough`: they leave the heap in order, to the array's end. */
static void take_mass(struct sampler *sampler, double enough) {
    struct candidate *heap = sampler->candidates;
    size_t left = sampler->count;
    double mass = 0;
    heapify(heap, left, better);
    while (left > 0 && mass < enough) {
        struct candidate best = heap[0];
        mass += best.weight;
        heap[0] = heap[--left];
        sift_down(heap, left, 0, better);
        heap[left] = best;
    }
    sampler->count -= left;
    memmove(heap, heap + left, sampler->count * sizeof *heap);
}

static void drop_below(struct sampler *sampler, double least) {
    size_t kept = 0;
    for (size_t i = 0; i < sampler->count; i++)
        if (sampler->candidates[i].weight >= least)
            sampler->candidates[kept++] = sampler->candidates[i];
    sampler->count = kept;
}

static uint32_t draw(struct sampler *sampler) {
    double total = 0;
    for (size_t i = 0; i < sampler->count; i++)
        total += sampler->candidates[i].weight;
    double left = random_unit(sampler) * total;
    size_t i = 0;
    while (i + 1 < sampler->count && (left -= sampler->candidates[i].weight) >= 0)
        i++;
    return sampler->candidates[i].id;
}

static uint32_t best_of(const float *logits, size_t n) {
    size_t best = 0;
    float top = -INFINITY;
    for (size_t begin = 0, size; begin < n; begin += size) {
        size = block_at(begin, n);
        if (!any_above(logits + begin, size, top))
            continue;
        for (size_t id = begin; id < begin + size; id++)
            if (logits[id] > top)
                top = logits[best = id];
    }
    return (uint32_t)best;
}

uint32_t sampler_next(struct sampler *sampler, float *logits) {
    const struct sampling *settings = &sampler->settings;
    size_t n = sampler->vocab_size;
    penalize(sampler, logits);
    if (settings->temperature == 0)
        return best_of(logits, n);
    take_best(sampler, logits, n, settings->top_k > 0 && settings->top_k < n ? settings->top_k : n);
    double total = weigh(sampler);
    if (settings->top_p < 1)
        take_mass(sampler, settings->top_p * total);
    if (settings->min_p > 0)
        drop_below(sampler, settings->min_p);
    return draw(sampler);
}
