/* The results as one HTML page, without scripts or anything from elsewhere. */
#include "evaluate/page.h"
#include "evaluate/plot.h"
#include "evaluate/results.h"
#include "evaluate/roofline.h"

#include <math.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Models, measured</title>\n";

static const char style[] =
    "<style>\n:root { --ink: #1b1f24; --soft: #59636e; --paper: #fbfaf7; --card: #fff; --rule: #e3e0d8;\n"
    "  --blue: #0b6bb0; --orange: #b84a00; --green: #3d7a1f; --purple: #8038a8; --grid: #ece9e1; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e8e6e1; --soft: #a0a8b1; --paper: #14171a; --card: #1c2024; --rule: #31363c;\n"
    "    --blue: #6cb8f0; --orange: #f0a050; --green: #8ecb6c; --purple: #cf9bea; --grid: #2a2f35; } }\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0; background: var(--paper); color: var(--ink);\n"
    "  font: 16px/1.55 system-ui, -apple-system, \"Segoe UI\", Roboto, \"Helvetica Neue\", sans-serif; }\n"
    "main { max-width: 1240px; margin: 0 auto; padding: 56px 24px 72px; }\n"
    "h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 8px; font-weight: 680; }\n"
    "h2 { font-size: 18px; margin: 0 0 2px; letter-spacing: -.005em; }\n"
    "p { margin: 0 0 10px; } .lead { color: var(--soft); margin-bottom: 32px; }\n"
    "section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;\n"
    "  padding: 22px 24px; margin: 0 0 24px; overflow-x: auto; }\n"
    ".pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 24px; }\n"
    ".pair section { margin: 0; } .pair { margin-bottom: 24px; }\n"
    "@media (max-width: 520px) { .pair { grid-template-columns: 1fr; } }\n"
    ".note { color: var(--soft); font-size: 14px; margin: 0 0 12px; }\n"
    "table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }\n"
    "th { font-weight: 600; text-align: right; vertical-align: bottom; line-height: 1.25;\n"
    "  padding: 0 0 8px 14px; border-bottom: 1.5px solid var(--ink); white-space: nowrap; }\n"
    "th small { display: block; color: var(--soft); font-weight: 400; font-size: 12px; min-height: 15px; }\n"
    "td { text-align: right; padding: 8px 0 8px 14px; border-bottom: 1px solid var(--rule);\n"
    "  white-space: nowrap; } tr:last-child td { border-bottom: 0; }\n"
    "th.text, td.text { text-align: left; } th:first-child, td:first-child { padding-left: 0; }\n"
    "td.text:first-child { font-weight: 600; } td small { color: var(--soft); font-size: 12.5px; }\n"
    ".bar { display: inline-block; width: 44px; height: 6px; border-radius: 3px; background: var(--grid);\n"
    "  margin-left: 8px; vertical-align: 2px; text-align: left; }\n"
    ".bar i { display: block; height: 6px; border-radius: 3px; background: var(--blue); }\n"
    "dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 24px; margin: 10px 0 0; }\n"
    "dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }\n"
    "code { font: 14px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }\n"
    "svg { display: block; width: 100%; height: auto; margin-top: 8px; }\n"
    "svg text { font-size: 13px; fill: var(--ink); } svg .tick, svg .axis { fill: var(--soft); }\n"
    "svg .tick { font-variant-numeric: tabular-nums; font-size: 12px; }\n"
    "svg .grid { stroke: var(--grid); stroke-width: 1; }\n"
    "svg .leader { stroke: var(--soft); stroke-width: .75; }\n"
    "svg { --hue: var(--blue); } svg .hue-1 { --hue: var(--orange); } svg .hue-2 { --hue: var(--green); }\n"
    "svg .hue-3 { --hue: var(--purple); }\n"
    "svg .point { fill: var(--hue); stroke: var(--card); stroke-width: 1.5; }\n"
    "svg .hollow { fill: var(--card); stroke: var(--hue); stroke-width: 2; }\n"
    "svg .path { fill: none; stroke: var(--hue); stroke-width: 2; }\n"
    "svg .bound { fill: none; stroke: var(--hue); stroke-width: 1.25; stroke-dasharray: 4 4; }\n"
    "svg .error { stroke: var(--blue); stroke-width: 1.5; opacity: .6; }\n"
    "svg .label { font-weight: 600; paint-order: stroke; stroke: var(--card); stroke-width: 4px;\n"
    "  stroke-linejoin: round; }\n"
    "svg .fit { stroke: var(--blue); stroke-width: 2; }\n"
    "svg .fit-text { fill: var(--blue); } svg .roof-text { fill: var(--orange); }\n"
    "svg .roof { stroke: var(--orange); stroke-width: 2; stroke-dasharray: 7 5; }\n"
    "</style>\n</head>\n<body>\n<main>\n";

