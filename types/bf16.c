#include "types/finite.h"
#include "types/variants.h"

static void decode_row(const struct matrix *w, size_t row, float *out) {
    best_primitives()->bf16_widen(w->data + row * w->n_cols * 2, w->n_cols, out);
}

static size_t finite(const void *blocks, size_t n_blocks) {
    return first_special_16(blocks, n_blocks, 0x7f80);
}

static const struct variant variants[] = {AMX_VARIANT(bf16) PLAIN_VARIANTS(bf16)};

const struct type type_bf16 = {
    .name = "bf16",
    .summary = "16 bits, the upper half of a binary32",
    .panel_rows = 1,
    .block_cols = 1,
    .block_bytes = 2,
    .rounding = ROUND_SPLIT,
    .decode_row = decode_row,
    .finite = finite,
    .variants = variants,
    .n_variants = COUNT(variants),
};
