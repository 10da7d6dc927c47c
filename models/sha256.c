#include "models/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

#define CHUNK (64u << 10)

static bool check(int success, struct error *error) {
    return success || fail(error, "libcrypto could not compute a SHA-256");
}

bool sha256_begin(struct sha256 *sha, struct error *error) {
    sha->context = EVP_MD_CTX_new();
    return check(sha->context && EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL), error);
}

bool sha256_add(struct sha256 *sha, const void *bytes, size_t size, struct error *error) {
    return check(EVP_DigestUpdate(sha->context, bytes, size), error);
}

bool sha256_add_file(struct sha256 *sha, const struct input *file, uint64_t begin, uint64_t end,
                     struct error *error) {
    uint8_t chunk[CHUNK];
    for (size_t size; begin < end; begin += size) {
        size = end - begin < CHUNK ? (size_t)(end - begin) : CHUNK;
        if (!input_read(file, chunk, size, begin, error) || !sha256_add(sha, chunk, size, error))
            return false;
    }
    return true;
}

bool sha256_end(struct sha256 *sha, char text[SHA256_TEXT], struct error *error) {
    unsigned char digest[32];
    if (!check(EVP_DigestFinal_ex(sha->context, digest, NULL), error))
        return false;
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return true;
}

void sha256_free(struct sha256 *sha) {
    EVP_MD_CTX_free(sha->context);
    sha->context = NULL;
}

bool sha256_bytes(const void *bytes, size_t size, char text[SHA256_TEXT], struct error *error) {
    struct sha256 sha;
    bool ok =
        sha256_begin(&sha, error) && sha256_add(&sha, bytes, size, error) && sha256_end(&sha, text, error);
    sha256_free(&sha);
    return ok;
}

bool sha256_file(const struct input *file, char text[SHA256_TEXT], struct error *error) {
    struct sha256 sha;
    bool ok = sha256_begin(&sha, error) && sha256_add_file(&sha, file, 0, file->size, error) &&
              sha256_end(&sha, text, error);
    sha256_free(&sha);
    return ok;
}
