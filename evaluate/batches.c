#include "evaluate/batches.h"

#include "evaluate/grid.h"
#include "evaluate/plot.h"
#include "evaluate/results.h"
#include "evaluate/roofline.h"

#include <math.h>

#define STILL_RISING 1.5 /* tokens/s that the last doubling brings, over those before it */

static double most_tokens(const struct batch_speed *speeds) {
    double most = 0;
    for (size_t i = 0; i < BATCH_SIZES; i++)
        most = fmax(most, speeds[i].tokens);
    return most;
}

double batch_knee(const struct batch_speed speeds[BATCH_SIZES]) {
    if (speeds[BATCH_SIZES - 1].tokens >= STILL_RISING * speeds[BATCH_SIZES - 2].tokens)
        return 0;
    return most_tokens(speeds) / speeds[0].tokens;
}

/* ---- As text ---- */

#define KNEE_NOTE "knee: from this batch on arithmetic, not memory, is what one waits for"

enum { MODEL, TYPE, FIRST_SIZE, MEASURED_KNEE = FIRST_SIZE + BATCH_SIZES, PREDICTED_KNEE, BATCH_COLUMNS };

static void print_batch_tokens(char cell[CELL], double tokens) {
    snprintf(cell, CELL, tokens < 100 ? "%.1f" : "%.0f", tokens);
}

static void print_batch_knee(char cell[CELL], double knee) {
    if (knee > 0)
        snprintf(cell, CELL, "%.1f", knee);
    else
        snprintf(cell, CELL, "> %d", BATCH_LARGEST);
}

static void fill_names(char cells[GRID_COLUMNS][CELL]) {
    static const char *const names[BATCH_COLUMNS] = {
        [MODEL] = "model", [TYPE] = "type", [MEASURED_KNEE] = "knee", [PREDICTED_KNEE] = "by roofline"};
    for (size_t i = 0; i < BATCH_COLUMNS; i++)
        snprintf(cells[i], CELL, "%s", names[i] ? names[i] : "");
    for (size_t i = 0; i < BATCH_SIZES; i++)
        snprintf(cells[FIRST_SIZE + i], CELL, "%zu", batch_size(i));
}

/* Line 0 names the columns, then come the models. */
static void fill_batch_line(const void *context, size_t line, char cells[GRID_COLUMNS][CELL]) {
    const struct evaluation *e = context;
    if (line == 0) {
        fill_names(cells);
        return;
    }
    const struct row *row = &e->rows[line - 1];
    snprintf(cells[MODEL], CELL, "%s", row->name);
    snprintf(cells[TYPE], CELL, "%s", row->type);
    for (size_t i = 0; i < BATCH_SIZES; i++)
        print_batch_tokens(cells[FIRST_SIZE + i], row->batches[i].tokens);
    print_batch_knee(cells[MEASURED_KNEE], row->knee);
    if (e->rooflines)
        snprintf(cells[PREDICTED_KNEE], CELL, "%.1f", roofline_here(e->rooflines, line - 1).knee);
}

static size_t n_columns(const struct evaluation *e) {
    return e->rooflines ? BATCH_COLUMNS : PREDICTED_KNEE;
}

bool print_batches(const struct evaluation *e, struct buffer *to, struct error *error) {
    const struct grid grid = {
        .n_lines = e->n_rows + 1,
        .n_columns = n_columns(e),
        .left = {[MODEL] = true, [TYPE] = true},
        .fill = fill_batch_line,
        .context = e,
    };
    return buffer_printf(to, error, "\ntokens/s of so many sequences together, each of %d tokens at most\n",
                         BATCH_POSITIONS) &&
           print_grid(&grid, to, error) && buffer_printf(to, error, "%s\n", KNEE_NOTE);
}

/* ---- As JSON ---- */

