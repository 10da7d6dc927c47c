#include "convert/export.h"

#include "lib/progress.h"
#include "models/ordered.h"

#include <string.h>

/* Numbers in a piece, where its rows are not longer; of one whose rows become columns more, because it is
 * written in as many parts as it has columns. */
#define PIECE (128u << 10)
#define PIECE_TURNED (4u << 20)
#define SLOTS_PER_THREAD 4

struct piece {
    const struct strip *strip;
    uint64_t begin, end; /* of the strip's rows */
};

/* What a thread works in. */
struct room {
    float *values;
    void *stored; /* as the input has them */
    void *panels; /* on their way to rows of blocks */
    uint8_t *rows, *turned; /* as the output has them, and transposed */
};

struct job {
    const struct export *export;
    size_t strip; /* whose pieces are being taken */
    uint64_t begin;
    struct piece *slots;
    struct room *rooms; /* [n_threads] */
    struct arena arena;
};

static const struct tensor *source_of(const struct job *job, const struct strip *strip) {
    return job->export->import->tensors[strip->source];
}

static const struct tensor *target_of(const struct job *job, const struct strip *strip) {
    return &job->export->tensors[strip->tensor];
}

static bool is_vector(const struct job *job, const struct strip *strip) {
    return source_of(job, strip)->n_dims == 1;
}

static uint64_t cols_of(const struct job *job, const struct strip *strip) {
    const struct tensor *source = source_of(job, strip);
    return is_vector(job, strip) ? 1 : source->dims[source->n_dims - 1];
}

static uint64_t rows_in_piece(const struct job *job, const struct strip *strip) {
    uint64_t panels = (strip->transposed ? PIECE_TURNED : PIECE) / cols_of(job, strip) / PANEL_ROWS;
    uint64_t rows = panels ? panels * PANEL_ROWS : PANEL_ROWS;
    return is_vector(job, strip) || strip->count < rows ? strip->count : rows;
}

static uint64_t bytes_of(const struct type *type, uint64_t n_rows, uint64_t n_cols) {
    uint64_t bytes = 0;
    matrix_bytes(type, n_rows, n_cols, &bytes); /* whole tensors have been found to have a size */
    return bytes;
}

/* ---- Rows as the output has them ---- */

static void add_to_all(struct matrix *rows, float add, float *values) {
    for (size_t r = 0; r < rows->n_rows; r++)
        rows->type->decode_row(rows, r, values + r * rows->n_cols);
    for (size_t i = 0; i < rows->n_rows * rows->n_cols; i++)
        values[i] += add;
    rows->type = type_find("f32");
    rows->data = (const uint8_t *)values;
}

static bool read_rows(const struct job *job, const struct piece *piece, const struct type *type,
                      const struct room *room, struct matrix *rows, struct error *error) {
    const struct strip *strip = piece->strip;
    const struct import *import = job->export->import;
    uint64_t row = is_vector(job, strip) ? 0 : strip->first + piece->begin;
    uint64_t n = is_vector(job, strip) ? 1 : piece->end - piece->begin;
    if (source_of(job, strip)->type == type)
        return import_read_stored(import, strip->source, row, n, room->stored, rows, error);
    return import_read_for_encoder(import, strip->source, row, n, room->values, room->stored, rows, error);
}

/* In `type`: as they were read where they are of it, else at `to`. NULL on failure. */
static const void *encode_rows(const struct job *job, const struct piece *piece, const struct type *type,
                               const struct room *room, void *to, struct error *error) {
    struct matrix rows;
    struct unfit unfit;
    if (!read_rows(job, piece, type, room, &rows, error))
        return NULL;
    if (piece->strip->add != 0)
        add_to_all(&rows, piece->strip->add, room->values);
    if (rows.type == type)
        return rows.data;
    if (type_encode(type)(&rows, NULL, to, &unfit))
        return to;
    fail(error, "%s: tensor '%s' has a value of %g, which does not fit %s",
         import_file_of(job->export->import, piece->strip->source), target_of(job, piece->strip)->name,
         (double)unfit.value, type->name);
    return NULL;
}

/* Somewhere in the room; NULL on failure. */
static const uint8_t *make_rows(const struct job *job, const struct piece *piece, const struct room *room,
                                struct error *error) {
    const struct type *type = target_of(job, piece->strip)->type;
    if (!type->restore || type == source_of(job, piece->strip)->type)
        return encode_rows(job, piece, type, room, room->rows, error);
    const void *panels = encode_rows(job, piece, type->native, room, room->panels, error);
    if (!panels)
        return NULL;
    type->restore(panels, (size_t)(piece->end - piece->begin), (size_t)cols_of(job, piece->strip),
                  room->rows);
    return room->rows;
}

/* ---- Their places ---- */

static uint64_t paired(uint64_t row, uint64_t head_dim) {
    uint64_t i = row % head_dim, half = head_dim / 2;
    return row - i + (i < half ? 2 * i : 2 * (i - half) + 1);
}

static uint64_t place_of(const struct strip *strip, uint64_t r) {
    uint64_t row = strip->head_dim ? paired(r, strip->head_dim) : r;
    return row / strip->take * strip->stride + strip->offset + row % strip->take;
}

