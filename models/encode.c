/* The tensors are cut into pieces, handed out in order to whoever is free. A thread reads, converts and
 * writes its piece on its own; then pieces pass one gate in order, where their bytes enter the tensor's
 * digest. So digests need no second pass, the bytes depend on nothing but the input, and the error that is
 * reported is always that of the first piece that has one. */
#include "models/encode.h"

#include "format/qm.h"
#include "lib/progress.h"
#include "models/values.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES                                                                                          \
    (512u << 10) /* of a copied piece; of the floats of a converted one. Half of it fits L2                  \
                  */

/* Part of a tensor: rows of one that is converted, blocks of one that is copied. */
struct piece {
    uint64_t number; /* of all pieces */
    size_t tensor;
    uint64_t begin, end;
};

struct thread_buffers {
    void *raw, *encoded;
    float *values;
};

struct job {
    struct import *import;
    struct tensor *planned; /* [import->n_tensors] */
    struct qm_writer *writer;
    struct thread_buffers *buffers; /* [pool_size()] */
    struct arena arena;

    pthread_mutex_t mutex;
    pthread_cond_t gate_moved;
    struct piece next; /* to be handed out */
    uint64_t gate; /* the piece whose turn it is */
    size_t next_source; /* to be hashed */
    bool failed;
    struct error *error; /* of the first piece that failed */
    bool hash_failed;
    struct error hash_error;
};

/* ---- The plan ---- */

struct tensor encode_planned(const struct import *import, const struct encode_plan *plan, size_t i) {
    const struct role_tensor *role = &import->roles[i];
    struct tensor planned = {.name = role->name, .n_dims = role->n_dims};
    memcpy(planned.dims, role->dims, sizeof role->dims);
    planned.type = import->tensors[i]->type;
    planned.layout = import->tensors[i]->layout;
    const struct type *type = plan->types[i];
    if (type && type != planned.type) {
        planned.type = type;
        planned.layout =
            (struct type_layout){type->name, type->panel_rows, type->block_cols, type->block_bytes};
    }
    return planned;
}

bool encode_total(const struct import *import, const struct encode_plan *plan, struct encode_totals *totals,
                  struct error *error) {
    *totals = (struct encode_totals){0};
    for (size_t i = 0; i < import->n_tensors; i++) {
        struct tensor planned = encode_planned(import, plan, i);
        uint64_t bytes, n_rows, n_cols;
        if (!tensor_bytes(&planned, &bytes))
            return fail(error, "%s: tensor '%s' has %u dimension%s, which type %s cannot hold",
                        import_file_of(import, i), planned.name, planned.n_dims,
                        planned.n_dims > 1 ? "s" : "", planned.layout.name);
        tensor_rows_cols(&planned, &n_rows, &n_cols);
        totals->n_weights += n_rows * n_cols;
        totals->bytes_before += import->tensors[i]->size;
        totals->bytes_after += bytes;
    }
    return true;
}

bool encode_check_path(const char *path, struct error *error) {
    const char *base = path_base(path), *ending = strrchr(base, '.');
    if (ending && !strcmp(ending, ".qm"))
        return true;
    return fail(error, "%s: only files whose name ends in .qm can be written so far", path);
}

static bool is_copy(const struct job *job, size_t i) {
    return job->planned[i].type == job->import->tensors[i]->type;
}

static uint64_t rows_of(const struct tensor *tensor) {
    uint64_t n_rows, n_cols;
    tensor_rows_cols(tensor, &n_rows, &n_cols);
    return n_rows;
}

static uint64_t cols_of(const struct tensor *tensor) {
    return tensor->dims[tensor->n_dims - 1];
}

/* Rows or blocks of tensor i in all, and in one piece. */
static uint64_t units_of(const struct job *job, size_t i) {
    const struct tensor *tensor = job->import->tensors[i];
    return is_copy(job, i) ? tensor->size / tensor->layout.block_bytes : rows_of(tensor);
}

static uint64_t units_in_piece(const struct job *job, size_t i) {
    const struct tensor *tensor = job->import->tensors[i];
    if (is_copy(job, i)) {
        uint64_t blocks = PIECE_BYTES / tensor->layout.block_bytes;
        return blocks ? blocks : 1;
    }
    uint64_t panels = PIECE_BYTES / sizeof(float) / cols_of(tensor) / PANEL_ROWS;
    return panels ? panels * PANEL_ROWS : PANEL_ROWS;
}

