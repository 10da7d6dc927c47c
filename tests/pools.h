/* Thread pools of three sizes, for tests in which the number of threads must not matter. */
#ifndef TESTS_POOLS_H
#define TESTS_POOLS_H

#include "lib/threads.h"

#define N_POOLS 3

extern const unsigned pool_sizes[N_POOLS]; /* 1, 2 and 5 threads */
extern struct pool *pools[N_POOLS];

/* Dies if it cannot. */
void open_pools(void);
void close_pools(void);

#endif
