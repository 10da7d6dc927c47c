/* What a file holds, without looking at its weights: metadata, blobs, and tensors with their shapes, types
 * and sizes. For every format that opens. */
#ifndef VERIFY_LIST_H
#define VERIFY_LIST_H

#include "format/format.h"
#include "lib/json.h"

void print_tensors(const struct container *container);

/* As tables on standard output; long values of metadata are cut, of arrays in GGUF files the first are shown.
 */
void print_list(const struct container *container);

/* {"file", "format", "model_id" (of a .qm), "metadata": {key: value}, "blobs": [{"name", "bytes"}],
 * "tensors":
 * [{"name", "shape", "type", "bytes", "offset", "file" (where there are several), "xxh3" (of a .qm)}]}. A new
 * reference, NULL where memory is out. */
json_t *list_json(const struct container *container);

#endif
