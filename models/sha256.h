/* SHA-256 (FIPS 180-4) of source files, by libcrypto. */
#ifndef MODELS_SHA256_H
#define MODELS_SHA256_H

#include "lib/file.h"

#define SHA256_TEXT 65 /* 64 lower-case hexadecimal digits and a NUL */

struct sha256 {
    struct evp_md_ctx_st *context;
};

bool sha256_begin(struct sha256 *sha, struct error *error);
bool sha256_add(struct sha256 *sha, const void *bytes, size_t size, struct error *error);
/* Bytes [begin, end) of a file. */
bool sha256_add_file(struct sha256 *sha, const struct input *file, uint64_t begin, uint64_t end,
                     struct error *error);
bool sha256_end(struct sha256 *sha, char text[SHA256_TEXT], struct error *error);
void sha256_free(struct sha256 *sha); /* once done, or instead; a zeroed one is fine */

bool sha256_bytes(const void *bytes, size_t size, char text[SHA256_TEXT], struct error *error);
bool sha256_file(const struct input *file, char text[SHA256_TEXT], struct error *error);

#endif
