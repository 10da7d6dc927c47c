#include "models/ordered.h"

#include <pthread.h>

enum state { FREE, MAKING, MADE, FAILED };

struct slot {
    enum state state;
    struct error error;
};

struct run {
    const struct ordered_work *work;
    struct slot *slots;
    struct error *error;

    pthread_mutex_t mutex; /* of what follows, and of the slots' states */
    pthread_cond_t slot_freed;
    uint64_t taken, passed; /* pieces */
    bool passing; /* some thread is at it */
    bool failed;
};

static size_t slot_of(const struct run *run, uint64_t piece) {
    return (size_t)(piece % run->work->n_slots);
}

static bool take(struct run *run, size_t *slot) {
    pthread_mutex_lock(&run->mutex);
    while (!run->failed && run->taken - run->passed == run->work->n_slots)
        pthread_cond_wait(&run->slot_freed, &run->mutex);
    *slot = slot_of(run, run->taken);
    bool taken = !run->failed && run->work->take(run->work->context, *slot);
    if (taken) {
        run->slots[*slot].state = MAKING;
        run->taken++;
    }
    pthread_mutex_unlock(&run->mutex);
    return taken;
}

/* With the mutex held, but for the call itself. */
static void pass_one(struct run *run, size_t i) {
    struct slot *slot = &run->slots[i];
    bool ok = slot->state == MADE;
    if (ok && !run->failed) {
        pthread_mutex_unlock(&run->mutex);
        ok = run->work->pass(run->work->context, i, &slot->error);
        pthread_mutex_lock(&run->mutex);
    }
    if (!ok && !run->failed) {
        run->failed = true;
        *run->error = slot->error;
    }
    slot->state = FREE;
    run->passed++;
    pthread_cond_broadcast(&run->slot_freed);
}

static void pass(struct run *run, size_t slot, bool made) {
    pthread_mutex_lock(&run->mutex);
    run->slots[slot].state = made ? MADE : FAILED;
    if (!run->passing) {
        run->passing = true;
        while (run->passed < run->taken && run->slots[slot_of(run, run->passed)].state != MAKING)
            pass_one(run, slot_of(run, run->passed));
        run->passing = false;
    }
    pthread_mutex_unlock(&run->mutex);
}

static void run_thread(void *context, unsigned thread, unsigned n_threads) {
    struct run *run = context;
    size_t slot;
    (void)n_threads;
    while (take(run, &slot)) {
        bool made = run->work->make(run->work->context, slot, thread, &run->slots[slot].error);
        pass(run, slot, made);
    }
}

bool ordered_run(const struct ordered_work *work, struct pool *pool, struct error *error) {
    struct arena arena = {0};
    struct run run = {.work = work, .error = error};
    run.slots = ARENA_NEW(&arena, struct slot, work->n_slots, error);
    if (!run.slots)
        return false;
    pthread_mutex_init(&run.mutex, NULL);
    pthread_cond_init(&run.slot_freed, NULL);
    pool_run(pool, run_thread, &run);
    pthread_cond_destroy(&run.slot_freed);
    pthread_mutex_destroy(&run.mutex);
    arena_free(&arena);
    return !run.failed;
}
