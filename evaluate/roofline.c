#include "evaluate/roofline.h"

#include "evaluate/grid.h"

#include <math.h>
#include <stdio.h>

struct roofline roofline_of(const struct workload *workload, const struct device *device) {
    struct roofline roofline = {
        .memory = device->bandwidth / workload->bytes,
        .arithmetic = device->arithmetic / workload->operations,
        .fits = workload->stored_bytes <= device->memory,
    };
    roofline.knee = roofline.arithmetic / roofline.memory;
    return roofline;
}

/* This machine is device 0, the known ones follow. */
static struct device device_of(const struct rooflines *rooflines, const struct workload *workload, size_t i) {
    if (i > 0)
        return rooflines->known.items[i - 1];
    return (struct device){
        .name = "this machine",
        .memory = INFINITY, /* the model is in it */
        .bandwidth = rooflines->bandwidth,
        .arithmetic = workload->arithmetic,
        .numbers = "fp32",
        .source = "measured in this run",
        .measured = true,
    };
}

struct roofline roofline_here(const struct rooflines *rooflines, size_t index) {
    const struct workload *workload = &rooflines->workloads[index];
    struct device here = device_of(rooflines, workload, 0);
    return roofline_of(workload, &here);
}

/* ---- Cells ---- */

enum {
    DEVICE,
    BASIS,
    GIGABYTES,
    TERA_OPERATIONS,
    OF_NUMBERS,
    BY_MEMORY,
    BY_ARITHMETIC,
    KNEE,
    ROOFLINE_COLUMNS
};

struct roofline_column {
    const char *name, *unit;
    bool left; /* text */
};

static const struct roofline_column roofline_columns[ROOFLINE_COLUMNS] = {
    [DEVICE] = {"device", "", true},
    [BASIS] = {"", "", true},
    [GIGABYTES] = {"memory", "GB/s", false},
    [TERA_OPERATIONS] = {"arithmetic", "10^12/s", false},
    [OF_NUMBERS] = {"of", "", true},
    [BY_MEMORY] = {"by memory", "tokens/s at 1", false},
    [BY_ARITHMETIC] = {"by arithmetic", "tokens/s", false},
    [KNEE] = {"knee", "batch", false},
};

/* Three digits, or more before the point. */
static void print_amount(char cell[CELL], double amount) {
    int decimals = amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : amount >= 0.9995 ? 2 : 3;
    snprintf(cell, CELL, "%.*f", decimals, amount);
}

static void print_tokens(char cell[CELL], double amount, bool fits) {
    if (!fits)
        snprintf(cell, CELL, "too large");
    else if (amount > 0)
        print_amount(cell, amount);
    else
        snprintf(cell, CELL, "-");
}

static void print_knee(char cell[CELL], double knee, bool fits) {
    if (fits && knee > 0 && knee < 1)
        snprintf(cell, CELL, "below 1");
    else
        print_tokens(cell, knee, fits);
}

static void fill_cells(const struct workload *workload, const struct device *device,
                       char cells[GRID_COLUMNS][CELL]) {
    struct roofline roofline = roofline_of(workload, device);
    snprintf(cells[DEVICE], CELL, "%s", device->name);
    snprintf(cells[BASIS], CELL, "%s", device->measured ? "measured" : "predicted");
    print_amount(cells[GIGABYTES], 1e-9 * device->bandwidth);
    print_tokens(cells[TERA_OPERATIONS], 1e-12 * device->arithmetic, true);
    snprintf(cells[OF_NUMBERS], CELL, "%s", device->numbers);
    print_tokens(cells[BY_MEMORY], roofline.memory, roofline.fits);
    print_tokens(cells[BY_ARITHMETIC], roofline.arithmetic, roofline.fits);
    print_knee(cells[KNEE], roofline.knee, roofline.fits);
}

/* ---- As text ---- */

struct device_table {
    const struct rooflines *rooflines;
    const struct workload *workload;
};

/* Lines 0 and 1 name the columns and their units, then come the devices. */
static void fill_device_line(const void *context, size_t line, char cells[GRID_COLUMNS][CELL]) {
    const struct device_table *table = context;
    if (line >= 2) {
        struct device device = device_of(table->rooflines, table->workload, line - 2);
        fill_cells(table->workload, &device, cells);
        return;
    }
    for (size_t i = 0; i < ROOFLINE_COLUMNS; i++)
        snprintf(cells[i], CELL, "%s", line ? roofline_columns[i].unit : roofline_columns[i].name);
}

