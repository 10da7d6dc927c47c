/* 18 bytes: fp16 scale, 16 bytes of nibbles. weight = scale * value q of a table. */
#include "types/gguf/block.h"
#include "types/gguf/iq4.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block);
    for (size_t col = 0; col < BLOCK_COLS; col++)
        out[col] = scale * (float)iq4_values[nibble_of(block + 2, col)];
}

GGUF_TYPE(iq4_nl, "IQ4_NL", "4.5 bits", BLOCK_COLS, 18, 0, 1, .native = &type_f16);
