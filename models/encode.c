/* One pass over the input. The tensors are cut into pieces in the order in which they lie in the input's
 * files. Threads read, convert and write pieces apart; then the pieces' bytes enter the digests in order: the
 * new bytes that of their tensor, the old ones that of their file. So nothing is read twice but the parts of
 * views, which do not come in the order of their file; and the bytes written depend on nothing but the input.
 */
#include "models/encode.h"

#include "format/qm.h"
#include "lib/progress.h"
#include "models/ordered.h"
#include "models/source_hash.h"
#include "models/values.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of a copied piece, or of the floats of a converted one: it stays in a core's cache from being read to being
 * written. */
#define PIECE_BYTES (512u << 10)

/* Pieces that threads may be ahead of the digests, where they are not too large. */
#define SLOTS_PER_THREAD 4
#define SLOTS_BYTES (64u << 20)

/* Part of a tensor: rows of one that is converted, blocks of one that is copied. */
struct piece {
    size_t tensor;
    uint64_t begin, end;
    void *old, *new; /* bytes; the same buffer where they are copied */
    size_t old_size, new_size;
    uint64_t old_offset, new_offset; /* in the tensor's data */
    void *buffers[2];
};

struct job {
    struct import *import;
    struct tensor *planned; /* [import->n_tensors] */
    size_t *order; /* [import->n_tensors]: by place in the input's files */
    struct qm_writer *writer;
    struct source_hash hash;
    size_t next; /* of order */
    uint64_t next_begin;
    struct piece *slots;
    size_t n_slots;
    float **values; /* a buffer for each thread */
    struct arena arena;
};

/* ---- The plan ---- */

