/* The roof: the fastest plain read of memory that we know. A model that generates reads its weights no
 * faster. */
#ifndef EVALUATE_ROOF_H
#define EVALUATE_ROOF_H

#include "lib/threads.h"

/* Several times the largest cache of a processor; no power of two, since places that lie one apart displace
 * each other in caches and banks. */
#define ROOF_BYTES ((size_t)1200000000)

struct roof {
    struct pool *pool;
    uint8_t *memory; /* [ROOF_BYTES] */
    uint64_t *kept; /* [THREADS_MAX]: results of the reads, so that they are not left out */
    struct arena arena;
};

bool roof_open(struct roof *roof, struct pool *pool, struct error *error);
void roof_close(struct roof *roof);

/* Reads all of it with all threads of the pool, once plainly and once with prefetch instructions. Bytes a
 * second of the faster. */
double roof_read(struct roof *roof);

#endif
