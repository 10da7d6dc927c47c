/* Writes a .qm file from an imported model, each tensor in the type that a plan says: the engine of convert
 * and quantize.
 *
 * Streams: memory is a few MiB a thread whatever the model's size. The same bytes for any number of threads
 * and any processor. A tensor that keeps its type is copied byte for byte. No value that is not finite gets
 * through, and none that its type cannot hold: the sentence names tensor, row, column and value. */
#ifndef MODELS_ENCODE_H
#define MODELS_ENCODE_H

#include "lib/threads.h"
#include "models/import.h"

struct encode_plan {
    const struct type **types; /* [import->n_tensors]; NULL: as it is, even of a type unknown to this build */
    const char *recipe; /* recipe_write(), stored as the blob "recipe.json" */
    const char
        *references; /* reference_make(), stored as "tokenizer_tests.json"; NULL: the input's, if any */
};

/* The tensor that the plan makes of import->tensors[i], to be laid out: name, type, layout and dims. */
struct tensor encode_planned(const struct import *import, const struct encode_plan *plan, size_t i);

/* Before work starts: the output's ending must be one that can be written. */
bool encode_check_path(const char *path, struct error *error);

/* What a plan comes to, against what there was. */
struct encode_totals {
    uint64_t n_weights, bytes_before, bytes_after; /* of all tensors */
};
bool encode_total(const struct import *import, const struct encode_plan *plan, struct encode_totals *totals,
                  struct error *error);

/* Refuses to write onto one of its own inputs, and onto an existing file unless `force`. Hashes the sources
 * alongside. `title` is the progress bar's. */
bool encode_model(struct import *import, const struct encode_plan *plan, const char *path, bool force,
                  struct pool *pool, const char *title, bool quiet, struct error *error);

#endif
