/* Writes a .qm file from an imported model, each tensor in the type that a plan says: the engine of convert
 * and quantize.
 *
 * Streams: memory is a few MiB a thread whatever the model's size. The same bytes for any number of threads
 * and any processor. A tensor that keeps its type is copied byte for byte. */
#ifndef MODELS_ENCODE_H
#define MODELS_ENCODE_H

#include "lib/threads.h"
#include "models/import.h"

struct encode_plan {
    const struct type **types; /* [import->n_tensors] */
    const char
        *recipe; /* JSON that says how the file was made; stored as the blob "recipe.json". The same command
                    on the same input gives the same text: no times, no paths, no thread counts */
};

/* Hashes the sources alongside. */
bool encode_model(struct import *import, const struct encode_plan *plan, const char *path, bool force,
                  struct pool *pool, bool quiet, struct error *error);

#endif
