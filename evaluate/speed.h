/* Tokens a second, against what the memory allows.
 *
 * Rounds go over all models in turn, each begun by a plain read of memory with the same threads, so that
 * whatever else the machine does falls on all alike. Every figure is the median over rounds. */
#ifndef EVALUATE_SPEED_H
#define EVALUATE_SPEED_H

#include "evaluate/results.h"
#include "infer/session.h"

struct speed_request {
    struct model *const *models;
    size_t n_models;
    struct pool *pool;
    size_t depth; /* tokens of the prefill, behind which one sequence generates; 0: 128, or what fits */
    bool batches; /* measure batches as well (evaluate/batches.h) */
    bool quiet;
};

/* Fills prefill, decode, streamed_bytes, bandwidth and roof_share, and batches and knee where asked for, of
 * rows[n_models], and the evaluation's roof and what was done to find it. Refuses a depth that leaves no room
 * in a model's context. */
bool measure_speed(const struct speed_request *request, struct row *rows, struct evaluation *evaluation,
                   struct error *error);

#endif