/* ---- The table ---- */

static void put_headings(struct page *page, const struct evaluation *e) {
    put(page, "<tr><th class=\"text\">Model<small></small></th><th class=\"text\">Type<small></small></th>"
              "<th>Bits<small>a weight</small></th><th>Size<small>MB</small></th>");
    if (e->has_perplexity)
        put(page, "<th>Perplexity<small>± standard error</small></th>");
    if (e->has_divergence)
        put(page, "<th>KL<small>nats a token</small></th><th>KL p99<small>nats</small></th>"
                  "<th>Same top<small>%% of tokens</small></th>");
    if (e->has_speed)
        put(page, "<th>Prefill<small>tokens/s</small></th><th>Decode<small>tokens/s</small></th>"
                  "<th>Streamed<small>MB a token</small></th><th>Read<small>GB/s</small></th>"
                  "<th>Of the roof<small>%%</small></th>");
    put(page, "</tr>\n");
}

static void put_roof_share(struct page *page, const struct row *row) {
    if (row_may_be_cached(row))
        put(page, "<td>%.0f<small> in cache</small></td>", 100 * row->roof_share);
    else
        put(page, "<td>%.0f<span class=\"bar\"><i style=\"width:%.0f%%\"></i></span></td>",
            100 * row->roof_share, 100 * fmin(row->roof_share, 1));
}

static void put_row(struct page *page, const struct evaluation *e, const struct row *row) {
    put(page, "<tr><td class=\"text\">");
    put_text(page, row->name);
    put(page, "</td><td class=\"text\">");
    put_text(page, row->type);
    put(page, "</td><td>%.2f</td><td>%.2f</td>", row->bits_per_weight,
        1e-6 * (double)(row->synthetic ? row->tensor_bytes : row->file_bytes));
    if (e->has_perplexity)
        put(page, "<td>%.3f <small>± %.3f</small></td>", row->perplexity.mean, row->perplexity.error);
    if (e->has_divergence)
        put(page, "<td>%.6f <small>± %.6f</small></td><td>%.5f</td><td>%.2f</td>", row->divergence.mean,
            row->divergence.error, row->divergence_p99, 100 * row->agreement);
    if (e->has_speed) {
        put(page, "<td>%.*f</td><td>%.*f</td><td>%.2f</td><td>%.1f</td>", row->prefill < 100, row->prefill,
            row->decode < 100 ? 2 : 0, row->decode, 1e-6 * row->streamed_bytes, 1e-9 * row->bandwidth);
        put_roof_share(page, row);
    }
    put(page, "</tr>\n");
}

static void put_table(struct page *page, const struct evaluation *e) {
    put(page, "<section>\n<table>\n<thead>\n");
    put_headings(page, e);
    put(page, "</thead>\n<tbody>\n");
    for (size_t i = 0; i < e->n_rows; i++)
        put_row(page, e, &e->rows[i]);
    put(page, "</tbody>\n</table>\n</section>\n");
}

/* ---- Speed against bytes ---- */

#define LABEL 160

static double largest_of(const struct evaluation *e, double (*value)(const struct row *)) {
    double largest = 0;
    for (size_t i = 0; i < e->n_rows; i++)
        largest = fmax(largest, value(&e->rows[i]));
    return largest;
}

static double streamed_of(const struct row *row) {
    return row->streamed_bytes;
}

static double seconds_of(const struct row *row) {
    return 1 / row->decode;
}

static double size_of(const struct row *row) {
    return (double)(row->synthetic ? row->tensor_bytes : row->file_bytes);
}

