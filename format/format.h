/* Any file of weights as metadata, blobs and named tensors.
 *
 * A format is one file ending in a descriptor, and one line in formats.c. Opening reads and checks the
 * structure, never the weights. What is open is a `struct container`; its strings and tables live in its own
 * arena. */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "format/metadata.h"
#include "lib/file.h"
#include "types/type.h"

#define MAX_DIMS 4

/* How a type is laid out, so that tensors of a type unknown to this build can be sized, checked and copied.
 */
struct type_layout {
    const char *name;
    uint32_t panel_rows, block_cols, block_bytes;
};

struct digest128 {
    uint8_t bytes[16]; /* XXH3-128, canonical (big-endian) order, so that its hexadecimal form reads as xxhsum
                          prints it */
};

struct tensor {
    const char *name;
    struct type_layout layout;
    const struct type *type; /* NULL where this build cannot decode it */
    uint32_t n_dims; /* 1 to MAX_DIMS */
    uint64_t dims[MAX_DIMS]; /* outermost first: a matrix is dims[0] rows by dims[1] columns */
    uint64_t offset, size; /* of its data in its file, checked against the file's size */
    uint32_t file; /* index into container.files */
    struct digest128 digest; /* zero where the format has none */
};

struct blob {
    const char *name; /* "tokenizer.json" */
    const void *data; /* raw bytes, with a NUL behind them */
    size_t size;
};

struct container {
    const struct format *format;
    const char *path; /* as the user gave it */
    struct arena arena;
    struct input *files;
    size_t n_files;
    struct tensor *tensors; /* by rising name (bytes compared) */
    size_t n_tensors;
    struct metadata metadata;
    struct blob *blobs; /* by rising name */
    size_t n_blobs;
    const void *details; /* the format's own, such as a struct qm_header */
};

struct format {
    const char *name; /* "safetensors" */
    const char *summary; /* what a user recognizes it by, such as "a .qm file" */
    /* True where `path` (a file, or a folder) is of this format by its first bytes or its contents. */
    bool (*probe)(const char *path);
    bool (*open)(struct container *container, const char *path, struct error *error);
};

/* The first bytes of a file, for probes: how many of `size` could be had. 0 for a folder or an unreadable
 * file. */
size_t format_peek(const char *path, void *to, size_t size);

extern const struct format *const formats[]; /* THE LIST, in formats.c, NULL behind the last */

/* Opens a file or folder of any known format. On failure nothing is left open. */
bool container_open(struct container *container, const char *path, struct error *error);
/* Releases everything; closing what was closed, or is all zeros, does nothing. */
void container_close(struct container *container);

const struct tensor *container_tensor(const struct container *container,
                                      const char *name); /* NULL if absent */
const struct blob *container_blob(const struct container *container, const char *name); /* NULL if absent */

/* Dimensions for people: "32000 x 4096". */
struct dims_text {
    char text[MAX_DIMS * 24];
};
struct dims_text dims_text(uint32_t n_dims, const uint64_t *dims); /* n_dims at most MAX_DIMS */

/* Rows and columns of a tensor as a matrix: all leading dimensions taken together are rows; one dimension is
 * one row. */
void tensor_rows_cols(const struct tensor *tensor, uint64_t *n_rows, uint64_t *n_cols);

/* Bytes that a tensor's layout and dimensions call for. False where no file could hold them, or where blocks
 * of several rows are to hold a tensor of one dimension. */
bool tensor_bytes(const struct tensor *tensor, uint64_t *bytes);

/* Reads part of a tensor's data. */
bool tensor_read(const struct container *container, const struct tensor *tensor, void *to, size_t size,
                 uint64_t offset, struct error *error);

#endif
