/* 20 bytes: fp16 scale and minimum, 16 bytes of nibbles. weight = scale * q + minimum. */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block), minimum = half_at(block + 2);
    for (size_t col = 0; col < BLOCK_COLS; col++)
        out[col] = scale * (float)nibble_of(block + 4, col) + minimum;
}

GGUF_TYPE(q4_1, "Q4_1", "5 bits", BLOCK_COLS, 20, 0, 2, .native = &type_f16);
