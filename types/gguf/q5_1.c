/* 24 bytes: fp16 scale and minimum, 32 fifth bits, 16 bytes of nibbles. weight = scale * q + minimum. */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block), minimum = half_at(block + 2);
    uint32_t fifths;
    memcpy(&fifths, block + 4, sizeof fifths);
    for (size_t col = 0; col < BLOCK_COLS; col++) {
        uint32_t q = nibble_of(block + 8, col) | (fifths >> col & 1) << 4;
        out[col] = scale * (float)q + minimum;
    }
}

GGUF_TYPE(q5_1, "Q5_1", "6 bits", BLOCK_COLS, 24, 0, 2, .native = &type_f16);