/* ---- Pieces ---- */

static bool copy_piece(struct job *job, const struct thread_buffers *buffers, const struct piece *piece,
                       size_t *size, struct error *error) {
    const struct tensor *tensor = job->import->tensors[piece->tensor];
    uint64_t block = tensor->layout.block_bytes;
    *size = (size_t)((piece->end - piece->begin) * block);
    return tensor_read(&job->import->container, tensor, buffers->encoded, *size, piece->begin * block,
                       error) &&
           (!tensor->type ||
            blocks_check_finite(tensor, import_file_of(job->import, piece->tensor), buffers->encoded,
                                piece->begin, (size_t)(piece->end - piece->begin), error)) &&
           qm_write(job->writer, piece->tensor, buffers->encoded, *size, piece->begin * block, error);
}

static bool encode_rows(const struct job *job, const struct thread_buffers *buffers,
                        const struct piece *piece, struct error *error) {
    const struct tensor *from = job->import->tensors[piece->tensor];
    const struct type *type = job->planned[piece->tensor].type;
    struct unfit unfit;
    if (type_encode(type)(buffers->values, (size_t)(piece->end - piece->begin), (size_t)cols_of(from), NULL,
                          buffers->encoded, &unfit))
        return true;
    return fail(error, "%s: tensor '%s' has %g in row %" PRIu64 ", column %zu, which does not fit %s",
                import_file_of(job->import, piece->tensor), from->name, (double)unfit.value,
                piece->begin + unfit.row, unfit.col, type->name);
}

static bool convert_piece(struct job *job, const struct thread_buffers *buffers, const struct piece *piece,
                          size_t *size, struct error *error) {
    const struct tensor *to = &job->planned[piece->tensor];
    uint64_t offset, bytes;
    if (!matrix_bytes(to->type, piece->begin, cols_of(to), &offset) ||
        !matrix_bytes(to->type, piece->end - piece->begin, cols_of(to), &bytes))
        return fail(error, "tensor '%s' is too large", to->name);
    *size = (size_t)bytes;
    return import_read_rows(job->import, piece->tensor, piece->begin, piece->end - piece->begin,
                            buffers->values, buffers->raw, error) &&
           encode_rows(job, buffers, piece, error) &&
           qm_write(job->writer, piece->tensor, buffers->encoded, *size, offset, error);
}

static bool make_piece(struct job *job, const struct thread_buffers *buffers, const struct piece *piece,
                       size_t *size, struct error *error) {
    return is_copy(job, piece->tensor) ? copy_piece(job, buffers, piece, size, error)
                                       : convert_piece(job, buffers, piece, size, error);
}

/* ---- Handing out, and the gate ---- */

static bool take_piece(struct job *job, struct piece *piece) {
    pthread_mutex_lock(&job->mutex);
    struct piece *next = &job->next;
    while (next->tensor < job->import->n_tensors && next->begin == units_of(job, next->tensor)) {
        next->tensor++;
        next->begin = 0;
    }
    bool taken = !job->failed && next->tensor < job->import->n_tensors;
    if (taken) {
        uint64_t units = units_of(job, next->tensor), step = units_in_piece(job, next->tensor);
        next->end = units - next->begin < step ? units : next->begin + step;
        *piece = *next;
        next->begin = next->end;
        next->number++;
    }
    pthread_mutex_unlock(&job->mutex);
    return taken;
}

static void wait_for_turn(struct job *job, uint64_t number) {
    pthread_mutex_lock(&job->mutex);
    while (job->gate != number)
        pthread_cond_wait(&job->gate_moved, &job->mutex);
    pthread_mutex_unlock(&job->mutex);
}

static void end_turn(struct job *job, const struct error *error) {
    pthread_mutex_lock(&job->mutex);
    if (error && !job->failed) {
        job->failed = true;
        *job->error = *error;
    }
    job->gate++;
    pthread_cond_broadcast(&job->gate_moved);
    pthread_mutex_unlock(&job->mutex);
}

