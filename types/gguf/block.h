/* What the block types of GGUF share. A file defines `decode`, of one block, and its descriptor. */
#ifndef TYPES_GGUF_BLOCK_H
#define TYPES_GGUF_BLOCK_H

#include "lib/half.h"
#include "types/gguf.h"

#include <string.h>

#define SUPER_COLS 256 /* columns of a block of a K type */

static inline float half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return half_to_float(half);
}

static inline bool half_is_finite(const uint8_t *bytes) {
    return (bytes[1] & 0x7c) != 0x7c;
}

/* The descriptor of a type whose numbers of full range are n_halves fp16 at byte half_begin of each block. */
#define GGUF_TYPE(id, type_name, bits, cols, bytes, half_begin, n_halves, ...)                               \
    static void decode_row(const struct matrix *w, size_t row, float *out) {                                 \
        const size_t n_blocks = w->n_cols / (cols);                                                          \
        const uint8_t *block = w->data + row * n_blocks * (bytes);                                           \
        for (size_t i = 0; i < n_blocks; i++, block += (bytes))                                              \
            decode(block, out + i * (cols));                                                                 \
    }                                                                                                        \
    static size_t finite(const void *blocks, size_t count) {                                                 \
        const uint8_t *half = (const uint8_t *)blocks + (half_begin);                                        \
        for (size_t i = 0; i < count; i++, half += (bytes))                                                  \
            if (!half_is_finite(half) || !half_is_finite(half + 2 * ((n_halves)-1)))                         \
                return i;                                                                                    \
        return count;                                                                                        \
    }                                                                                                        \
    const struct type type_gguf_##id = {                                                                     \
        .name = type_name,                                                                                   \
        .summary = bits " of GGUF",                                                                          \
        .panel_rows = 1,                                                                                     \
        .block_cols = cols,                                                                                  \
        .block_bytes = bytes,                                                                                \
        .decode_row = decode_row,                                                                            \
        .finite = finite,                                                                                    \
        __VA_ARGS__,                                                                                         \
    }

/* Nibbles of 32 weights: the first half of the columns in the low ones, the second in the high ones. */
static inline uint8_t nibble_of(const uint8_t *pairs, size_t col) {
    return col < 16 ? pairs[col] & 15 : pairs[col - 16] >> 4;
}

/* The 6-bit scale and minimum of sub-block i (of 8) in Q4_K and Q5_K, packed in 12 bytes:
 *
 *   bytes 0-3   scale i = 0..3 in bits 0-5,     bits 4-5 of scale 4 + i in bits 6-7
 *   bytes 4-7   the minima in the same way
 *   bytes 8-11  bits 0-3 of scale 4 + i in bits 0-3, of minimum 4 + i in bits 4-7 */
static inline void scale_and_minimum(const uint8_t *packed, size_t i, uint8_t *scale, uint8_t *minimum) {
    size_t j = i % 4;
    *scale = i < 4 ? packed[j] & 63 : (packed[8 + j] & 15) | (packed[j] >> 2 & 48);
    *minimum = i < 4 ? packed[4 + j] & 63 : packed[8 + j] >> 4 | (packed[4 + j] >> 2 & 48);
}

#endif
