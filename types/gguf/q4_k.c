/* 144 bytes: fp16 scales d and dmin, 12 bytes of 8 scales and minima, 128 bytes of nibbles. Each sub-block of
 * 32: weight = d * scale * q - dmin * minimum. */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float d = half_at(block), dmin = half_at(block + 2);
    for (size_t i = 0; i < 8; i++) {
        const uint8_t *pairs = block + 16 + i / 2 * 32;
        uint8_t scale, minimum;
        scale_and_minimum(block + 4, i, &scale, &minimum);
        for (size_t col = 0; col < 32; col++) {
            int q = pairs[col] >> 4 * (i % 2) & 15;
            out[32 * i + col] = d * (float)scale * (float)q - dmin * (float)minimum;
        }
    }
}

GGUF_TYPE(q4_k, "Q4_K", "4.5 bits", SUPER_COLS, 144, 0, 2, .native = &type_f16);
