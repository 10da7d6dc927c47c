#include "lib/half.h"
#include "types/finite.h"
#include "types/variants.h"

static void decode_row(const struct matrix *w, size_t row, float *out) {
    size_t r = row % PANEL_ROWS;
    for (size_t col = 0; col < w->n_cols; col++) {
        const struct q8_block *block = block_at(w, row, col);
        int8_t q = (int8_t)block->groups[col % BLOCK_COLS / 4][4 * r + col % 4];
        out[col] = half_to_float(block->scales[r]) * q;
    }
}

static size_t finite(const void *blocks, size_t n_blocks) {
    return first_special_block(blocks, n_blocks, sizeof(struct q8_block));
}

static const struct variant variants[] = {BLOCK_VARIANTS(q8)};

const struct type type_q8 = {
    .name = "q8",
    .summary = "8 bits, 32 weights to an fp16 scale",
    .panel_rows = PANEL_ROWS,
    .block_cols = BLOCK_COLS,
    .block_bytes = sizeof(struct q8_block),
    .rounding = ROUND_I16,
    .decode_row = decode_row,
    .finite = finite,
    .variants = variants,
    .n_variants = COUNT(variants),
};
