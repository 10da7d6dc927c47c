#include "infer/attention.h"

#include <math.h>
#include <string.h>

static void *value_at(void *cached, const struct attention_cache *cache, size_t i) {
    return (char *)cached + i * cache->kernels->value_bytes;
}

void attention_store(const struct attention_cache *cache, size_t position, const float *key,
                     const float *value) {
    size_t bytes = cache->kernels->value_bytes, head_dim = cache->head_dim;
    char *to = value_at(cache->keys, cache, position / TILE * TILE * head_dim + position % TILE);
    for (size_t d = 0; d < head_dim; d += TILE) {
        char part[TILE * sizeof(float)];
        size_t n = least(head_dim - d, TILE);
        cache->kernels->store(key + d, n, part);
        for (size_t i = 0; i < n; i++)
            memcpy(to + (d + i) * TILE * bytes, part + i * bytes, bytes);
    }
    cache->kernels->store(value, head_dim, value_at(cache->values, cache, position * cache->width));
}

bool attention_init(struct attention *attention, size_t capacity, size_t head_dim, float softcap,
                    struct arena *arena, struct error *error) {
    size_t width = (head_dim + TILE - 1) / TILE * TILE;
    attention->capacity = capacity;
    attention->softcap = softcap;
    attention->queries = ARENA_NEW(arena, float, capacity *head_dim, error);
    attention->begins = ARENA_NEW(arena, size_t, capacity, error);
    attention->limits = ARENA_NEW(arena, size_t, capacity, error);
    attention->sums = ARENA_NEW(arena, float, capacity *width, error);
    attention->totals = ARENA_NEW(arena, float, capacity, error);
    attention->largest = ARENA_NEW(arena, float, capacity, error);
    attention->scores = ARENA_NEW(arena, float, capacity *ATTENTION_BLOCK, error);
    attention->scale = ARENA_NEW(arena, float, capacity, error);
    return attention->queries && attention->begins && attention->limits && attention->sums &&
           attention->totals && attention->largest && attention->scores && attention->scale;
}

/* Queries [first, last) that see something of the n positions from `block` on. */
struct seeing {
    size_t first, last, block, n;
};

/* Turns a block's scores into weights; those of positions that a query does not see become 0. */
static void soften_block(struct attention *a, const struct kernels *kernels, const struct seeing *s) {
    for (size_t j = s->first; j < s->last; j++) {
        float *scores = a->scores + j * ATTENTION_BLOCK;
        size_t begin = most(a->begins[j], s->block) - s->block, end = least(a->limits[j] - s->block, s->n);
        if (a->softcap > 0)
            kernels->soft_cap(scores + begin, end - begin, a->softcap);
        a->scale[j] = kernels->soften(scores + begin, end - begin, &a->largest[j], &a->totals[j]);
        memset(scores, 0, begin * sizeof *scores);
        memset(scores + end, 0, (s->n - end) * sizeof *scores);
    }
}

static void attend_to_block(struct attention *a, const struct kernels *kernels,
                            const struct attention_cache *cache, const struct seeing *s) {
    size_t head_dim = cache->head_dim, width = cache->width, first = s->first, n_queries = s->last - first;
    for (size_t i = 0; i < s->n; i += TILE)
        cache->kernels->scores(a->queries + first * head_dim, n_queries, head_dim,
                               value_at(cache->keys, cache, (s->block + i) * head_dim),
                               a->scores + first * ATTENTION_BLOCK + i, ATTENTION_BLOCK);
    soften_block(a, kernels, s);
    cache->kernels->weigh(a->scores + first * ATTENTION_BLOCK, ATTENTION_BLOCK, a->scale + first, n_queries,
                          value_at(cache->values, cache, s->block * width), s->n, width,
                          a->sums + first * width);
}

void attention_run(struct attention *a, const struct kernels *kernels, const struct attention_cache *cache,
                   size_t begin, size_t end) {
    struct seeing s = {.block = begin};
    memset(a->sums, 0, a->n_queries * cache->width * sizeof *a->sums);
    for (size_t j = 0; j < a->n_queries; j++) {
        a->totals[j] = 0;
        a->largest[j] = -INFINITY;
    }
    for (; s.block < end; s.block += ATTENTION_BLOCK) {
        s.n = least(end - s.block, ATTENTION_BLOCK);
        while (s.first < a->n_queries && a->limits[s.first] <= s.block)
            s.first++; /* has seen all of its positions */
        while (s.last < a->n_queries && a->begins[s.last] < s.block + s.n)
            s.last++;
        attend_to_block(a, kernels, cache, &s);
    }
}
