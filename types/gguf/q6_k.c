/* 210 bytes: 128 bytes of the low four bits, 64 of the high two, a signed byte of scale for 16 weights, fp16
 * scale of them. weight = d * scale * (q - 32). */
#include "types/gguf/block.h"

extern const struct type type_f16;

static void decode(const uint8_t *block, float *out) {
    const uint8_t *low = block, *high = block + 128, *scales = block + 192;
    float d = half_at(block + 208);
    for (size_t col = 0; col < SUPER_COLS; col++) {
        size_t half = col / 128, within = col % 128;
        int q = low[64 * half + within % 64] >> 4 * (within / 64) & 15;
        q |= (high[32 * half + within % 32] >> 2 * (within / 32) & 3) << 4;
        out[col] = d * (float)(int8_t)scales[col / 16] * (float)(q - 32);
    }
}

GGUF_TYPE(q6_k, "Q6_K", "6.6 bits", SUPER_COLS, 210, 208, 1, .native = &type_f16);
