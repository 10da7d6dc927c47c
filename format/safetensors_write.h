/* The header of a .safetensors file: u64 its size, JSON, spaces up to a multiple of 8. */
#ifndef FORMAT_SAFETENSORS_WRITE_H
#define FORMAT_SAFETENSORS_WRITE_H

#include "format/format.h"

/* Appends the header of a file with these tensors, of types f32, f16 and bf16, whose offsets stand
 * (tensor_output_place with an alignment of 1). `path` begins sentences. */
bool safetensors_put_header(struct buffer *to, const char *path, const struct tensor *tensors,
                            size_t n_tensors, struct error *error);

#endif
