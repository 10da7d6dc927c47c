/* 34 bytes: fp16 scale, 32 signed bytes. weight = scale * q: those of q8. */
#include "types/blocks.h"
#include "types/gguf/block.h"

extern const struct type type_q8;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block);
    for (size_t col = 0; col < BLOCK_COLS; col++)
        out[col] = scale * (float)(int8_t)block[2 + col];
}

static void put_row(struct q8_block *to, size_t r, const struct gguf_q8_0 *from) {
    to->scales[r] = from->scale;
    for (size_t col = 0; col < BLOCK_COLS; col++)
        to->groups[col / 4][4 * r + col % 4] = (uint8_t)from->weights[col];
}

static void repack(const void *rows, size_t n_rows, size_t n_cols, void *panels) {
    static const struct gguf_q8_0 nothing = {0};
    const struct gguf_q8_0 *from = rows;
    struct q8_block *to = panels;
    size_t across = n_cols / BLOCK_COLS;
    for (size_t row = 0; row < n_rows; row += PANEL_ROWS, to += across)
        for (size_t r = 0; r < PANEL_ROWS; r++)
            for (size_t b = 0; b < across; b++)
                put_row(&to[b], r, row + r < n_rows ? &from[(row + r) * across + b] : &nothing);
}

static void get_row(const struct q8_block *from, size_t r, struct gguf_q8_0 *to) {
    to->scale = from->scales[r];
    for (size_t col = 0; col < BLOCK_COLS; col++)
        to->weights[col] = (int8_t)from->groups[col / 4][4 * r + col % 4];
}

static void restore(const void *panels, size_t n_rows, size_t n_cols, void *rows) {
    const struct q8_block *from = panels;
    struct gguf_q8_0 *to = rows;
    size_t across = n_cols / BLOCK_COLS;
    for (size_t row = 0; row < n_rows; row++)
        for (size_t b = 0; b < across; b++)
            get_row(&from[row / PANEL_ROWS * across + b], row % PANEL_ROWS, to++);
}

GGUF_TYPE(q8_0, "Q8_0", "8.5 bits", BLOCK_COLS, 34, 0, 1, .native = &type_q8, .repack = repack,
          .restore = restore);
