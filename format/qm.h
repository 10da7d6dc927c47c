/* The .qm file, version 1. docs/format.md specifies it; this is what the code needs to know. */
#ifndef FORMAT_QM_H
#define FORMAT_QM_H

#include "format/format.h"

extern const struct format qm_format;

/* container.details of an open .qm file. */
struct qm_details {
    uint16_t major, minor;
    uint64_t compatible_features;
    struct digest128 model_id; /* over the canonical directory: same tensors, metadata and blobs, same id */
    uint64_t data_begin, data_end; /* the range of the file that tensors and their padding tile */
};

/* Limits of the format: a reader refuses more. */
#define QM_MAX_TENSORS 1000000u
#define QM_MAX_NAME MAX_NAME
#define QM_MAX_TYPES 4096u
#define QM_MAX_PANEL_ROWS 65536u
#define QM_MAX_BLOCK_COLS 65536u
#define QM_MAX_BLOCK_BYTES (1u << 20)
#define QM_MAX_METADATA_ITEMS 65536u
#define QM_MAX_BLOBS 4096u
#define QM_MAX_BLOB_BYTES (256u << 20) /* of all blobs together, inflated */
#define QM_MAX_DIRECTORY (256u << 20)

/* Checks everything that opening did not: every tensor's digest, and that all padding is zero. Reads the
 * whole file with the pool's threads, and advances the progress bar by the bytes of tensors. Then calls
 * `bad`, on the calling thread and in the order of the file, for each problem found with a whole sentence
 * (`tensor` is NULL for padding); false if there was one, or if the file could not be read (that too goes to
 * `bad`). */
struct pool;
bool qm_check_data(const struct container *container, struct pool *pool,
                   void (*bad)(void *context, const struct tensor *tensor, const char *sentence),
                   void *context);

/* ---- Writing ---- */

/* A tensor to be written: name, layout, n_dims and dims are read; offset, size, file and digest are set by
 * the writer. */
struct qm_writer;

/* Lays out `n_tensors` tensors in the given order and creates the output. Names must be unique. The tensors
 * are copied. */
struct qm_writer *qm_create(const char *path, bool force, const struct tensor *tensors, size_t n_tensors,
                            struct error *error);

/* Writes part of a tensor's data; threads may write disjoint parts at once. */
bool qm_write(struct qm_writer *writer, size_t tensor, const void *from, size_t size, uint64_t offset,
              struct error *error);

/* Feeds a tensor's digest, each tensor's bytes in order; every tensor must be fed whole before qm_finish.
 * Different tensors may be fed at once by different threads. */
void qm_digest(struct qm_writer *writer, size_t tensor, const void *bytes, size_t size);

/* Writes directory and footer, syncs and renames. Releases the writer in either case. */
bool qm_finish(struct qm_writer *writer, const struct metadata *metadata, const struct blob *blobs,
               size_t n_blobs, struct error *error);
void qm_abandon(struct qm_writer *writer); /* NULL is fine */

/* The size the file's tensor region will have for these tensors, for --dry-run. */
bool qm_plan_bytes(const struct tensor *tensors, size_t n_tensors, uint64_t *bytes, struct error *error);

#endif
