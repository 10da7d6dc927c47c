#include "types/finite.h"
#include "types/variants.h"

static void decode_row(const struct matrix *w, size_t row, float *out) {
    memcpy(out, w->data + row * w->n_cols * 4, w->n_cols * 4);
}

static size_t finite(const void *blocks, size_t n_blocks) {
    return first_special_32(blocks, n_blocks, 0x7f800000);
}

static const struct variant variants[] = {PLAIN_VARIANTS(f32)};

const struct type type_f32 = {
    .name = "f32",
    .summary = "32 bits, IEEE 754 binary32",
    .panel_rows = 1,
    .block_cols = 1,
    .block_bytes = 4,
    .rounding = ROUND_NONE,
    .decode_row = decode_row,
    .finite = finite,
    .variants = variants,
    .n_variants = COUNT(variants),
};
