/* 22 bytes: fp16 scale, 32 fifth bits, 16 bytes of nibbles. weight = scale * (q - 16). */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block);
    uint32_t fifths;
    memcpy(&fifths, block + 2, sizeof fifths);
    for (size_t col = 0; col < BLOCK_COLS; col++) {
        int q = (int)(nibble_of(block + 6, col) | (fifths >> col & 1) << 4);
        out[col] = scale * (float)(q - 16);
    }
}

GGUF_TYPE(q5_0, "Q5_0", "5.5 bits", BLOCK_COLS, 22, 0, 1, .native = &type_f16);