static bool print_roofline(const struct rooflines *rooflines, const struct workload *workload,
                           struct buffer *to, struct error *error) {
    const struct device_table table = {rooflines, workload};
    struct grid grid = {
        .n_lines = rooflines->known.count + 3,
        .n_columns = ROOFLINE_COLUMNS,
        .fill = fill_device_line,
        .context = &table,
    };
    for (size_t i = 0; i < ROOFLINE_COLUMNS; i++)
        grid.left[i] = roofline_columns[i].left;
    return buffer_printf(to, error, "\n%s: a step reads %.2f MB, a token takes %.4g billion operations\n",
                         workload->name, 1e-6 * workload->bytes, 1e-9 * workload->operations) &&
           print_grid(&grid, to, error);
}

#define CAVEATS                                                                                              \
    "Predictions are bounds: they follow from the peaks that makers publish (assets/devices.tsv has the "    \
    "sources).\n"                                                                                            \
    "This machine was measured: a plain read of memory, and one of the model's own matrices times a large "  \
    "batch.\n"                                                                                               \
    "The KV cache is left out. From the knee on, a batch is as fast as arithmetic allows."

bool print_rooflines(const struct rooflines *rooflines, struct buffer *to, struct error *error) {
    for (size_t i = 0; i < rooflines->n_workloads; i++)
        if (!print_roofline(rooflines, &rooflines->workloads[i], to, error))
            return false;
    return buffer_printf(to, error, "\n%s\n", CAVEATS);
}

/* ---- As JSON ---- */

/* False for what json_real refuses. */
static bool set_known(json_t *object, const char *key, double value) {
    return value == 0 || json_object_set_new(object, key, json_real(value)) == 0;
}

static json_t *device_json(const struct workload *workload, const struct device *device) {
    struct roofline roofline = roofline_of(workload, device);
    json_t *to = json_pack("{s:s, s:b, s:s, s:b}", "device", device->name, "predicted", !device->measured,
                           "source", device->source, "fits", roofline.fits);
    if (to && set_known(to, "bandwidth_gb_s", 1e-9 * device->bandwidth) &&
        set_known(to, "tera_ops", 1e-12 * device->arithmetic) &&
        (device->arithmetic == 0 || json_object_set_new(to, "ops_of", json_string(device->numbers)) == 0) &&
        set_known(to, "tok_s_batch1_bandwidth", roofline.memory) &&
        set_known(to, "tok_s_arithmetic", roofline.arithmetic) && set_known(to, "knee_batch", roofline.knee))
        return to;
    json_decref(to);
    return NULL;
}

json_t *roofline_json(const struct rooflines *rooflines, size_t index) {
    const struct workload *workload = &rooflines->workloads[index];
    json_t *array = json_array();
    for (size_t i = 0; array && i <= rooflines->known.count; i++) {
        struct device device = device_of(rooflines, workload, i);
        if (json_array_append_new(array, device_json(workload, &device)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* ---- As a page ---- */

static void put_device(struct page *page, const struct workload *workload, const struct device *device) {
    char cells[GRID_COLUMNS][CELL];
    fill_cells(workload, device, cells);
    put(page, "<tr title=\"");
    put_text(page, device->source);
    put(page, "\">");
    for (size_t i = 0; i < ROOFLINE_COLUMNS; i++) {
        put(page, roofline_columns[i].left ? "<td class=\"text\">" : "<td>");
        put_text(page, cells[i]);
        put(page, "</td>");
    }
    put(page, "</tr>\n");
}

static void put_roofline(struct page *page, const struct rooflines *rooflines,
                         const struct workload *workload) {
    put(page, "<section>\n<h2>What memory and arithmetic allow ");
    put_text(page, workload->name);
    put(page,
        "</h2>\n<p class=\"note\">A step reads %.2f MB of weights, a token takes %.4g billion operations. "
        "%s</p>\n"
        "<table>\n<thead>\n<tr>",
        1e-6 * workload->bytes, 1e-9 * workload->operations, CAVEATS);
    for (size_t i = 0; i < ROOFLINE_COLUMNS; i++)
        put(page, "<th%s>%s<small>%s</small></th>", roofline_columns[i].left ? " class=\"text\"" : "",
            roofline_columns[i].name, roofline_columns[i].unit);
    put(page, "</tr>\n</thead>\n<tbody>\n");
    for (size_t i = 0; i <= rooflines->known.count; i++) {
        struct device device = device_of(rooflines, workload, i);
        put_device(page, workload, &device);
    }
    put(page, "</tbody>\n</table>\n</section>\n");
}

void put_rooflines(struct page *page, const struct rooflines *rooflines) {
    for (size_t i = 0; i < rooflines->n_workloads; i++)
        put_roofline(page, rooflines, &rooflines->workloads[i]);
}
