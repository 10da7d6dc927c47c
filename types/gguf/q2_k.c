/* 84 bytes: 16 bytes of a 4-bit scale and minimum (high) each for 16 weights, 64 bytes of 2-bit weights, fp16
 * scales of both. weight = d * scale * q - dmin * minimum. */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    const uint8_t *scales = block, *pairs = block + 16;
    float d = half_at(block + 80), dmin = half_at(block + 82);
    for (size_t col = 0; col < SUPER_COLS; col++) {
        uint8_t both = scales[col / 16];
        uint8_t q = pairs[col / 128 * 32 + col % 32] >> 2 * (col / 32 % 4) & 3;
        out[col] = d * (float)(both & 15) * (float)q - dmin * (float)(both >> 4);
    }
}

GGUF_TYPE(q2_k, "Q2_K", "2.6 bits", SUPER_COLS, 84, 80, 2, .native = &type_f16);
