/* Writing the simplest kind of file with tensors: a header that says where each lies, then their bytes one
 * behind the other. Safetensors are of this kind; safetensors_write.h makes their header. */
#ifndef FORMAT_TENSOR_OUTPUT_H
#define FORMAT_TENSOR_OUTPUT_H

#include "format/format.h"

struct tensor_output {
    struct output *output;
    const struct tensor *tensors; /* the caller's */
    uint64_t data_begin, data_size;
};

/* Sets each tensor's size, from layout and dimensions, and its offset within the data, a multiple of
 * `alignment`; and data_size. `path` begins sentences. */
bool tensor_output_place(struct tensor_output *to, const char *path, struct tensor *tensors, size_t n_tensors,
                         uint64_t alignment, struct error *error);

/* Creates the file and writes its header; the data begin behind it at a multiple of `alignment`. */
bool tensor_output_create(struct tensor_output *to, const char *path, bool force, const struct buffer *header,
                          uint64_t alignment, struct error *error);

/* Part of a tensor's bytes; threads may write disjoint parts at once. */
bool tensor_output_write(const struct tensor_output *to, size_t tensor, const void *from, size_t size,
                         uint64_t offset, struct error *error);

/* `output` is the caller's to commit or abandon. */

#endif