struct tensor encode_planned(const struct import *import, const struct encode_plan *plan, size_t i) {
    const struct role_tensor *role = &import->roles[i];
    struct tensor planned = {.name = role->name, .n_dims = role->n_dims};
    memcpy(planned.dims, role->dims, sizeof role->dims);
    planned.type = import->tensors[i]->type;
    planned.layout = import->tensors[i]->layout;
    const struct type *type = plan->types[i];
    if (!type && planned.type)
        type = planned.type->native;
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
            return fail(error, "%s: tensor '%s' has one dimension, which type %s cannot hold",
                        import->container.path, planned.name, planned.layout.name);
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

/* ---- Pieces ---- */

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

static bool bytes_of_rows(const struct tensor *tensor, uint64_t begin, uint64_t end, uint64_t *offset,
                          size_t *size) {
    uint64_t bytes;
    if (!matrix_bytes(tensor->type, begin, cols_of(tensor), offset) ||
        !matrix_bytes(tensor->type, end - begin, cols_of(tensor), &bytes))
        return false; /* not where the whole tensor has a size */
    *size = (size_t)bytes;
    return true;
}

static bool take(void *context, size_t slot) {
    struct job *job = context;
    if (job->next < job->import->n_tensors && job->next_begin == units_of(job, job->order[job->next])) {
        job->next++;
        job->next_begin = 0;
    }
    if (job->next == job->import->n_tensors)
        return false;
    struct piece *piece = &job->slots[slot];
    piece->tensor = job->order[job->next];
    piece->begin = job->next_begin;
    uint64_t left = units_of(job, piece->tensor) - piece->begin, step = units_in_piece(job, piece->tensor);
    piece->end = job->next_begin += left < step ? left : step;
    return true;
}

static bool copy_piece(struct job *job, struct piece *piece, struct error *error) {
    const struct tensor *tensor = job->import->tensors[piece->tensor];
    size_t n_blocks = (size_t)(piece->end - piece->begin), block_bytes = tensor->layout.block_bytes;
    piece->old = piece->new = piece->buffers[0];
    piece->old_size = piece->new_size = n_blocks * block_bytes;
    piece->old_offset = piece->new_offset = piece->begin * block_bytes;
    return import_read(job->import, piece->tensor, piece->old, piece->old_size, piece->old_offset, error) &&
           (!tensor->type || blocks_check_finite(tensor, import_file_of(job->import, piece->tensor),
                                                 piece->old, piece->begin, n_blocks, error));
}

static bool encode_rows(const struct job *job, const struct piece *piece, const struct matrix *rows,
                        struct error *error) {
    const struct tensor *from = job->import->tensors[piece->tensor];
    const struct type *type = job->planned[piece->tensor].type;
    struct unfit unfit;
    if (type_encode(type)(rows, NULL, piece->new, &unfit))
        return true;
    return fail(error, "%s: tensor '%s' has %g in row %" PRIu64 ", column %zu, which does not fit %s",
                import_file_of(job->import, piece->tensor), from->name, (double)unfit.value,
                piece->begin + unfit.row, unfit.col, type->name);
}

/* Does the planned type hold the same weights in other places? */
static bool is_repacked(const struct job *job, size_t i) {
    const struct type *from = job->import->tensors[i]->type;
    return from && from->repack && from->native == job->planned[i].type;
}

static bool encode_or_repack(struct job *job, struct piece *piece, float *values, struct error *error) {
    uint64_t n = piece->end - piece->begin;
    struct matrix rows;
    if (!is_repacked(job, piece->tensor))
        return import_read_for_encoder(job->import, piece->tensor, piece->begin, n, values, piece->old, &rows,
                                       error) &&
               encode_rows(job, piece, &rows, error);
    if (!import_read_stored(job->import, piece->tensor, piece->begin, n, piece->old, &rows, error))
        return false;
    rows.type->repack(rows.data, rows.n_rows, rows.n_cols, piece->new);
    return true;
}

static bool convert_piece(struct job *job, struct piece *piece, float *values, struct error *error) {
    const struct tensor *from = job->import->tensors[piece->tensor], *to = &job->planned[piece->tensor];
    piece->old = piece->buffers[0];
    piece->new = piece->buffers[1];
    return bytes_of_rows(from, piece->begin, piece->end, &piece->old_offset, &piece->old_size) &&
           bytes_of_rows(to, piece->begin, piece->end, &piece->new_offset, &piece->new_size) &&
           encode_or_repack(job, piece, values, error);
}

static bool make(void *context, size_t slot, unsigned thread, struct error *error) {
    struct job *job = context;
    struct piece *piece = &job->slots[slot];
    bool ok = is_copy(job, piece->tensor) ? copy_piece(job, piece, error)
                                          : convert_piece(job, piece, job->values[thread], error);
    return ok && qm_write(job->writer, piece->tensor, piece->new, piece->new_size, piece->new_offset, error);
}

static bool pass(void *context, size_t slot, struct error *error) {
    struct job *job = context;
    const struct piece *piece = &job->slots[slot];
    qm_digest(job->writer, piece->tensor, piece->new, piece->new_size);
    progress_advance(piece->old_size);
    if (job->import->is_qm || job->import->views[piece->tensor]) /* whose parts the hash reads itself */
        return true;
    return source_hash_add(&job->hash, job->import->tensors[piece->tensor], piece->old, piece->old_size,
                           piece->old_offset, error);
}

/* ---- Memory ---- */

static bool enlarge(uint64_t *most, const struct type_layout *layout, uint64_t rows, uint64_t cols) {
    uint64_t blocks = (cols + layout->block_cols - 1) / layout->block_cols, bytes;
    if (!mul_sizes((rows + layout->panel_rows - 1) / layout->panel_rows, blocks, &blocks) ||
        !mul_sizes(blocks, layout->block_bytes, &bytes))
        return false;
    *most = bytes > *most ? bytes : *most;
    return true;
}

/* What one piece of any tensor needs at most. */
static bool measure(const struct job *job, uint64_t *old, uint64_t *values, uint64_t *new,
                    struct error *error) {
    static const struct type_layout floats = {"f32", 1, 1, sizeof(float)};
    for (size_t i = 0; i < job->import->n_tensors; i++) {
        const struct tensor *from = job->import->tensors[i], *to = &job->planned[i];
        uint64_t units = units_in_piece(job, i), cols = cols_of(from);
        struct type_layout block = {"", 1, 1, from->layout.block_bytes};
        bool ok =
            is_copy(job, i)
                ? enlarge(old, &block, 1, units)
                : enlarge(old, &from->layout, units, cols) && enlarge(new, &to->layout, units, cols) &&
                      ((from->type && type_is_plain(from->type)) || enlarge(values, &floats, units, cols));
        if (!ok)
            return fail(error, "%s: tensor '%s' is too large", import_file_of(job->import, i), from->name);
    }
    return true;
}

static size_t count_slots(uint64_t bytes, unsigned n_threads) {
    uint64_t wanted = (uint64_t)n_threads * SLOTS_PER_THREAD, room = SLOTS_BYTES / bytes;
    return (size_t)(room < n_threads ? n_threads : room < wanted ? room : wanted);
}

static bool reserve(struct job *job, unsigned n_threads, struct error *error) {
    uint64_t old = 1, values = 1, new = 1;
    if (!measure(job, &old, &values, &new, error))
        return false;
    job->n_slots = count_slots(old + new, n_threads);
    job->slots = ARENA_NEW(&job->arena, struct piece, job->n_slots, error);
    job->values = job->slots ? ARENA_NEW(&job->arena, float *, n_threads, error) : NULL;
    if (!job->values)
        return false;
    for (size_t i = 0; i < job->n_slots; i++) {
        job->slots[i].buffers[0] = arena_alloc(&job->arena, 1, (size_t)old, error);
        job->slots[i].buffers[1] =
            job->slots[i].buffers[0] ? arena_alloc(&job->arena, 1, (size_t) new, error) : NULL;
        if (!job->slots[i].buffers[1])
            return false;
    }
    for (unsigned i = 0; i < n_threads; i++)
        if (!(job->values[i] = arena_alloc(&job->arena, 1, (size_t)values, error)))
            return false;
    return true;
}

/* ---- The whole ---- */

static bool plan_tensors(struct job *job, const struct encode_plan *plan, struct error *error) {
    struct encode_totals totals;
    size_t n = job->import->n_tensors;
    job->planned = ARENA_NEW(&job->arena, struct tensor, n, error);
    for (size_t i = 0; job->planned && i < n; i++)
        job->planned[i] = encode_planned(job->import, plan, i);
    return job->planned && encode_total(job->import, plan, &totals, error);
}

struct place {
    const struct tensor *tensor;
    size_t i;
};

static int by_place(const void *a, const void *b) {
    const struct tensor *x = ((const struct place *)a)->tensor, *y = ((const struct place *)b)->tensor;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static bool order_tensors(struct job *job, struct error *error) {
    size_t n = job->import->n_tensors;
    struct place *places = ARENA_NEW(&job->arena, struct place, n, error);
    job->order = places ? ARENA_NEW(&job->arena, size_t, n, error) : NULL;
    if (!job->order)
        return false;
    for (size_t i = 0; i < n; i++)
        places[i] = (struct place){job->import->tensors[i], i};
    qsort(places, n, sizeof *places, by_place);
    for (size_t i = 0; i < n; i++)
        job->order[i] = places[i].i;
    return true;
}

static bool write_tensors(struct job *job, struct pool *pool, const char *title, bool quiet,
                          struct error *error) {
    struct ordered_work work = {take, make, pass, job, job->n_slots};
    uint64_t total = 0;
    for (size_t i = 0; i < job->import->n_tensors; i++)
        total += job->import->tensors[i]->size;
    job->hash = (struct source_hash){.import = job->import};
    progress_start(title, total, "B", quiet);
    bool ok =
        ordered_run(&work, pool, error) && (job->import->is_qm || source_hash_finish(&job->hash, error));
    progress_done();
    source_hash_free(&job->hash);
    return ok;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct blob *)a)->name, ((const struct blob *)b)->name);
}

