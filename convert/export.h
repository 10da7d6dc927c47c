/* Writing an imported model as another kind of file, whose tensors are made of rows of ours. */
#ifndef CONVERT_EXPORT_H
#define CONVERT_EXPORT_H

#include "format/tensor_output.h"
#include "lib/threads.h"
#include "models/import.h"

/* Rows of one of our tensors and where they lie in one of theirs. The numbers of a vector are rows. */
struct strip {
    size_t source; /* import->tensors[source] */
    uint64_t first, count; /* its rows: first a multiple of PANEL_ROWS, all of them for a vector */
    size_t tensor; /* of the export */
    /* Row first + r goes to row r / take * stride + offset + r % take; where transposed, to column offset +
     * r.
     */
    uint64_t take, stride, offset;
    uint64_t head_dim; /* not 0: rotary pairs (i, i + head_dim / 2) of each head become (2i, 2i + 1) first */
    bool transposed;
    float add; /* to each number */
};

struct export {
    struct import *import;
    /* Placed by tensor_output_place. Of plain types, or such as ours can be restored to (types/type.h). */
    struct tensor *tensors;
    size_t n_tensors;
    struct strip *strips;
    size_t n_strips;
    struct tensor_output to; /* created */
};

/* Writes the rows of all strips; those stored as the tensor's type, or as what stands for it, as they are.
 * `title` is the progress bar's.
 */
bool export_rows(struct export *export, struct pool *pool, const char *title, bool quiet,
                 struct error *error);

/* How many weights the tensors have. */
uint64_t export_weights(const struct export *export);

#endif
