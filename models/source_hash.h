/* SHA-256 of a checkpoint's files while they are read for something else.
 *
 * Parts of tensors come by in the order in which they lie in the files; what lies between them (headers,
 * tensors that nobody wants) is read here. */
#ifndef MODELS_SOURCE_HASH_H
#define MODELS_SOURCE_HASH_H

#include "models/import.h"

struct source_hash {
    struct import *import; /* set this, zero the rest; no .qm file */
    size_t file; /* of the container's, and how far into it */
    uint64_t position;
    struct sha256 sha;
};

/* `size` bytes at `offset` of the tensor's data. */
bool source_hash_add(struct source_hash *hash, const struct tensor *tensor, const void *bytes, size_t size,
                     uint64_t offset, struct error *error);
/* Completes import->sources. */
bool source_hash_finish(struct source_hash *hash, struct error *error);
void source_hash_free(struct source_hash *hash);

#endif