static bool is_replaced(const struct encode_plan *plan, const char *blob) {
    return !strcmp(blob, "recipe.json") || (plan->references && !strcmp(blob, "tokenizer_tests.json"));
}

/* The input's blobs, with the plan's own, and the manifest of sources where it did not come along. */
static struct blob *gather_blobs(struct job *job, const struct encode_plan *plan, struct buffer *manifest,
                                 size_t *count, struct error *error) {
    const struct container *container = &job->import->container;
    struct blob *blobs = ARENA_NEW(&job->arena, struct blob, container->n_blobs + 3, error);
    if (!blobs)
        return NULL;
    for (size_t i = 0; i < container->n_blobs; i++)
        if (!is_replaced(plan, container->blobs[i].name))
            blobs[(*count)++] = container->blobs[i];
    blobs[(*count)++] = (struct blob){"recipe.json", plan->recipe, strlen(plan->recipe)};
    if (plan->references)
        blobs[(*count)++] = (struct blob){"tokenizer_tests.json", plan->references, strlen(plan->references)};
    if (!job->import->is_qm) {
        if (!import_write_sources(job->import, manifest, error))
            return NULL;
        blobs[(*count)++] = (struct blob){"sources.json", manifest->data, manifest->size};
    }
    qsort(blobs, *count, sizeof *blobs, by_name);
    return blobs;
}

/* Releases the writer in any case. */
static bool finish(struct job *job, const struct encode_plan *plan, struct error *error) {
    struct metadata metadata = {.arena = &job->arena};
    struct buffer manifest = {0};
    size_t n_blobs = 0;
    struct blob *blobs = config_to_metadata(&job->import->config, &metadata, error)
                             ? gather_blobs(job, plan, &manifest, &n_blobs, error)
                             : NULL;
    bool ok = blobs != NULL;
    if (ok)
        ok = qm_finish(job->writer, &metadata, blobs, n_blobs, error);
    else
        qm_abandon(job->writer);
    buffer_free(&manifest);
    return ok;
}

static bool run_job(struct job *job, const struct encode_plan *plan, const char *path, bool force,
                    struct pool *pool, const char *title, bool quiet, struct error *error) {
    job->writer = qm_create(path, force, job->planned, job->import->n_tensors, error);
    if (!job->writer)
        return false;
    if (write_tensors(job, pool, title, quiet, error))
        return finish(job, plan, error);
    qm_abandon(job->writer);
    return false;
}

bool encode_model(struct import *import, const struct encode_plan *plan, const char *path, bool force,
                  struct pool *pool, const char *title, bool quiet, struct error *error) {
    struct job job = {.import = import};
    bool ok = import_check_output(import, path, error) && plan_tensors(&job, plan, error) &&
              order_tensors(&job, error) && reserve(&job, pool_size(pool), error) &&
              run_job(&job, plan, path, force, pool, title, quiet, error);
    arena_free(&job.arena);
    return ok;
}
