/* 18 bytes: fp16 scale, 16 bytes of nibbles. weight = scale * (q - 8): those of q4. */
#include "types/blocks.h"
#include "types/gguf/block.h"

extern const struct type type_q4;

static void decode(const uint8_t *block, float *out) {
    float scale = half_at(block);
    for (size_t col = 0; col < BLOCK_COLS; col++)
        out[col] = scale * (float)(nibble_of(block + 2, col) - 8);
}

static void put_row(struct q4_block *to, size_t r, const struct gguf_q4_0 *from) {
    to->scales[r] = from->scale;
    for (size_t col = 0; col < BLOCK_COLS; col++) {
        uint8_t *pair = &to->chunks[col / 8][4 * r + col % 4], nibble = nibble_of(from->pairs, col);
        *pair = (uint8_t)(col & 4 ? *pair | nibble << 4 : nibble);
    }
}

static void repack(const void *rows, size_t n_rows, size_t n_cols, void *panels) {
    static const struct gguf_q4_0 nothing = {
        0, {0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88}};
    const struct gguf_q4_0 *from = rows;
    struct q4_block *to = panels;
    size_t across = n_cols / BLOCK_COLS;
    for (size_t row = 0; row < n_rows; row += PANEL_ROWS, to += across)
        for (size_t r = 0; r < PANEL_ROWS; r++)
            for (size_t b = 0; b < across; b++)
                put_row(&to[b], r, row + r < n_rows ? &from[(row + r) * across + b] : &nothing);
}

static uint8_t weight_at(const struct q4_block *from, size_t r, size_t col) {
    uint8_t pair = from->chunks[col / 8][4 * r + col % 4];
    return col & 4 ? pair >> 4 : pair & 15;
}

static void get_row(const struct q4_block *from, size_t r, struct gguf_q4_0 *to) {
    to->scale = from->scales[r];
    for (size_t col = 0; col < BLOCK_COLS / 2; col++)
        to->pairs[col] = (uint8_t)(weight_at(from, r, col) | weight_at(from, r, col + BLOCK_COLS / 2) << 4);
}

static void restore(const void *panels, size_t n_rows, size_t n_cols, void *rows) {
    const struct q4_block *from = panels;
    struct gguf_q4_0 *to = rows;
    size_t across = n_cols / BLOCK_COLS;
    for (size_t row = 0; row < n_rows; row++)
        for (size_t b = 0; b < across; b++)
            get_row(&from[row / PANEL_ROWS * across + b], row % PANEL_ROWS, to++);
}

GGUF_TYPE(q4_0, "Q4_0", "4.5 bits", BLOCK_COLS, 18, 0, 1, .native = &type_q4, .repack = repack,
          .restore = restore);