static void put_speed_note(struct page *page, const struct evaluation *e) {
    put(page, "<h2>A token takes as long as its bytes</h2>\n<p class=\"note\">");
    if (e->has_fit)
        put(page,
            "Fitted over the models: %.1f GB/s and %.3f ms besides, R² %.4f. The roof is a plain read "
            "at %.1f GB/s.",
            1e-9 / e->fit.slope, 1e3 * e->fit.intercept, e->fit.r_squared, 1e-9 * e->roof);
    else
        put(page, "The roof is a plain read of memory at %.1f GB/s.", 1e-9 * e->roof);
    for (size_t i = 0; i < e->n_rows; i++)
        if (row_may_be_cached(&e->rows[i])) {
            put(page, " Models as small as these can stay in the processor's cache, and then are not bound "
                      "by memory.");
            break;
        }
    put(page, "</p>\n");
}

static void put_speed_plot(struct page *page, const struct evaluation *e, struct point *points,
                           char (*labels)[LABEL]) {
    bool giga = largest_of(e, streamed_of) >= 1e9;
    double unit = giga ? 1e9 : 1e6;
    struct plot plot = {
        page,
        {giga ? "GB streamed per token" : "MB streamed per token", 0,
         plot_round_up(1.08 * largest_of(e, streamed_of) / unit), 0},
        {"ms per token", 0, plot_round_up(1.12e3 * largest_of(e, seconds_of)), 0},
    };
    char roof[64], fit[64];
    snprintf(roof, sizeof roof, "roof %.1f GB/s", 1e-9 * e->roof);
    snprintf(fit, sizeof fit, "fit %.1f GB/s", 1e-9 / e->fit.slope);
    put(page, "<section>\n");
    put_speed_note(page, e);
    plot_begin(&plot, "Time per token against bytes streamed per token, with the memory roof");
    plot_line(&plot, 1e3 * unit / e->roof, 0, BELOW, "roof", roof);
    if (e->has_fit)
        plot_line(&plot, 1e3 * unit * e->fit.slope, 1e3 * e->fit.intercept, ABOVE, "fit", fit);
    for (size_t i = 0; i < e->n_rows; i++) {
        const struct row *row = &e->rows[i];
        snprintf(labels[i], LABEL, "%s, %.*f tokens/s", row->type, row->decode < 100, row->decode);
        points[i] = (struct point){
            .x = row->streamed_bytes / unit, .y = 1e3 / row->decode, .label = labels[i], .class = "point"};
    }
    plot_points(&plot, points, e->n_rows);
    plot_end(&plot);
    put(page, "</section>\n");
}

/* ---- Quality against size ---- */

/* Whole decades around the divergences that are not 0. */
static void divergence_range(const struct evaluation *e, double *low, double *high) {
    *low = INFINITY;
    *high = 0;
    for (size_t i = 0; i < e->n_rows; i++)
        if (e->rows[i].divergence.mean > 0) {
            *low = fmin(*low, e->rows[i].divergence.mean);
            *high = fmax(*high, e->rows[i].divergence.mean);
        }
    if (*high == 0)
        *low = *high = 1e-3;
    *low = pow(10, floor(log10(*low) - 0.1));
    *high = pow(10, ceil(log10(*high) + 0.1));
}

static void put_quality_plot(struct page *page, const struct evaluation *e, struct point *points,
                             char (*labels)[LABEL]) {
    double low, high;
    divergence_range(e, &low, &high);
    struct plot plot = {
        page,
        {"MB", 0, plot_round_up(1.08e-6 * largest_of(e, size_of)), 0},
        {"KL divergence, nats per token", low, high, 10},
    };
    put(page, "<section>\n<h2>What the bytes buy</h2>\n<p class=\"note\">Divergence from ");
    put_text(page, e->reference);
    put(page, "; bars are standard errors over windows, a hollow point is 0.</p>\n");
    plot_begin(&plot, "KL divergence from the reference against size");
    for (size_t i = 0; i < e->n_rows; i++) {
        const struct row *row = &e->rows[i];
        bool none = !(row->divergence.mean > low);
        snprintf(labels[i], LABEL, "%s, %.2f bits", row->type, row->bits_per_weight);
        points[i] = (struct point){
            .x = 1e-6 * size_of(row),
            .y = none ? low : row->divergence.mean,
            .error = none ? 0 : row->divergence.error,
            .label = labels[i],
            .class = none ? "hollow" : "point",
        };
    }
    plot_points(&plot, points, e->n_rows);
    plot_end(&plot);
    put(page, "</section>\n");
}

