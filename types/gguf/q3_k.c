/* 110 bytes: 32 bytes of third bits, 64 of the two others, 12 of 16 scales of 6 bits, fp16 scale of them.
 * weight = d * (scale - 32) * (q - 4). */
#include "types/gguf/block.h"

extern const struct type type_f16;

/* Low four bits of scales i and 8 + i in byte i; the high two of 16 scales, four to a byte, from byte 8. */
static int scale_of(const uint8_t *packed, size_t i) {
    int low = i < 8 ? packed[i] & 15 : packed[i - 8] >> 4;
    return low + ((packed[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32;
}

static void decode(const uint8_t *block, float *out) {
    const uint8_t *thirds = block, *pairs = block + 32, *scales = block + 96;
    float d = half_at(block + 108);
    for (size_t col = 0; col < SUPER_COLS; col++) {
        int q = pairs[col / 128 * 32 + col % 32] >> 2 * (col / 32 % 4) & 3;
        q |= (thirds[col % 32] >> col / 32 & 1) << 2;
        out[col] = d * (float)scale_of(scales, col / 16) * (float)(q - 4);
    }
}

GGUF_TYPE(q3_k, "Q3_K", "3.4 bits", SUPER_COLS, 110, 108, 1, .native = &type_f16);
