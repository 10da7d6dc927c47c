/* A plot of points and lines as inline SVG, coloured by the page's style sheet: classes grid, axis, tick,
 * label, and those that the caller gives to lines and points. */
#ifndef EVALUATE_PLOT_H
#define EVALUATE_PLOT_H

#include "evaluate/page.h"

struct axis {
    const char *title; /* with its unit; plain text */
    double low, high;
    double base; /* of a logarithmic axis: 10 or 2, with a tick at each of its powers; 0 for a linear one */
};

struct plot {
    struct page *page;
    struct axis x, y;
};

struct box {
    double left, right, top, bottom; /* pixels */
};

struct point {
    double x, y, error; /* error: half the length of the bar through it, along y; 0 for none */
    const char *label; /* any text, or NULL for none */
    const char *class;
    struct box placed; /* set by plot_points: where the label stands */
};

/* `description` is what a reader who does not see it is told. */
void plot_begin(struct plot *plot, const char *description);
/* y = intercept + slope x with a positive slope, as far as the axes go, both linear; and a text on one side
 * of its end. */
enum side { ABOVE, BELOW };
void plot_line(struct plot *plot, double slope, double intercept, enum side side, const char *class,
               const char *text);
/* Straight from each point to the next. */
void plot_path(struct plot *plot, const struct point *points, size_t n, const char *class);
/* Each label stands beside its point, or as near to it as others leave room. */
void plot_points(struct plot *plot, struct point *points, size_t n);
void plot_end(struct plot *plot);

/* A round number at or above x > 0, to end an axis at. */
double plot_round_up(double x);

#endif
