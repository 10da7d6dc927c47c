#include "evaluate/grid.h"

/* Characters, of which "±" is one: bytes that do not continue another. */
static size_t width_of(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static void measure(const struct grid *grid, size_t widths[GRID_COLUMNS]) {
    char cells[GRID_COLUMNS][CELL];
    for (size_t line = 0; line < grid->n_lines; line++) {
        grid->fill(grid->context, line, cells);
        for (size_t i = 0; i < grid->n_columns; i++) {
            size_t width = width_of(cells[i]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

bool print_grid(const struct grid *grid, struct buffer *to, struct error *error) {
    char cells[GRID_COLUMNS][CELL];
    size_t widths[GRID_COLUMNS] = {0};
    measure(grid, widths);
    for (size_t line = 0; line < grid->n_lines; line++) {
        grid->fill(grid->context, line, cells);
        for (size_t i = 0; i < grid->n_columns; i++) {
            int gap = (int)(widths[i] - width_of(cells[i]));
            if (!buffer_printf(to, error, "%s%*s%s%*s", i ? "  " : "", grid->left[i] ? 0 : gap, "", cells[i],
                               grid->left[i] ? gap : 0, ""))
                return false;
        }
        if (!buffer_printf(to, error, "\n"))
            return false;
    }
    return true;
}
