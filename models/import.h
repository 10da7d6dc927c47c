/* Reads any input as a model: configuration, blobs, and tensors under their .qm names.
 *
 * A .qm file is one already; a checkpoint is translated by its family, a GGUF file by models/gguf.h. Missing,
 * extra and wrongly shaped tensors are errors that name the tensor. Used by everything that takes "anything
 * that convert reads". */
#ifndef MODELS_IMPORT_H
#define MODELS_IMPORT_H

#include "format/format.h"
#include "models/config.h"
#include "models/sha256.h"

struct source_file { /* one line of the source manifest */
    const char *name; /* without folders */
    uint64_t size;
    char sha256[SHA256_TEXT]; /* hexadecimal; "" until import_hash_source */
};

struct import {
    struct container container; /* its blobs are what a .qm file made of this keeps */
    bool is_qm;
    struct model_config config;
    struct role_tensor *roles; /* config_tensors() */
    /* tensors[i] is what roles[i] is imported as: one of the container, or, where views[i] is not NULL, one
     * that import_read makes of parts of the container's. */
    const struct tensor **tensors;
    const struct view **views;
    size_t n_tensors;
    /* By rising name: the checkpoint's files of weights and those beside them that were read; of a .qm, those
     * in its manifest, already hashed. */
    struct source_file *sources;
    size_t n_sources;
    struct arena arena;
};

/* A checkpoint's tensors are of types that this build decodes; a .qm file may hold others, which can be
 * copied. */
bool import_open(struct import *import, const char *path, struct error *error);
void import_close(struct import *import);

/* The path of the file that holds tensor i, for sentences. */
const char *import_file_of(const struct import *import, size_t i);

/* Refuses an output that is one of the input's files. */
bool import_check_output(const struct import *import, const char *path, struct error *error);

/* SHA-256 of one source, read once from its first byte to its last. Nothing to do for a .qm. Threads may take
 * different sources. */
bool import_hash_source(struct import *import, size_t source, struct error *error);
bool import_hash_sources(struct import *import, struct error *error);

/* The manifest as the blob "sources.json" keeps it: [{"name", "size", "sha256"}, ...]. */
bool import_write_sources(const struct import *import, struct buffer *to, struct error *error);

/* Reads part of tensor i's data, as tensor_read does. */
bool import_read(const struct import *import, size_t i, void *to, size_t size, uint64_t offset,
                 struct error *error);

/* Reads rows [row, row + n) of tensor i into `raw` as they are stored, and makes *rows of them. */
bool import_read_stored(const struct import *import, size_t i, uint64_t row, uint64_t n, void *raw,
                        struct matrix *rows, struct error *error);
/* Reads rows [row, row + n) of tensor i as floats, out[n][n_cols]. Types of panels: row a multiple of
 * PANEL_ROWS. `raw` is scratch of at least the rows' own bytes, aligned to 64. A value that is not finite is
 * an error that names it. */
bool import_read_rows(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out, void *raw,
                      struct error *error);
/* The same for an encoder: *rows are those in `raw` where their type is plain, else floats in `out`, which
 * may be NULL for plain types. */
bool import_read_for_encoder(const struct import *import, size_t i, uint64_t row, uint64_t n, float *out,
                             void *raw, struct matrix *rows, struct error *error);

#endif
