#include "infer/jinja/sort.h"

#include "infer/jinja/engine.h"

struct pair {
    struct value key, item;
};

/* Reversed, equal keys stay in order too. */
static bool merge(struct engine *engine, const struct pair *a, size_t n_a, const struct pair *b, size_t n_b,
                  bool reverse, struct pair *to) {
    while (n_a > 0 && n_b > 0) {
        int order;
        if (!value_order(engine, reverse ? &b->key : &a->key, reverse ? &a->key : &b->key, &order))
            return false;
        bool takes_a = order <= 0;
        *to++ = takes_a ? *a++ : *b++;
        n_a -= takes_a;
        n_b -= !takes_a;
    }
    memcpy(to, n_a ? a : b, (n_a + n_b) * sizeof *to);
    return true;
}

/* From runs of `width` in `from` to runs of twice that in `to`. */
static bool merge_runs(struct engine *engine, const struct pair *from, size_t count, size_t width,
                       bool reverse, struct pair *to) {
    for (size_t i = 0; i < count; i += 2 * width) {
        size_t left = count - i, n_a = left < width ? left : width;
        size_t n_b = left - n_a < width ? left - n_a : width;
        if (!merge(engine, from + i, n_a, from + i + n_a, n_b, reverse, to + i))
            return false;
    }
    return true;
}

bool sort_by_keys(struct engine *engine, struct value *items, struct value *keys, size_t count,
                  bool reverse) {
    struct pair *from = engine_take(engine, count, sizeof *from),
                *to = engine_take(engine, count, sizeof *to);
    if (!from || !to)
        return false;
    for (size_t i = 0; i < count; i++)
        from[i] = (struct pair){keys[i], items[i]};
    for (size_t width = 1; width < count; width *= 2) {
        struct pair *sorted = to;
        if (!merge_runs(engine, from, count, width, reverse, to))
            return false;
        to = from;
        from = sorted;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = from[i].key;
        items[i] = from[i].item;
    }
    return true;
}
