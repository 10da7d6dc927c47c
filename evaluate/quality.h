/* Perplexity, and divergence from a reference, by llama.cpp's convention, so that figures compare.
 *
 * The text is cut into windows that share no tokens; what is left over is dropped. Each window is read from
 * an empty cache and its second half is scored: tokens context / 2 + 1 to context - 1, each given all before
 * it. All models read a window in step with the reference, so its log-probabilities are never stored or
 * rounded. */
#ifndef EVALUATE_QUALITY_H
#define EVALUATE_QUALITY_H

#include "evaluate/subject.h"

struct quality_request {
    struct subject *subjects; /* already read */
    size_t n_subjects;
    size_t reference; /* index of the subject that the others are compared with, or n_subjects for none */
    const struct text *text;
    size_t context, windows; /* windows: at most so many */
    struct pool *pool;
    bool quiet;
};

/* Fills perplexity, divergence, divergence_p99 and agreement of rows[n_subjects]; sets *windows to how many
 * were read, the least over the subjects. Errors are over windows, which are nearly independent; tokens of
 * one window are not. */
bool measure_quality(const struct quality_request *request, struct row *rows, size_t *windows,
                     struct error *error);

/* Tokens of a window that are scored. */
size_t scored_tokens(size_t context);

#endif
