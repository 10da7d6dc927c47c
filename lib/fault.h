/* Fault injection for tests: a countdown that strikes once, at the n-th event from now. */
#ifndef LIB_FAULT_H
#define LIB_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Counts one event; true for the one that must fail. Zero is off. Safe from several threads. */
static inline bool fault_strikes(atomic_size_t *countdown) {
    size_t left = atomic_load_explicit(countdown, memory_order_relaxed);
    while (left != 0 && !atomic_compare_exchange_weak(countdown, &left, left - 1))
        ;
    return left == 1;
}

#endif