static void put_plots(struct page *page, const struct evaluation *e) {
    struct arena scratch = {0};
    struct point *points = ARENA_NEW(&scratch, struct point, e->n_rows, page->error);
    char(*labels)[LABEL] = arena_alloc(&scratch, e->n_rows, LABEL, page->error);
    page->failed |= !points || !labels;
    if (!page->failed) {
        put(page, "<div class=\"pair\">\n");
        if (e->has_speed)
            put_speed_plot(page, e, points, labels);
        if (e->has_divergence)
            put_quality_plot(page, e, points, labels);
        if (e->has_batches)
            put_batch_plot(page, e);
        put(page, "</div>\n");
    }
    arena_free(&scratch);
}

/* ---- How it was measured ---- */

static void put_fact(struct page *page, const char *name, const char *text) {
    put(page, "<dt>%s</dt><dd>", name);
    put_text(page, text);
    put(page, "</dd>\n");
}

static void put_conventions(struct page *page, const struct evaluation *e) {
    if (e->has_perplexity || e->has_divergence) {
        put(page, "<dt>Text</dt><dd>");
        put_text(page, e->text);
        put(page,
            ": %zu window%s of %zu tokens without overlap, each from an empty cache, its last %zu tokens "
            "scored</dd>\n",
            e->windows, e->windows == 1 ? "" : "s", e->context, e->scored);
    }
    if (e->has_divergence)
        put(page,
            "<dt>KL</dt><dd>both models run in step; log-probabilities are never stored or rounded. p99: "
            "the 99th percentile over tokens. Same top: both find the same token likeliest</dd>\n");
    if (e->has_perplexity || e->has_divergence)
        put(page, "<dt>Errors</dt><dd>standard errors of the mean over windows</dd>\n");
    if (e->has_speed)
        put(page,
            "<dt>Speed</dt><dd>prefill of %zu tokens, then generation behind them; medians of %zu rounds "
            "over "
            "all models, each begun by a plain read of %.1f GB with the same threads, the roof. Streamed: "
            "weights and cache that a generated token reads</dd>\n",
            e->prompt, e->rounds, 1e-9 * (double)e->roof_bytes);
}

static void put_circumstances(struct page *page, const struct evaluation *e) {
    put(page, "<section>\n<h2>How it was measured</h2>\n<dl>\n");
    put_conventions(page, e);
    put_fact(page, "Processor", e->machine.cpu);
    put(page, "<dt>Threads</dt><dd>%u of %u processors, kernels of level ", e->machine.threads,
        e->machine.processors);
    put_text(page, e->machine.level);
    put(page, "</dd>\n");
    put_fact(page, "System", e->machine.os);
    put_fact(page, "Compiler", e->machine.compiler);
    put_fact(page, "Version", e->machine.version);
    put(page, "<dt>Command</dt><dd><code>");
    put_text(page, e->command);
    put(page, "</code></dd>\n</dl>\n</section>\n");
}

bool print_report(const struct evaluation *e, struct buffer *to, struct error *error) {
    struct page page = {.to = to, .error = error};
    put(&page, "%s%s", head, style);
    put(&page, "<h1>Models, measured</h1>\n<p class=\"lead\">%zu model%s on ", e->n_rows,
        e->n_rows == 1 ? "" : "s");
    put_text(&page, e->machine.cpu);
    put(&page, ", %u thread%s", e->machine.threads, e->machine.threads == 1 ? "" : "s");
    for (size_t i = 0; i < e->n_rows; i++)
        if (e->rows[i].synthetic) {
            put(&page, ". Synthetic models have the shape of a real one and made-up weights: their speed is "
                       "real, they say nothing");
            break;
        }
    put(&page, "</p>\n");
    put_table(&page, e);
    put_plots(&page, e);
    if (e->has_batches)
        put_batch_table(&page, e);
    if (e->rooflines)
        put_rooflines(&page, e->rooflines);
    put_circumstances(&page, e);
    put(&page, "</main>\n</body>\n</html>\n");
    return !page.failed;
}
