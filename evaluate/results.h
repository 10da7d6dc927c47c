/* What evaluate has found out, and the ways of showing it. */
#ifndef EVALUATE_RESULTS_H
#define EVALUATE_RESULTS_H

#include "evaluate/batches.h"
#include "evaluate/statistics.h"
#include "lib/memory.h"

#include <stdio.h>

struct row {
    const char *file; /* the path as given, or the label of a synthetic model */
    const char *name; /* as tables show it: the path's last part where that is unique */
    const char *type; /* that most of its bytes are of */
    bool synthetic;
    uint64_t file_bytes, tensor_bytes;
    double bits_per_weight; /* of all tensor data */

    struct estimate perplexity;

    struct estimate divergence; /* from the reference, nats a token */
    double divergence_p99, agreement; /* agreement: share of tokens with the same best guess */

    double prefill, decode; /* tokens a second */
    double streamed_bytes; /* per generated token: weights and KV cache */
    double bandwidth, roof_share; /* bandwidth in bytes a second */

    struct batch_speed batches[BATCH_SIZES];
    double knee; /* batch_knee of them */
};

struct machine {
    const char *cpu, *level, *os, *compiler, *version;
    unsigned threads, processors;
};

struct evaluation {
    bool has_perplexity, has_divergence, has_speed, has_batches; /* what was asked for, of every row */
    bool has_fit;
    struct row *rows;
    size_t n_rows;

    const char *text; /* what was read: a path, or what the embedded text is called */
    const char *reference;
    size_t context, windows, scored; /* tokens to a window, windows, tokens scored in each */

    double roof; /* bytes a second */
    size_t roof_bytes, rounds, prompt; /* bytes read each round; rounds; tokens of the prefill */
    struct line fit; /* seconds a token against streamed bytes */

    const struct rooflines *rooflines; /* evaluate/roofline.h; NULL where not asked for */

    struct machine machine;
    const char *command; /* as it was typed */
};

/* Whether a model is so small that it may stay in the processor's cache, where a share of the memory's speed
 * says nothing. */
bool row_may_be_cached(const struct row *row);

struct machine machine_here(unsigned threads, struct arena *arena);

bool print_table(const struct evaluation *evaluation, struct buffer *to, struct error *error);
bool print_json(const struct evaluation *evaluation, struct buffer *to, struct error *error);
/* One HTML page that needs nothing else. */
bool print_report(const struct evaluation *evaluation, struct buffer *to, struct error *error);

#endif
