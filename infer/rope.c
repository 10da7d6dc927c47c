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

void rope_frequencies(const struct model_config *config, double *frequencies) {
    for (size_t i = 0; i < config->head_dim / 2; i++) {
        double plain = pow(config->rope_theta, -2.0 * (double)i / (double)config->head_dim);
        frequencies[i] = config->rope_kind == ROPE_LINEAR   ? plain / config->rope_factor
                         : config->rope_kind == ROPE_LLAMA3 ? llama3_scaled(config, plain)
                                                            : plain;
    }
}

void rope_turn(const double *frequencies, size_t head_dim, size_t position, float *turn) {
    for (size_t i = 0; i < head_dim / 2; i++) {
        double angle = (double)position * frequencies[i];
        turn[i] = (float)cos(angle);
        turn[head_dim / 2 + i] = (float)sin(angle);
    }
}

void rope_apply(const float *x, const float *turn, size_t head_dim, float scale, float *out) {
    size_t half = head_dim / 2;
    const float *cosine = turn, *sine = turn + half;
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[half + i];
        out[i] = (a * cosine[i] - b * sine[i]) * scale;
        out[half + i] = (b * cosine[i] + a * sine[i]) * scale;
    }
}
