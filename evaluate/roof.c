#include "evaluate/roof.h"

#include "lib/progress.h"

#include <string.h>

/* A cache line, read as whatever registers the compiler has. */
typedef uint64_t line_of_memory __attribute__((vector_size(64)));

#define PLACES                                                                                               \
    4 /* that a thread reads from in turn: each of a core's prefetchers follows a stream of its own */

static void own_share(unsigned thread, unsigned n_threads, size_t *begin, size_t *end) {
    share_of(ROOF_BYTES, PLACES * sizeof(line_of_memory), thread, n_threads, begin, end);
}

#define BYTES_AHEAD 2048

/* Some processors read faster when told what comes, others slower. */
static inline __attribute__((always_inline)) void read_own(void *context, unsigned thread, unsigned n_threads,
                                                           bool ahead) {
    const struct roof *roof = context;
    size_t begin, end;
    own_share(thread, n_threads, &begin, &end);
    const line_of_memory *lines = (const void *)(roof->memory + begin);
    const size_t apart = (end - begin) / sizeof *lines / PLACES;
    line_of_memory sum = {0};
    for (size_t i = 0; i < apart; i++)
        for (size_t k = 0; k < PLACES; k++) {
            if (ahead)
                __builtin_prefetch((const void *)((uintptr_t)(lines + k * apart + i) + BYTES_AHEAD));
            sum |= lines[k * apart + i];
        }
    uint64_t kept = 0;
    for (size_t i = 0; i < 8; i++)
        kept |= sum[i];
    roof->kept[thread] = kept;
}

static void read_plainly(void *context, unsigned thread, unsigned n_threads) {
    read_own(context, thread, n_threads, false);
}

static void read_told(void *context, unsigned thread, unsigned n_threads) {
    read_own(context, thread, n_threads, true);
}

static void touch_share(void *context, unsigned thread, unsigned n_threads) {
    const struct roof *roof = context;
    size_t begin, end;
    own_share(thread, n_threads, &begin, &end);
    memset(roof->memory + begin, 1, end - begin);
}

bool roof_open(struct roof *roof, struct pool *pool, struct error *error) {
    *roof = (struct roof){.pool = pool};
    roof->kept = ARENA_NEW(&roof->arena, uint64_t, THREADS_MAX, error);
    if (!roof->kept)
        return false;
    roof->memory = memory_pages(ROOF_BYTES);
    if (!roof->memory)
        return fail(error, "no memory for %zu bytes, to measure how fast it can be read", ROOF_BYTES);
    pool_run(pool, touch_share, roof);
    return true;
}

void roof_close(struct roof *roof) {
    if (roof->memory)
        memory_pages_free(roof->memory, ROOF_BYTES);
    arena_free(&roof->arena);
}

static double speed_of(struct roof *roof, pool_work *read) {
    double start = clock_seconds();
    pool_run(roof->pool, read, roof);
    return (double)ROOF_BYTES / (clock_seconds() - start);
}

double roof_read(struct roof *roof) {
    double plain = speed_of(roof, read_plainly), told = speed_of(roof, read_told);
    return plain > told ? plain : told;
}