/* Rows that follow one another are written together. */
static bool write_rows(const struct job *job, const struct piece *piece, const uint8_t *rows,
                       struct error *error) {
    const struct strip *strip = piece->strip;
    uint64_t row_bytes = bytes_of(target_of(job, strip)->type, 1, cols_of(job, strip));
    for (uint64_t row = piece->begin, n; row < piece->end; row += n) {
        uint64_t place = place_of(strip, row);
        for (n = 1; row + n < piece->end && place_of(strip, row + n) == place + n;)
            n++;
        if (!tensor_output_write(&job->export->to, strip->tensor, rows + (row - piece->begin) * row_bytes,
                                 (size_t)(n * row_bytes), place * row_bytes, error))
            return false;
    }
    return true;
}

static void turn(const uint8_t *rows, size_t n_rows, size_t n_cols, size_t size, uint8_t *turned) {
    for (size_t row = 0; row < n_rows; row++)
        for (size_t col = 0; col < n_cols; col++)
            memcpy(turned + (col * n_rows + row) * size, rows + (row * n_cols + col) * size, size);
}

/* A piece of rows is a piece of columns, a few in each of the output's rows. */
static bool write_columns(const struct job *job, const struct piece *piece, const uint8_t *rows,
                          uint8_t *turned, struct error *error) {
    const struct tensor *target = target_of(job, piece->strip);
    size_t n_rows = (size_t)(piece->end - piece->begin), n_cols = (size_t)cols_of(job, piece->strip);
    size_t size = target->layout.block_bytes;
    turn(rows, n_rows, n_cols, size, turned);
    for (size_t col = 0; col < n_cols; col++) {
        uint64_t place = col * target->dims[1] + piece->strip->offset + piece->begin;
        if (!tensor_output_write(&job->export->to, piece->strip->tensor, turned + col * n_rows * size,
                                 n_rows * size, place * size, error))
            return false;
    }
    return true;
}

/* ---- Pieces ---- */

static bool take(void *context, size_t slot) {
    struct job *job = context;
    const struct export *export = job->export;
    if (job->strip < export->n_strips && job->begin == export->strips[job->strip].count) {
        job->strip++;
        job->begin = 0;
    }
    if (job->strip == export->n_strips)
        return false;
    const struct strip *strip = &export->strips[job->strip];
    uint64_t left = strip->count - job->begin, step = rows_in_piece(job, strip);
    job->slots[slot] = (struct piece){strip, job->begin, job->begin + (left < step ? left : step)};
    job->begin = job->slots[slot].end;
    return true;
}

static bool make(void *context, size_t slot, unsigned thread, struct error *error) {
    const struct job *job = context;
    const struct piece *piece = &job->slots[slot];
    const uint8_t *rows = make_rows(job, piece, &job->rooms[thread], error);
    if (!rows)
        return false;
    return piece->strip->transposed ? write_columns(job, piece, rows, job->rooms[thread].turned, error)
                                    : write_rows(job, piece, rows, error);
}

static bool pass(void *context, size_t slot, struct error *error) {
    const struct job *job = context;
    const struct piece *piece = &job->slots[slot];
    (void)error;
    progress_advance((piece->end - piece->begin) * cols_of(job, piece->strip));
    return true;
}

/* ---- Memory ---- */

static bool reserve_room(struct room *room, uint64_t values, uint64_t stored, uint64_t turned,
                         struct arena *arena, struct error *error) {
    room->values = ARENA_NEW(arena, float, values, error);
    room->stored = room->values ? arena_alloc(arena, 1, stored, error) : NULL;
    room->panels = room->stored ? arena_alloc(arena, values, sizeof(float), error) : NULL;
    room->rows = room->panels ? arena_alloc(arena, values, sizeof(float), error) : NULL;
    room->turned = room->rows ? arena_alloc(arena, turned, sizeof(float), error) : NULL;
    return room->turned;
}

static bool reserve(struct job *job, unsigned n_threads, struct error *error) {
    uint64_t values = 1, stored = 1, turned = 1;
    for (size_t i = 0; i < job->export->n_strips; i++) {
        const struct strip *strip = &job->export->strips[i];
        uint64_t n_cols = cols_of(job, strip), n_rows = rows_in_piece(job, strip);
        values = most(values, (n_rows + PANEL_ROWS) * n_cols); /* panels are whole */
        stored = most(stored, bytes_of(source_of(job, strip)->type, n_rows, n_cols));
        turned = most(turned, strip->transposed ? n_rows * n_cols : 1);
    }
    job->slots = ARENA_NEW(&job->arena, struct piece, (size_t)n_threads * SLOTS_PER_THREAD, error);
    job->rooms = job->slots ? ARENA_NEW(&job->arena, struct room, n_threads, error) : NULL;
    for (unsigned i = 0; job->rooms && i < n_threads; i++)
        if (!reserve_room(&job->rooms[i], values, stored, turned, &job->arena, error))
            return false;
    return job->rooms;
}

bool export_rows(struct export *export, struct pool *pool, const char *title, bool quiet,
                 struct error *error) {
    struct job job = {.export = export};
    struct ordered_work work = {take, make, pass, &job, (size_t)pool_size(pool) * SLOTS_PER_THREAD};
    uint64_t total = 0;
    for (size_t i = 0; i < export->n_strips; i++)
        total += export->strips[i].count * cols_of(&job, &export->strips[i]);
    progress_start(title, total, "weights", quiet);
    bool good = reserve(&job, pool_size(pool), error) && ordered_run(&work, pool, error);
    progress_done();
    arena_free(&job.arena);
    return good;
}

uint64_t export_weights(const struct export *export) {
    uint64_t total = 0, n_rows, n_cols;
    for (size_t i = 0; i < export->n_tensors; i++) {
        tensor_rows_cols(&export->tensors[i], &n_rows, &n_cols);
        total += n_rows * n_cols;
    }
    return total;
}
