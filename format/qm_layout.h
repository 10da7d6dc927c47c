/* The bytes of a .qm file, as docs/format.md specifies them; shared by reader and writer.
 *
 *   +--------+-----------------------------+---------------------------------------+--------+
 *   | header | tensors, each after padding | directory: META BLOB TYPE TENS        | footer |
 *   | 64     | to a multiple of 64 or 4096 |            TPOS BDAT, 8-byte aligned  | 96     |
 *   +--------+-----------------------------+---------------------------------------+--------+
 *   0        64                            multiple of 64                        size - 96
 *
 * META BLOB TYPE TENS say what the model is and make its id; TPOS and BDAT say where its bytes lie. */
#ifndef FORMAT_QM_LAYOUT_H
#define FORMAT_QM_LAYOUT_H

#include "format/digest.h"
#include "format/qm.h"

#include <string.h>

#define QM_MAJOR 1
#define QM_MINOR 0
#define QM_KNOWN_INCOMPATIBLE 0u /* feature bits that this reader understands */

#define QM_MAGIC "\x89QMF\r\n\x1a\n"
#define QM_END_MAGIC "\n\x1a\n\rFMQ\x89"

enum qm_header_field {
    QM_HEADER_MAGIC = 0, /* 8 bytes */
    QM_HEADER_MAJOR = 8, /* u16 */
    QM_HEADER_MINOR = 10, /* u16 */
    QM_HEADER_ZERO = 12, /* 4 zeros */
    QM_HEADER_COMPATIBLE = 16, /* u64 */
    QM_HEADER_INCOMPATIBLE = 24, /* u64 */
    QM_HEADER_RESERVED = 32, /* 16 zeros */
    QM_HEADER_DIGEST = 48, /* of bytes 0 to 47 */
    QM_HEADER_SIZE = 64,
};

enum qm_footer_field {
    QM_FOOTER_DIRECTORY = 0, /* u64 offset, u64 size */
    QM_FOOTER_FILE_SIZE = 16, /* u64 */
    QM_FOOTER_DIRECTORY_DIGEST = 24,
    QM_FOOTER_MODEL_ID = 40,
    QM_FOOTER_RESERVED = 56, /* 16 zeros */
    QM_FOOTER_DIGEST = 72, /* of bytes 0 to 71 */
    QM_FOOTER_MAGIC = 88, /* 8 bytes */
    QM_FOOTER_SIZE = 96,
};

/* A section: kind (4 characters), u32 flags, u64 size, digest of the payload; then the payload, zeros to 8.
 */
enum qm_section_field {
    QM_SECTION_KIND = 0,
    QM_SECTION_FLAGS = 4,
    QM_SECTION_BYTES = 8,
    QM_SECTION_DIGEST = 16,
    QM_SECTION_HEADER = 32,
    QM_SECTION_ALIGN = 8,
};

enum qm_flag {
    QM_CRITICAL = 1 << 0, /* a reader that does not know the kind refuses the file */
    QM_IDENTITY = 1 << 1, /* the section's header is part of the model id */
};

/* In the order in which they lie in the directory. */
enum qm_section { QM_META, QM_BLOB, QM_TYPE, QM_TENS, QM_TPOS, QM_BDAT, QM_SECTIONS };

struct qm_section_kind {
    char kind[5];
    uint32_t flags;
};

extern const struct qm_section_kind qm_sections[QM_SECTIONS];

enum qm_codec { QM_STORED, QM_ZLIB };

/* Tensors that mapping or direct reading gains from begin at a page. */
#define QM_LARGE_TENSOR 65536u
#define QM_LARGE_ALIGN 4096u
#define QM_SMALL_ALIGN 64u

static inline uint64_t qm_tensor_align(uint64_t size) {
    return size >= QM_LARGE_TENSOR ? QM_LARGE_ALIGN : QM_SMALL_ALIGN;
}

static inline bool qm_align(uint64_t offset, uint64_t align, uint64_t *aligned) {
    return add_sizes(offset, align - 1, aligned) && (*aligned &= ~(align - 1), true);
}

static inline uint64_t qm_get(const uint8_t *from, int n_bytes) {
    uint64_t x = 0;
    while (n_bytes-- > 0)
        x = x << 8 | from[n_bytes];
    return x;
}

static inline void qm_put(void *to, uint64_t x, int n_bytes) {
    for (int i = 0; i < n_bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)(x >> 8 * i);
}

static inline bool qm_is_zero(const uint8_t *bytes, size_t size) {
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

#endif
