#include "models/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

#define CHUNK (64u << 10)

static bool failed(struct error *error) {
    return fail(error, "libcrypto could not compute a SHA-256");
}

static bool finish(EVP_MD_CTX *context, char text[SHA256_TEXT], struct error *error) {
    unsigned char digest[32];
    if (!EVP_DigestFinal_ex(context, digest, NULL))
        return failed(error);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return true;
}

static bool hash_bytes(EVP_MD_CTX *context, const void *bytes, size_t size, struct error *error) {
    return EVP_DigestUpdate(context, bytes, size) || failed(error);
}

static bool hash_file(EVP_MD_CTX *context, const struct input *file, struct error *error) {
    uint8_t chunk[CHUNK];
    for (uint64_t offset = 0; offset < file->size; offset += CHUNK) {
        uint64_t left = file->size - offset;
        size_t size = left < CHUNK ? (size_t)left : CHUNK;
        if (!input_read(file, chunk, size, offset, error) || !hash_bytes(context, chunk, size, error))
            return false;
    }
    return true;
}

static EVP_MD_CTX *begin(struct error *error) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        return context;
    EVP_MD_CTX_free(context);
    failed(error);
    return NULL;
}

bool sha256_bytes(const void *bytes, size_t size, char text[SHA256_TEXT], struct error *error) {
    EVP_MD_CTX *context = begin(error);
    bool ok = context && hash_bytes(context, bytes, size, error) && finish(context, text, error);
    EVP_MD_CTX_free(context);
    return ok;
}

bool sha256_file(const struct input *file, char text[SHA256_TEXT], struct error *error) {
    EVP_MD_CTX *context = begin(error);
    bool ok = context && hash_file(context, file, error) && finish(context, text, error);
    EVP_MD_CTX_free(context);
    return ok;
}
