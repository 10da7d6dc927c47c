/* 176 bytes: as Q4_K, with 32 bytes of fifth bits, bit i of which are those of sub-block i, before the
 * nibbles. */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    const uint8_t *fifths = block + 16;
    float d = half_at(block), dmin = half_at(block + 2);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *pairs = block + 48 + i / 2 * 32;
        uint8_t scale, minimum;
        scale_and_minimum(block + 4, i, &scale, &minimum);
        for (size_t col = 0; col < 32; col++) {
            int q = (pairs[col] >> 4 * (i % 2) & 15) | (fifths[col] >> i & 1) << 4;
            out[32 * i + col] = d * (float)scale * (float)q - dmin * (float)minimum;
        }
    }
}

GGUF_TYPE(q5_k, "Q5_K", "5.5 bits", SUPER_COLS, 176, 0, 2, .native = &type_f16);
