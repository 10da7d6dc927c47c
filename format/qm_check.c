#include "format/qm_rules.h"
#include "lib/progress.h"
#include "lib/threads.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

/* Small enough for the second-level cache, so that what is read is still there to be hashed. */
#define PIECE 262144u

/* Work is handed out by tensor, in the order of the file; each brings the padding before it. The last item is
 * the padding before the directory. Sentences are kept, and told in that order. */
struct check {
    const struct container *container;
    const struct tensor *const *tensors;
    uint64_t data_begin, data_end;
    atomic_size_t next;
    uint8_t *pieces; /* PIECE bytes a thread */
    pthread_mutex_t lock; /* of what follows */
    struct arena arena;
    struct trouble {
        const char *padding, *tensor;
    } * troubles; /* [n_tensors + 1], NULL where all is well */
};

static void keep(struct check *check, const char **place, const struct error *error) {
    struct error ignored;
    pthread_mutex_lock(&check->lock);
    const char *copy = arena_text(&check->arena, error->text, strlen(error->text), &ignored);
    *place = copy ? copy : "out of memory";
    pthread_mutex_unlock(&check->lock);
}

static bool check_padding(const struct check *check, size_t item, uint8_t *piece, struct error *error) {
    const struct container *container = check->container;
    uint64_t begin =
        item ? check->tensors[item - 1]->offset + check->tensors[item - 1]->size : check->data_begin;
    uint64_t end = item < container->n_tensors ? check->tensors[item]->offset : check->data_end;
    size_t size = (size_t)(end - begin); /* below the largest alignment */
    if (!input_read(container->files, piece, size, begin, error))
        return false;
    return qm_is_zero(piece, size) ||
           fail(error, "%s: the padding from %" PRIu64 " to %" PRIu64 " is not zero", container->path, begin,
                end);
}

static bool check_tensor(const struct check *check, const struct tensor *tensor, uint8_t *piece,
                         struct error *error) {
    struct digest_state state;
    digest_begin(&state);
    for (uint64_t at = 0; at < tensor->size;) {
        size_t size = tensor->size - at < PIECE ? (size_t)(tensor->size - at) : PIECE;
        if (!tensor_read(check->container, tensor, piece, size, at, error))
            return false;
        digest_add(&state, piece, size);
        progress_advance(size);
        at += size;
    }
    struct digest128 digest = digest_end(&state);
    return digest_is(&digest, tensor->digest.bytes) ||
           fail(error, "%s: tensor '%s' is damaged: XXH3-128 is %s, stored is %s", check->container->path,
                tensor->name, digest_text(digest.bytes).hex, digest_text(tensor->digest.bytes).hex);
}

static void check_items(void *context, unsigned thread, unsigned n_threads) {
    struct check *check = context;
    uint8_t *piece = check->pieces + (size_t)thread * PIECE;
    size_t n = check->container->n_tensors, item;
    struct error error;
    (void)n_threads;
    while ((item = atomic_fetch_add(&check->next, 1)) <= n) {
        if (!check_padding(check, item, piece, &error))
            keep(check, &check->troubles[item].padding, &error);
        if (item < n && !check_tensor(check, check->tensors[item], piece, &error))
            keep(check, &check->troubles[item].tensor, &error);
    }
}

static bool prepare(struct check *check, unsigned n_threads, struct error *error) {
    const struct qm_details *details = check->container->details;
    check->data_begin = details->data_begin;
    check->data_end = details->data_end;
    check->tensors = qm_by_offset(check->container, &check->arena, error);
    check->pieces = arena_alloc(&check->arena, n_threads, PIECE, error);
    check->troubles = ARENA_NEW(&check->arena, struct trouble, check->container->n_tensors + 1, error);
    return check->tensors && check->pieces && check->troubles;
}

bool qm_check_data(const struct container *container, struct pool *pool,
                   void (*bad)(void *context, const struct tensor *tensor, const char *sentence),
                   void *context) {
    struct check check = {.container = container, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct error error;
    bool good = prepare(&check, pool_size(pool), &error);
    if (good)
        pool_run(pool, check_items, &check);
    else
        bad(context, NULL, error.text);
    for (size_t i = 0; check.troubles && i <= container->n_tensors; i++) {
        const struct trouble *trouble = &check.troubles[i];
        good = good && !trouble->padding && !trouble->tensor;
        if (trouble->padding)
            bad(context, NULL, trouble->padding);
        if (trouble->tensor)
            bad(context, check.tensors[i], trouble->tensor);
    }
    arena_free(&check.arena);
    return good;
}