static uint64_t piece_source_bytes(const struct job *job, const struct piece *piece) {
    const struct tensor *tensor = job->import->tensors[piece->tensor];
    return (uint64_t)((double)tensor->size * (double)(piece->end - piece->begin) /
                      (double)units_of(job, piece->tensor));
}

static void make_pieces(struct job *job, const struct thread_buffers *buffers) {
    struct piece piece;
    while (take_piece(job, &piece)) {
        struct error error;
        size_t size = 0;
        bool ok = make_piece(job, buffers, &piece, &size, &error);
        wait_for_turn(job, piece.number);
        if (ok)
            qm_digest(job->writer, piece.tensor, buffers->encoded, size);
        end_turn(job, ok ? NULL : &error);
        progress_advance(piece_source_bytes(job, &piece));
    }
}

/* ---- Hashing of the sources, alongside ---- */

static bool take_source(struct job *job, size_t *source) {
    pthread_mutex_lock(&job->mutex);
    bool taken = !job->failed && !job->hash_failed && job->next_source < job->import->n_sources;
    if (taken)
        *source = job->next_source++;
    pthread_mutex_unlock(&job->mutex);
    return taken;
}

static void hash_sources(struct job *job) {
    size_t source;
    while (take_source(job, &source)) {
        struct error error;
        if (import_hash_source(job->import, source, &error))
            continue;
        pthread_mutex_lock(&job->mutex);
        job->hash_failed = true;
        job->hash_error = error;
        pthread_mutex_unlock(&job->mutex);
    }
}

/* One thread begins with the sources, the others with the tensors; whoever is done helps the rest. */
static void work(void *context, unsigned thread, unsigned n_threads) {
    struct job *job = context;
    (void)n_threads;
    if (thread == 0)
        hash_sources(job);
    make_pieces(job, &job->buffers[thread]);
    hash_sources(job);
}

/* ---- Memory ---- */

static bool most(uint64_t *largest, const struct type_layout *layout, uint64_t rows, uint64_t cols) {
    uint64_t bytes, blocks = (cols + layout->block_cols - 1) / layout->block_cols;
    if (!mul_sizes((rows + layout->panel_rows - 1) / layout->panel_rows, blocks, &blocks) ||
        !mul_sizes(blocks, layout->block_bytes, &bytes))
        return false;
    *largest = bytes > *largest ? bytes : *largest;
    return true;
}

/* What one piece of any tensor needs at most: its raw bytes, its floats, its new bytes. */
static bool measure(const struct job *job, uint64_t *raw, uint64_t *values, uint64_t *encoded,
                    struct error *error) {
    static const struct type_layout floats = {"f32", 1, 1, sizeof(float)};
    for (size_t i = 0; i < job->import->n_tensors; i++) {
        const struct tensor *from = job->import->tensors[i], *to = &job->planned[i];
        uint64_t units = units_in_piece(job, i), cols = cols_of(from);
        bool ok = is_copy(job, i)
                      ? most(encoded, &(struct type_layout){"", 1, 1, from->layout.block_bytes}, 1, units)
                      : most(raw, &from->layout, units, cols) && most(values, &floats, units, cols) &&
                            most(encoded, &to->layout, units, cols);
        if (!ok)
            return fail(error, "%s: tensor '%s' is too large", import_file_of(job->import, i), from->name);
    }
    return true;
}

static bool reserve_buffers(struct job *job, unsigned n_threads, struct error *error) {
    uint64_t raw = 0, values = 0, encoded = 0;
    if (!measure(job, &raw, &values, &encoded, error))
        return false;
    job->buffers = ARENA_NEW(&job->arena, struct thread_buffers, n_threads, error);
    for (unsigned i = 0; job->buffers && i < n_threads; i++) {
        struct thread_buffers *b = &job->buffers[i];
        b->raw = arena_alloc(&job->arena, 1, (size_t)raw, error);
        b->values = b->raw ? arena_alloc(&job->arena, 1, (size_t)values, error) : NULL;
        b->encoded = b->values ? arena_alloc(&job->arena, 1, (size_t)encoded, error) : NULL;
        if (!b->encoded)
            return false;
    }
    return job->buffers;
}

/* ---- The whole ---- */

