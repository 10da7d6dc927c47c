/* A .qm file as bytes, for tests that break one rule and need everything above it to hold. Knows the layout
 * from docs/format.md, not from format/. */
#ifndef TESTS_QM_BYTES_H
#define TESTS_QM_BYTES_H

#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#define QM_BYTES_HEADER 64
#define QM_BYTES_FOOTER 96

static inline uint64_t bytes_get(const uint8_t *from, int n) {
    return n == 0 ? 0 : bytes_get(from + 1, n - 1) << 8 | *from;
}

static inline void bytes_put(uint8_t *to, uint64_t x, int n) {
    for (int i = 0; i < n; i++)
        to[i] = (uint8_t)(x >> 8 * i);
}

static inline void bytes_put_digest(uint8_t *to, const uint8_t *bytes, size_t size) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes, size));
    memcpy(to, canonical.digest, 16);
}

/* Makes every digest of the directory's sections true, as far as they can be followed, and the model id too.
 */
static inline void bytes_seal_sections(uint8_t *directory, size_t size, uint8_t *id) {
    static uint8_t headers[32 * 64];
    size_t n_headers = 0, at = 0;
    while (size - at >= 32) {
        uint8_t *header = directory + at;
        uint64_t payload = bytes_get(header + 8, 8);
        if (payload > size - at - 32)
            break;
        bytes_put_digest(header + 16, header + 32, (size_t)payload);
        if (header[4] & 2 && n_headers < sizeof headers / 32)
            memcpy(headers + 32 * n_headers++, header, 32);
        at += 32 + (size_t)payload + (size_t)(-payload % 8);
        if (at > size)
            break;
    }
    bytes_put_digest(id, headers, 32 * n_headers);
}

/* Makes every digest but those of tensors true, and the file size. */
static inline void bytes_seal(uint8_t *file, size_t size) {
    if (size < QM_BYTES_HEADER + QM_BYTES_FOOTER)
        return;
    uint8_t *footer = file + size - QM_BYTES_FOOTER;
    uint64_t offset = bytes_get(footer, 8), directory = bytes_get(footer + 8, 8);
    bytes_put_digest(file + 48, file, 48);
    if (offset >= QM_BYTES_HEADER && offset <= size - QM_BYTES_FOOTER &&
        directory == size - QM_BYTES_FOOTER - offset) {
        bytes_seal_sections(file + offset, (size_t)directory, footer + 40);
        bytes_put_digest(footer + 24, file + offset, (size_t)directory);
    }
    bytes_put(footer + 16, size, 8);
    bytes_put_digest(footer + 72, footer, 72);
}

#endif