json_t *batches_json(const struct row *row) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < BATCH_SIZES; i++) {
        json_t *speed = json_pack("{s:I, s:f, s:f}", "sequences", (json_int_t)batch_size(i), "tok_s",
                                  row->batches[i].tokens, "gb_s", 1e-9 * row->batches[i].bandwidth);
        if (json_array_append_new(array, speed) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* ---- As a page ---- */

/* A model's hue in the plot; they repeat where there are more models. */
static const struct {
    const char *path, *bound, *point, *corner;
} hues[] = {
    {"path hue-0", "bound hue-0", "point hue-0", "hollow hue-0"},
    {"path hue-1", "bound hue-1", "point hue-1", "hollow hue-1"},
    {"path hue-2", "bound hue-2", "point hue-2", "hollow hue-2"},
    {"path hue-3", "bound hue-3", "point hue-3", "hollow hue-3"},
};
#define N_HUES (sizeof hues / sizeof *hues)

/* A model's points, and the corner of the two lines that bound them where the knee is known. */
struct series {
    struct point points[BATCH_SIZES + 1];
    char corner[CELL];
};

static size_t n_points(const struct row *row) {
    return BATCH_SIZES + (row->knee > 0);
}

static void fill_series(const struct row *row, size_t hue, struct series *series) {
    for (size_t i = 0; i < BATCH_SIZES; i++)
        series->points[i] = (struct point){
            .x = (double)batch_size(i),
            .y = row->batches[i].tokens,
            .label = i == BATCH_SIZES - 1 ? row->type : NULL,
            .class = hues[hue].point,
        };
    snprintf(series->corner, CELL, "knee %.1f", row->knee);
    series->points[BATCH_SIZES] = (struct point){
        .x = row->knee,
        .y = most_tokens(row->batches),
        .label = series->corner,
        .class = hues[hue].corner,
    };
}

/* What memory allows rises with the batch, what arithmetic allows is flat. */
static void put_bounds(struct plot *plot, const struct row *row, const char *class) {
    double one = row->batches[0].tokens, most = most_tokens(row->batches);
    double turn = row->knee > 0 ? row->knee : fmin(plot->x.high, plot->y.high / one);
    const struct point bounds[] = {
        {.x = 1, .y = one}, {.x = turn, .y = turn * one}, {.x = BATCH_LARGEST, .y = most}};
    plot_path(plot, bounds, row->knee > 0 ? 3 : 2, class);
}

static struct plot plot_of(struct page *page, const struct evaluation *e) {
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < e->n_rows; i++)
        for (size_t k = 0; k < BATCH_SIZES; k++) {
            least = fmin(least, e->rows[i].batches[k].tokens);
            most = fmax(most, e->rows[i].batches[k].tokens);
        }
    return (struct plot){
        page,
        {"sequences together", 0.9, 1.5 * BATCH_LARGEST, 2},
        {"tokens per second, of all sequences", exp2(floor(log2(0.9 * least))), exp2(ceil(log2(1.1 * most))),
         2},
    };
}

static void draw(struct plot *plot, const struct evaluation *e, struct series *series, struct point *points) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_rows; i++)
        put_bounds(plot, &e->rows[i], hues[i % N_HUES].bound);
    for (size_t i = 0; i < e->n_rows; i++) {
        fill_series(&e->rows[i], i % N_HUES, &series[i]);
        plot_path(plot, series[i].points, BATCH_SIZES, hues[i % N_HUES].path);
        for (size_t k = 0; k < n_points(&e->rows[i]); k++)
            points[n++] = series[i].points[k];
    }
    plot_points(plot, points, n);
}

void put_batch_plot(struct page *page, const struct evaluation *e) {
    struct arena scratch = {0};
    struct series *series = ARENA_NEW(&scratch, struct series, e->n_rows, page->error);
    struct point *points = ARENA_NEW(&scratch, struct point, e->n_rows * (BATCH_SIZES + 1), page->error);
    page->failed |= !series || !points;
    if (!page->failed) {
        struct plot plot = plot_of(page, e);
        put(page,
            "<section>\n<h2>Many sequences share one reading</h2>\n<p class=\"note\">Sequences of %d tokens "
            "at most, decoded together. Dashed: what memory allows, in proportion to one sequence, and what "
            "arithmetic allows, the most that was reached. They meet at the knee.</p>\n",
            BATCH_POSITIONS);
        plot_begin(&plot, "Tokens per second against sequences decoded together, both logarithmic");
        draw(&plot, e, series, points);
        plot_end(&plot);
        put(page, "</section>\n");
    }
    arena_free(&scratch);
}

static void put_batch_line(struct page *page, const struct evaluation *e, size_t line, const char *element) {
    char cells[GRID_COLUMNS][CELL];
    fill_batch_line(e, line, cells);
    put(page, "<tr>");
    for (size_t i = 0; i < n_columns(e); i++) {
        put(page, "<%s%s>", element, i <= TYPE ? " class=\"text\"" : "");
        put_text(page, cells[i]);
        put(page, "</%s>", element);
    }
    put(page, "</tr>\n");
}

void put_batch_table(struct page *page, const struct evaluation *e) {
    put(page,
        "<section>\n<h2>Tokens a second of so many sequences together</h2>\n<p class=\"note\">%s</p>\n"
        "<table>\n<thead>\n",
        KNEE_NOTE);
    put_batch_line(page, e, 0, "th");
    put(page, "</thead>\n<tbody>\n");
    for (size_t line = 1; line <= e->n_rows; line++)
        put_batch_line(page, e, line, "td");
    put(page, "</tbody>\n</table>\n</section>\n");
}
