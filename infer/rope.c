#include "infer/rope.h"

#include <math.h>

/* Llama 3.1: waves that turn less than low_freq_factor times within the original context are slowed down by
 * `factor`, those that turn more than high_freq_factor times are kept, and between them the two are mixed. */
static double llama3_scaled(const struct model_config *c, double frequency) {
    double turns = (double)c->rope_original_context * frequency / (2 * M_PI);
    if (turns > c->rope_high_freq_factor)
        return frequency;
    if (turns < c->rope_low_freq_factor)
        return frequency / c->rope_factor;
    double kept = (turns - c->rope_low_freq_factor) / (c->rope_high_freq_factor - c->rope_low_freq_factor);
    return (1 - kept) * frequency / c->rope_factor + kept * frequency;
}

/* YaRN: the pair of `dim` values, not a whole one, that turns so often within the original context. */
static double turning_pair(const struct model_config *c, size_t dim, double turns) {
    double slowness = log((double)c->rope_original_context / (turns * 2 * M_PI));
    return (double)dim * slowness / (2 * log(c->rope_theta));
}

static double yarn_scaled(const struct model_config *c, size_t dim, size_t i, double frequency) {
    double first = turning_pair(c, dim, c->rope_beta_fast), last = turning_pair(c, dim, c->rope_beta_slow);
    if (c->rope_truncate) {
        first = floor(first);
        last = ceil(last);
    }
    first = fmax(first, 0);
    last = fmin(last, (double)dim - 1);
    double width = first == last ? 0.001 : last - first;
    double slowed = fmin(fmax(((double)i - first) / width, 0), 1);
    return slowed * frequency / c->rope_factor + (1 - slowed) * frequency;
}

/* The frequency of pair i. */
static double scaled(const struct model_config *c, size_t dim, size_t i, double frequency, size_t capacity) {
    switch ((enum rope_kind)c->rope_kind) {
    case ROPE_LINEAR:
        return frequency / c->rope_factor;
    case ROPE_LLAMA3:
        return llama3_scaled(c, frequency);
    case ROPE_LONG:
        return frequency / (capacity > c->rope_original_context ? c->rope_long_factors.values[i]
                                                                : c->rope_short_factors.values[i]);
    case ROPE_YARN:
        return yarn_scaled(c, dim, i, frequency);
    case ROPE_PLAIN:
        break;
    }
    return frequency;
}

static double yarn_attention_factor(const struct model_config *c) {
    double step = 0.1 * log(c->rope_factor);
    return c->rope_mscale > 0 ? (1 + step * c->rope_mscale) / (1 + step * c->rope_mscale_all_dim) : 1 + step;
}

static double attention_factor(const struct model_config *c) {
    if (c->rope_attention_factor > 0)
        return c->rope_attention_factor;
    if (c->rope_kind == ROPE_YARN)
        return yarn_attention_factor(c);
    if (c->rope_kind == ROPE_LONG)
        return sqrt(1 + log(c->rope_factor) / log((double)c->rope_original_context));
    return 1;
}

bool rope_init(struct rope *rope, const struct model_config *c, bool local, size_t capacity,
               struct arena *arena, struct error *error) {
    rope->dim = c->rope_dim ? c->rope_dim : c->head_dim;
    rope->factor = local ? 1 : attention_factor(c);
    rope->frequencies = ARENA_NEW(arena, double, rope->dim / 2, error);
    for (size_t i = 0; rope->frequencies && i < rope->dim / 2; i++) {
        double theta = local ? c->rope_local_theta : c->rope_theta;
        double plain = pow(theta, -2.0 * (double)i / (double)rope->dim);
        rope->frequencies[i] = local ? plain : scaled(c, rope->dim, i, plain, capacity);
    }
    return rope->frequencies != NULL;
}

void rope_turn(const struct rope *rope, size_t position, float *turn) {
    for (size_t i = 0; i < rope->dim / 2; i++) {
        double angle = (double)position * rope->frequencies[i];
        turn[i] = (float)(cos(angle) * rope->factor);
        turn[rope->dim / 2 + i] = (float)(sin(angle) * rope->factor);
    }
}

void rope_apply(const float *x, const float *turn, size_t dim, size_t head_dim, float scale, float *out) {
    size_t half = dim / 2;
    const float *cosine = turn, *sine = turn + half;
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[half + i];
        out[i] = (a * cosine[i] - b * sine[i]) * scale;
        out[half + i] = (b * cosine[i] + a * sine[i]) * scale;
    }
    for (size_t i = dim; i < head_dim; i++)
        out[i] = x[i] * scale;
}
