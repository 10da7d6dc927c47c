/* Blobs as zlib streams (RFC 1950), with zlib's memory taken from lib/memory.h. */
#ifndef FORMAT_QM_BLOB_H
#define FORMAT_QM_BLOB_H

#include "format/format.h"

/* deflate turns at most 1032 bytes into one: what claims more is refused before memory is taken for it. */
#define QM_DEFLATE_LIMIT 1032u

/* Appends the blob as one stream, however long that is. */
bool qm_pack(const struct blob *blob, struct buffer *to, struct error *error);

/* Inflates one stream of exactly `size` bytes into exactly blob->size bytes at `to`. */
bool qm_unpack(const char *path, const struct blob *blob, const void *from, size_t size, void *to,
               struct error *error);

#endif
