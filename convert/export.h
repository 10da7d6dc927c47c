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
    bool transposed;
    float add; /* to each number */
};

struct export {
    struct import *import;
    struct tensor *tensors; /* of plain types, placed by tensor_output_place */
    size_t n_tensors;
    struct strip *strips;
    size_t n_strips;
    struct tensor_output to; /* created */
};

/* Writes the rows of all strips; those of the tensor's own type as they are. `title` is the progress bar's.
 */
bool export_rows(struct export *export, struct pool *pool, const char *title, bool quiet,
                 struct error *error);

#endif
