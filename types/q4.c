#include "lib/half.h"
#include "types/finite.h"
#include "types/variants.h"

static void decode_row(const struct matrix *w, size_t row, float *out) {
    size_t r = row % PANEL_ROWS;
    for (size_t col = 0; col < w->n_cols; col++) {
        const struct q4_block *block = block_at(w, row, col);
        uint8_t pair = block->chunks[col % BLOCK_COLS / 8][4 * r + col % 4];
        int nibble = col & 4 ? pair >> 4 : pair & 15;
        out[col] = half_to_float(block->scales[r]) * (float)(nibble - 8);
    }
}

static size_t finite(const void *blocks, size_t n_blocks) {
    return first_special_block(blocks, n_blocks, sizeof(struct q4_block));
}

static const struct variant variants[] = {
#ifdef __aarch64__
    {.name = "neondot", .needs = CPU_NEON | CPU_NEON_DOTPROD, .matvec = q4_matvec_neondot},
#endif
    BLOCK_VARIANTS(q4),
};

const struct type type_q4 = {
    .name = "q4",
    .summary = "4 bits, 32 weights to an fp16 scale",
    .panel_rows = PANEL_ROWS,
    .block_cols = BLOCK_COLS,
    .block_bytes = sizeof(struct q4_block),
    .rounding = ROUND_I8,
    .decode_row = decode_row,
    .finite = finite,
    .variants = variants,
    .n_variants = COUNT(variants),
};
