/* Columns for a terminal: text to the left, numbers to the right, each column as wide as its widest cell. */
#ifndef EVALUATE_GRID_H
#define EVALUATE_GRID_H

#include "lib/memory.h"

#define CELL 64
#define GRID_COLUMNS 16 /* at most */

struct grid {
    size_t n_lines, n_columns;
    bool left[GRID_COLUMNS]; /* which columns are text */
    void (*fill)(const void *context, size_t line, char cells[GRID_COLUMNS][CELL]);
    const void *context;
};

bool print_grid(const struct grid *grid, struct buffer *to, struct error *error);

#endif
