/* The table on standard output: names to the left, numbers to the right, units in the second line. */
#include "evaluate/grid.h"
#include "evaluate/results.h"
#include "evaluate/roofline.h"

#include "lib/cpu.h"

#include <stdlib.h>

bool row_may_be_cached(const struct row *row) {
    return row->streamed_bytes < 2 * (double)cpu_cache_bytes();
}

enum group { ALWAYS, PERPLEXITY, DIVERGENCE, SPEED };

struct column {
    enum group group;
    const char *name, *unit;
    void (*print)(const struct row *row, char cell[CELL]);
};

static void print_name(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%s", row->name);
}

static void print_type(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%s", row->type);
}

static void print_bits(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.2f", row->bits_per_weight);
}

static void print_size(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.2f", 1e-6 * (double)(row->synthetic ? row->tensor_bytes : row->file_bytes));
}

static void print_perplexity(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.3f ± %.3f", row->perplexity.mean, row->perplexity.error);
}

static void print_divergence(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.6f ± %.6f", row->divergence.mean, row->divergence.error);
}

static void print_p99(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.5f", row->divergence_p99);
}

static void print_agreement(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.2f", 100 * row->agreement);
}

static void print_prefill(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, row->prefill < 100 ? "%.1f" : "%.0f", row->prefill);
}

static void print_decode(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, row->decode < 100 ? "%.2f" : "%.0f", row->decode);
}

static void print_streamed(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.2f", 1e-6 * row->streamed_bytes);
}

static void print_bandwidth(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%.1f", 1e-9 * row->bandwidth);
}

static void print_share(const struct row *row, char cell[CELL]) {
    snprintf(cell, CELL, "%s%.0f", row_may_be_cached(row) ? "*" : "", 100 * row->roof_share);
}

static const struct column columns[] = {
    {ALWAYS, "model", "", print_name},
    {ALWAYS, "type", "", print_type},
    {ALWAYS, "bits", "/weight", print_bits},
    {ALWAYS, "size", "MB", print_size},
    {PERPLEXITY, "perplexity", "", print_perplexity},
    {DIVERGENCE, "KL", "nats/token", print_divergence},
    {DIVERGENCE, "KL p99", "nats", print_p99},
    {DIVERGENCE, "same top", "%", print_agreement},
    {SPEED, "prefill", "tokens/s", print_prefill},
    {SPEED, "decode", "tokens/s", print_decode},
    {SPEED, "streamed", "MB/token", print_streamed},
    {SPEED, "read", "GB/s", print_bandwidth},
    {SPEED, "of roof", "%", print_share},
};
#define N_COLUMNS (sizeof columns / sizeof *columns)
_Static_assert(N_COLUMNS <= GRID_COLUMNS, "a grid holds all columns");

static bool shown(const struct evaluation *evaluation, enum group group) {
    switch (group) {
    case PERPLEXITY:
        return evaluation->has_perplexity;
    case DIVERGENCE:
        return evaluation->has_divergence;
    case SPEED:
        return evaluation->has_speed;
    case ALWAYS:
        break;
    }
    return true;
}

/* Line 0 holds the names, line 1 the units, then come the rows. */
static void fill_cell(const struct evaluation *evaluation, size_t column, size_t line, char cell[CELL]) {
    if (line >= 2)
        columns[column].print(&evaluation->rows[line - 2], cell);
    else
        snprintf(cell, CELL, "%s", line ? columns[column].unit : columns[column].name);
}

static void fill_row_line(const void *context, size_t line, char cells[GRID_COLUMNS][CELL]) {
    const struct evaluation *evaluation = context;
    for (size_t column = 0, n = 0; column < N_COLUMNS; column++)
        if (shown(evaluation, columns[column].group))
            fill_cell(evaluation, column, line, cells[n++]);
}

static bool print_rows(const struct evaluation *evaluation, struct buffer *to, struct error *error) {
    struct grid grid = {
        .n_lines = evaluation->n_rows + 2,
        .left = {true, true},
        .fill = fill_row_line,
        .context = evaluation,
    };
    for (size_t column = 0; column < N_COLUMNS; column++)
        grid.n_columns += shown(evaluation, columns[column].group);
    return print_grid(&grid, to, error);
}

static bool print_notes(const struct evaluation *e, struct buffer *to, struct error *error) {
    bool cached = false;
    for (size_t i = 0; i < e->n_rows; i++)
        cached |= e->has_speed && row_may_be_cached(&e->rows[i]);
    if (e->has_perplexity || e->has_divergence)
        if (!buffer_printf(to, error, "\ntext: %s, %zu window%s of %zu tokens, the last %zu of each scored\n",
                           e->text, e->windows, e->windows == 1 ? "" : "s", e->context, e->scored))
            return false;
    if (e->has_divergence && !buffer_printf(to, error, "KL and top token: against %s\n", e->reference))
        return false;
    if (e->has_speed &&
        !buffer_printf(to, error,
                       "roof: %.1f GB/s, a plain read of memory by the same %u thread%s (%s, %s)\n",
                       1e-9 * e->roof, e->machine.threads, e->machine.threads == 1 ? "" : "s", e->machine.cpu,
                       e->machine.level))
        return false;
    if (e->has_speed &&
        !buffer_printf(to, error, "decode: behind %zu tokens, those of the prefill\n", e->prompt))
        return false;
    if (cached &&
        !buffer_printf(to, error, "*: small enough for the processor's cache, so no measurement of memory\n"))
        return false;
    return !e->has_fit ||
           buffer_printf(to, error, "fit: time per token = bytes / %.1f GB/s %c %.3f ms, R² %.4f\n",
                         1e-9 / e->fit.slope, e->fit.intercept < 0 ? '-' : '+',
                         1e3 * (e->fit.intercept < 0 ? -e->fit.intercept : e->fit.intercept),
                         e->fit.r_squared);
}

bool print_table(const struct evaluation *evaluation, struct buffer *to, struct error *error) {
    return print_rows(evaluation, to, error) && print_notes(evaluation, to, error) &&
           (!evaluation->has_batches || print_batches(evaluation, to, error)) &&
           (!evaluation->rooflines || print_rooflines(evaluation->rooflines, to, error));
}
