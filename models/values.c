#include "models/values.h"

#include <inttypes.h>
#include <math.h>

static uint32_t first_not_finite(const float *x, uint32_t n) {
    uint32_t i = 0;
    while (i < n && isfinite(x[i]))
        i++;
    return i;
}

/* The sentence for one block that its type calls not finite. */
static bool describe_block(const struct tensor *tensor, const char *file, const void *block, uint64_t number,
                           struct error *error) {
    float row[BLOCK_COLS] = {0};
    const struct type *type = tensor->type;
    uint64_t n_rows, n_cols;
    tensor_rows_cols(tensor, &n_rows, &n_cols);
    uint64_t per_panel = (n_cols + type->block_cols - 1) / type->block_cols;
    uint64_t first_row = number / per_panel * type->panel_rows,
             first_col = number % per_panel * type->block_cols;
    struct matrix one = {type, block, type->panel_rows, type->block_cols};
    for (uint32_t r = 0; type->block_cols <= BLOCK_COLS && r < type->panel_rows; r++) {
        type->decode_row(&one, r, row);
        uint32_t col = first_not_finite(row, type->block_cols);
        if (col < type->block_cols)
            return fail(error, "%s: tensor '%s' has %g in row %" PRIu64 ", column %" PRIu64, file,
                        tensor->name, (double)row[col], first_row + r, first_col + col);
    }
    return fail(error, "%s: tensor '%s' has a block that is not finite in row %" PRIu64 ", column %" PRIu64,
                file, tensor->name, first_row, first_col);
}

bool blocks_check_finite(const struct tensor *tensor, const char *file, const void *blocks,
                         uint64_t first_block, size_t n_blocks, struct error *error) {
    size_t bad = tensor->type->finite(blocks, n_blocks);
    if (bad == n_blocks)
        return true;
    const uint8_t *block = (const uint8_t *)blocks + bad * tensor->type->block_bytes;
    return describe_block(tensor, file, block, first_block + bad, error);
}
