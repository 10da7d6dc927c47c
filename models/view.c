#include "models/view.h"

#include <string.h>

#define CHUNK 1024 /* numbers that are turned or added to at a time */

/* Elements [begin, end) of the view, which go to `to`: numbers, or blocks where they are more. */
struct request {
    const struct container *container;
    const struct view *view;
    uint64_t begin, end;
    uint8_t *to;
    uint64_t n_cols; /* of a row; the numbers of a vector are rows of one */
    uint32_t size; /* bytes of an element of the parts */
    struct error *error;
};

static const struct tensor *part_of(const struct view *view, uint64_t row) {
    return view->parts[row / view->rows_each];
}

/* Where a row of the view lies in its part, and how many rows behind it lie behind it there. */
static uint64_t place_of(const struct view *view, uint64_t row, uint64_t *n_rows) {
    uint64_t r = row % view->rows_each;
    *n_rows = least(view->take - r % view->take, view->rows_each - r);
    return r / view->take * view->stride + view->offset + r % view->take;
}

/* Rows as they lie, in runs as long as they are. */
static bool read_rows(const struct request *q) {
    for (uint64_t at = q->begin, n; at < q->end; at += n) {
        uint64_t row = at / q->n_cols, col = at % q->n_cols, n_rows;
        uint64_t place = place_of(q->view, row, &n_rows);
        n = least(n_rows * q->n_cols - col, q->end - at);
        if (!tensor_read(q->container, part_of(q->view, row), q->to + (at - q->begin) * q->size,
                         (size_t)(n * q->size), (place * q->n_cols + col) * q->size, q->error))
            return false;
    }
    return true;
}

/* Column `col` of the view's rows from `row` on, up to CHUNK, which lie side by side in the part. */
static bool read_column(const struct request *q, uint64_t col, uint64_t row, uint64_t n) {
    uint8_t column[CHUNK * sizeof(float)];
    const struct tensor *part = part_of(q->view, row);
    uint64_t unused, place = place_of(q->view, row, &unused);
    if (!tensor_read(q->container, part, column, (size_t)(n * q->size),
                     (col * part->dims[part->n_dims - 1] + place) * q->size, q->error))
        return false;
    for (uint64_t i = 0; i < n; i++)
        memcpy(q->to + ((row + i) * q->n_cols + col - q->begin) * q->size, column + i * q->size, q->size);
    return true;
}

static bool read_columns(const struct request *q) {
    for (uint64_t col = 0; col < q->n_cols; col++) {
        /* the first and last rows whose element in this column is asked for */
        uint64_t row = q->begin > col ? (q->begin - col + q->n_cols - 1) / q->n_cols : 0;
        uint64_t end = q->end > col ? (q->end - col + q->n_cols - 1) / q->n_cols : 0;
        for (uint64_t n; row < end; row += n) {
            place_of(q->view, row, &n);
            n = least(least(n, end - row), CHUNK);
            if (!read_column(q, col, row, n))
                return false;
        }
    }
    return true;
}

static bool read_elements(const struct request *q) {
    return q->view->transposed ? read_columns(q) : read_rows(q);
}

/* Of a vector, whose elements are floats for the caller and of the part's type here. */
static bool read_added(const struct request *q) {
    for (uint64_t at = q->begin, n; at < q->end; at += n) {
        uint8_t stored[CHUNK * sizeof(float)];
        float values[CHUNK];
        struct request some = *q;
        n = least(CHUNK, q->end - at);
        some.begin = at;
        some.end = at + n;
        some.to = stored;
        if (!read_elements(&some))
            return false;
        const struct matrix row = {q->view->parts[0]->type, stored, 1, (size_t)n};
        row.type->decode_row(&row, 0, values);
        for (uint64_t i = 0; i < n; i++)
            values[i] += 1;
        memcpy(q->to + (at - q->begin) * sizeof *values, values, n * sizeof *values);
    }
    return true;
}

bool view_read(const struct container *container, const struct view *view, void *to, size_t size,
               uint64_t offset, struct error *error) {
    uint32_t element = view->as.layout.block_bytes;
    const struct request request = {
        .container = container,
        .view = view,
        .begin = offset / element,
        .end = (offset + size) / element,
        .to = to,
        .n_cols = view->as.n_dims == 1 ? 1 : view->as.dims[view->as.n_dims - 1] / view->as.layout.block_cols,
        .size = view->parts[0]->layout.block_bytes,
        .error = error,
    };
    return view->add_one ? read_added(&request) : read_elements(&request);
}
