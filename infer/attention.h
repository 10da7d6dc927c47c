/* Causal attention of query heads that share a key-value head, over its cache.
 *
 * The cache of one head holds its keys in tiles of TILE positions, transposed, [tile][head_dim][TILE], so
 * that one query value meets TILE keys at once and no sum crosses lanes; and its values row by row,
 * [position][width], width being head_dim padded to a multiple of TILE. Either is read from front to back.
 *
 * Softmax runs online over blocks of positions (Milakov and Gimelshein 2018; Dao et al. 2022), so scratch
 * does not grow with the context, and parts of a sequence attended to separately can be merged. */
#ifndef INFER_ATTENTION_H
#define INFER_ATTENTION_H

#include "infer/kernels.h"
#include "lib/memory.h"

#define ATTENTION_BLOCK 64 /* positions whose scores are held at once; a multiple of TILE */

struct attention_cache {
    const struct cache_kernels *kernels; /* of its format */
    void *keys, *values; /* of one head */
    size_t head_dim, width;
};

/* Stores one position. key and value are [head_dim]. */
void attention_store(const struct attention_cache *cache, size_t position, const float *key,
                     const float *value);

/* Queries in progress, and what they have gathered: sums / total is a query's output once all of its
 * positions were seen. Owned by one thread. */
struct attention {
    size_t capacity; /* queries that there is room for */
    size_t n_queries;
    float *queries; /* (n_queries, head_dim), scaled */
    /* [n_queries]: query j sees positions begins[j] <= p < limits[j], at least one; never falling with j */
    size_t *begins, *limits;
    float softcap; /* scores s become softcap * tanh(s / softcap); 0: they stay */
    float *sums; /* (n_queries, width) */
    float *totals, *largest; /* [n_queries] */
    float *scores; /* (n_queries, ATTENTION_BLOCK), scratch */
    float *scale; /* [n_queries], scratch */
};

bool attention_init(struct attention *attention, size_t capacity, size_t head_dim, float softcap,
                    struct arena *arena, struct error *error);

/* Lets the queries attend to positions begin <= p < end (begin a multiple of TILE) that they see, from
 * nothing. Keys outside this range are read only to fill a tile. Sets sums, totals and largest; a query that
 * saw nothing has total 0 and largest -infinity. */
void attention_run(struct attention *attention, const struct kernels *kernels,
                   const struct attention_cache *cache, size_t begin, size_t end);

#endif
