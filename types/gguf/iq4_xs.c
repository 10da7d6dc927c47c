/* 136 bytes: fp16 scale, the high two bits of 8 scales, 4 bytes of their low four, 128 bytes of nibbles. Each
 * sub-block of 32: weight = d * (scale - 32) * value q of a table. */
#include "types/gguf/block.h"
#include "types/gguf/iq4.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    float d = half_at(block);
    uint16_t high;
    memcpy(&high, block + 2, sizeof high);
    for (size_t i = 0; i < 8; i++) {
        int scale = (block[4 + i / 2] >> 4 * (i % 2) & 15) | (high >> 2 * i & 3) << 4;
        for (size_t col = 0; col < 32; col++)
            out[32 * i + col] =
                d * (float)(scale - 32) * (float)iq4_values[nibble_of(block + 8 + 16 * i, col)];
    }
}

GGUF_TYPE(iq4_xs, "IQ4_XS", "4.3 bits", SUPER_COLS, 136, 0, 1, .native = &type_f16);