static bool refuse_own_input(const struct import *import, const char *path, struct error *error) {
    for (size_t i = 0; i < import->container.n_files; i++)
        if (file_same(path, import->container.files[i].path))
            return fail(error, "%s: is the input itself; the output must be another file", path);
    return true;
}

static bool plan_tensors(struct job *job, const struct encode_plan *plan, struct error *error) {
    size_t n = job->import->n_tensors;
    job->planned = ARENA_NEW(&job->arena, struct tensor, n, error);
    for (size_t i = 0; job->planned && i < n; i++) {
        job->planned[i] = encode_planned(job->import, plan, i);
        if (job->planned[i].n_dims == 1 && job->planned[i].layout.panel_rows != 1)
            return fail(error, "tensor '%s' has one dimension, which type %s cannot hold",
                        job->planned[i].name, job->planned[i].layout.name);
    }
    return job->planned;
}

static bool write_tensors(struct job *job, struct pool *pool, const char *title, bool quiet,
                          struct error *error) {
    uint64_t total = 0;
    for (size_t i = 0; i < job->import->n_tensors; i++)
        total += job->import->tensors[i]->size;
    progress_start(title, total, "B", quiet);
    job->error = error;
    pthread_mutex_init(&job->mutex, NULL);
    pthread_cond_init(&job->gate_moved, NULL);
    pool_run(pool, work, job);
    pthread_cond_destroy(&job->gate_moved);
    pthread_mutex_destroy(&job->mutex);
    progress_done();
    if (!job->failed && job->hash_failed)
        return fail(error, "%s", job->hash_error.text);
    return !job->failed;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct blob *)a)->name, ((const struct blob *)b)->name);
}

/* The input's blobs, with this file's own recipe, and the manifest of sources where it did not come along. */
static struct blob *gather_blobs(struct job *job, const char *recipe, struct buffer *manifest, size_t *count,
                                 struct error *error) {
    const struct container *container = &job->import->container;
    struct blob *blobs = ARENA_NEW(&job->arena, struct blob, container->n_blobs + 2, error);
    if (!blobs)
        return NULL;
    for (size_t i = 0; i < container->n_blobs; i++)
        if (strcmp(container->blobs[i].name, "recipe.json"))
            blobs[(*count)++] = container->blobs[i];
    blobs[(*count)++] = (struct blob){"recipe.json", recipe, strlen(recipe)};
    if (!job->import->is_qm) {
        if (!import_write_sources(job->import, manifest, error))
            return NULL;
        blobs[(*count)++] = (struct blob){"sources.json", manifest->data, manifest->size};
    }
    qsort(blobs, *count, sizeof *blobs, by_name);
    return blobs;
}

/* Releases the writer in any case. */
static bool finish(struct job *job, const char *recipe, struct error *error) {
    struct metadata metadata = {.arena = &job->arena};
    struct buffer manifest = {0};
    size_t n_blobs = 0;
    struct blob *blobs = config_to_metadata(&job->import->config, &metadata, error)
                             ? gather_blobs(job, recipe, &manifest, &n_blobs, error)
                             : NULL;
    bool ok = blobs != NULL;
    if (ok)
        ok = qm_finish(job->writer, &metadata, blobs, n_blobs, error);
    else
        qm_abandon(job->writer);
    buffer_free(&manifest);
    return ok;
}

static bool run_job(struct job *job, const char *recipe, const char *path, bool force, struct pool *pool,
                    const char *title, bool quiet, struct error *error) {
    job->writer = qm_create(path, force, job->planned, job->import->n_tensors, error);
    if (!job->writer)
        return false;
    if (write_tensors(job, pool, title, quiet, error))
        return finish(job, recipe, error);
    qm_abandon(job->writer);
    return false;
}

bool encode_model(struct import *import, const struct encode_plan *plan, const char *path, bool force,
                  struct pool *pool, const char *title, bool quiet, struct error *error) {
    struct job job = {.import = import};
    bool ok = refuse_own_input(import, path, error) && plan_tensors(&job, plan, error) &&
              reserve_buffers(&job, pool_size(pool), error) &&
              run_job(&job, plan->recipe, path, force, pool, title, quiet, error);
    arena_free(&job.arena);
    return ok;
}
