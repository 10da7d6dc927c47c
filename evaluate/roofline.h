/* How many tokens a second a device can generate at most, and which of its limits says so (Williams, Waterman
 * and Patterson 2009).
 *
 * A step of generation reads every weight once, whatever the batch, and does two operations with each for
 * every sequence of the batch. So memory allows batch * bandwidth / bytes tokens a second, arithmetic allows
 * operations / (2 * weights) however large the batch is. Where both allow the same lies the knee: smaller
 * batches wait for memory, larger ones for arithmetic. The KV cache, which each sequence reads for itself, is
 * left out. */
#ifndef EVALUATE_ROOFLINE_H
#define EVALUATE_ROOFLINE_H

#include "evaluate/devices.h"
#include "evaluate/page.h"
#include "lib/json.h"

/* A model as devices see it. */
struct workload {
    const char *name;
    double stored_bytes; /* that a device must hold */
    double bytes; /* of weights that a step reads */
    double operations; /* for each token */
    double arithmetic; /* operations a second that its matrices reach on this machine */
};

struct roofline {
    double memory; /* tokens a second that bandwidth allows at batch 1 */
    double arithmetic; /* that arithmetic allows at any batch; 0 where it is not known */
    double knee; /* batch at which both allow the same, below 1 where arithmetic is scarcer from the start; 0
                    where not known */
    bool fits; /* the device holds the model */
};

struct roofline roofline_of(const struct workload *workload, const struct device *device);

/* Several models on this machine, as measured, and on known devices, as predicted. */
struct rooflines {
    double bandwidth; /* bytes a second that this machine reads */
    struct devices known;
    struct workload *workloads;
    size_t n_workloads;
};

/* Of workload `index` on this machine. */
struct roofline roofline_here(const struct rooflines *rooflines, size_t index);

bool print_rooflines(const struct rooflines *rooflines, struct buffer *to, struct error *error);
/* The array of devices for workload `index`, this machine first. NULL where memory is out or a number is not
 * finite. */
json_t *roofline_json(const struct rooflines *rooflines, size_t index);
void put_rooflines(struct page *page, const struct rooflines *rooflines);

#endif
