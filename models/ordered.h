/* Pieces made by all threads at once and passed on in order.
 *
 * take() is called for one piece after the other. make() does the work that pieces can do apart. pass() is
 * called for one piece after the other again, in the order in which they were taken, by whichever thread
 * comes along; the others go on making meanwhile, as far ahead as there are slots. The first piece that
 * fails, in that order, decides the error, however many threads there are. */
#ifndef MODELS_ORDERED_H
#define MODELS_ORDERED_H

#include "lib/threads.h"

struct ordered_work {
    /* Puts the next piece into the slot; false when there are no more. */
    bool (*take)(void *context, size_t slot);
    bool (*make)(void *context, size_t slot, unsigned thread, struct error *error);
    bool (*pass)(void *context, size_t slot, struct error *error);
    void *context;
    size_t n_slots; /* pieces taken and not yet passed, at most; no fewer than the pool has threads */
};

bool ordered_run(const struct ordered_work *work, struct pool *pool, struct error *error);

#endif
