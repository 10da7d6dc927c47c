#include "format/digest.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(struct digest_state) >= sizeof(XXH3_state_t), "digest.h sets the size");

static struct digest128 canonical(XXH128_hash_t hash) {
    XXH128_canonical_t bytes;
    struct digest128 digest;
    XXH128_canonicalFromHash(&bytes, hash);
    memcpy(digest.bytes, bytes.digest, sizeof digest.bytes);
    return digest;
}

void digest_begin(struct digest_state *state) {
    XXH3_128bits_reset((XXH3_state_t *)state);
}

void digest_add(struct digest_state *state, const void *bytes, size_t size) {
    XXH3_128bits_update((XXH3_state_t *)state, bytes, size);
}

struct digest128 digest_end(const struct digest_state *state) {
    return canonical(XXH3_128bits_digest((const XXH3_state_t *)state));
}

struct digest128 digest_of(const void *bytes, size_t size) {
    return canonical(XXH3_128bits(bytes, size));
}

bool digest_is(const struct digest128 *digest, const void *stored) {
    return memcmp(digest->bytes, stored, sizeof digest->bytes) == 0;
}

struct digest_text digest_text(const void *stored) {
    struct digest_text text;
    for (int i = 0; i < 16; i++)
        snprintf(text.hex + 2 * i, 3, "%02x", ((const uint8_t *)stored)[i]);
    return text;
}
