/* Reads any input as a model: configuration, blobs, and tensors under their .qm names.
 *
 * A .qm file is one already; a checkpoint is translated by its family. Missing, extra and wrongly shaped
 * tensors are errors that name the tensor. Used by everything that takes "anything that convert reads". */
#ifndef MODELS_IMPORT_H
#define MODELS_IMPORT_H

#include "format/format.h"
#include "models/config.h"

struct source_file { /* one line of the source manifest */
    const char *name; /* without folders */
    uint64_t size;
    char sha256[65]; /* hexadecimal; "" until import_hash_sources */
};

struct import {
    struct container container;
    struct model_config config;
    struct role_tensor *roles; /* config_tensors() */
    const struct tensor **tensors; /* tensors[i] of the container holds roles[i] */
    size_t n_tensors;
    struct source_file *sources; /* the checkpoint's files; of a .qm: those in its manifest, already hashed */
    size_t n_sources;
    struct arena arena;
};

bool import_open(struct import *import, const char *path, struct error *error);
void import_close(struct import *import);

/* SHA-256 of each source file, read in order by this thread. Nothing to do for a .qm. */
bool import_hash_sources(struct import *import, struct error *error);

/* Reads rows [row, row + n) of tensor i as floats, out[n][n_cols]. Types of panels: row a multiple of
 * PANEL_ROWS. `raw` is scratch of at least the rows' own bytes. A value that is not finite is an error that
 * names it. */
bool import_read_rows(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out, void *raw,
                      struct error *error);

#endif
