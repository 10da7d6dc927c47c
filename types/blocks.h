/* The blocks of q8 and q4, and where a matrix keeps them. docs/types.md draws them. */
#ifndef TYPES_BLOCKS_H
#define TYPES_BLOCKS_H

#include "types/type.h"

#include <assert.h>

struct q8_block {
    uint16_t scales[PANEL_ROWS]; /* fp16 */
    uint8_t groups[8][4 * PANEL_ROWS]; /* groups[g][4 * row + j]: weight of column 4g + j */
};

struct q4_block {
    uint16_t scales[PANEL_ROWS]; /* fp16 */
    /* chunks[c][4 * row + j]: weight + 8 of column 8c + j in the low nibble, of column 8c + 4 + j in the high
     * one */
    uint8_t chunks[4][4 * PANEL_ROWS];
};

static_assert(sizeof(struct q8_block) == 544 && sizeof(struct q4_block) == 288, "blocks have no padding");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "blocks are read as they lie in a file");

static inline size_t blocks_across(const struct matrix *w) {
    return (w->n_cols + w->type->block_cols - 1) / w->type->block_cols;
}

/* The block that holds a row and a column. */
static inline const void *block_at(const struct matrix *w, size_t row, size_t col) {
    size_t block = row / w->type->panel_rows * blocks_across(w) + col / w->type->block_cols;
    return w->data + block * w->type->block_bytes;
}

static inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif
