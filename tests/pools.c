#include "tests/pools.h"

#include <stdio.h>
#include <stdlib.h>

const unsigned pool_sizes[N_POOLS] = {1, 2, 5};
struct pool *pools[N_POOLS];

void open_pools(void) {
    struct error error;
    for (size_t i = 0; i < N_POOLS; i++)
        if (!(pools[i] = pool_new(pool_sizes[i], &error))) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
}

void close_pools(void) {
    for (size_t i = 0; i < N_POOLS; i++)
        pool_free(pools[i]);
}
