/* A tensor that a checkpoint does not hold as such, but in parts of others: fused, by turns of heads, an
 * expert each, transposed, or less one. */
#ifndef MODELS_VIEW_H
#define MODELS_VIEW_H

#include "format/format.h"

struct view {
    struct tensor as; /* what it looks like: rows one behind the other, of a type whose panels are one row */
    const struct tensor *
        *parts; /* [n_parts], of one type: the first rows_each rows are of the first, and so on */
    size_t n_parts;
    uint64_t rows_each;
    /* Numbers of a vector are rows. Row r of those of a part is its row r / take * stride + offset + r %
     * take; where transposed, its column. */
    uint64_t take, stride, offset;
    bool transposed;
    bool add_one; /* to each number, which then is f32 */
};

/* Reads part of the view's data, as tensor_read does. */
bool view_read(const struct container *container, const struct view *view, void *to, size_t size,
               uint64_t offset, struct error *error);

#endif
