#include "evaluate/plot.h"

#include <math.h>
#include <string.h>

/* Pixels of the drawing; it scales with the page. */
#define WIDTH 640.0
#define HEIGHT 420.0
#define LEFT 64.0
#define RIGHT 24.0
#define TOP 16.0
#define BOTTOM 52.0
#define LABEL_HEIGHT 18.0
#define LETTER_WIDTH 7.4 /* about, of a label */
#define LABEL_GAP 13.0 /* from a point to its label */
#define POINT_ROOM 8.0

struct pixel {
    double x, y;
};

static double share(const struct axis *axis, double value) {
    if (axis->base > 0)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

static double across(const struct plot *plot, double x) {
    return LEFT + share(&plot->x, x) * (WIDTH - LEFT - RIGHT);
}

static double down(const struct plot *plot, double y) {
    return HEIGHT - BOTTOM - share(&plot->y, y) * (HEIGHT - TOP - BOTTOM);
}

/* The largest of 1, 2, 5 times a power of ten that is not above x. */
static double round_down(double x) {
    double power = pow(10, floor(log10(x))), leading = x / power * (1 + 1e-9);
    return power * (leading >= 5 ? 5 : leading >= 2 ? 2 : 1);
}

double plot_round_up(double x) {
    double step = round_down(x / 4);
    return ceil(x / step * (1 - 1e-9)) * step;
}

static double next_tick(const struct axis *axis, double tick) {
    return axis->base > 0 ? tick * axis->base : tick + round_down((axis->high - axis->low) / 4);
}

static double first_tick(const struct axis *axis) {
    return axis->base > 0 ? pow(axis->base, ceil(log(axis->low) / log(axis->base) - 1e-9)) : axis->low;
}

static bool has_tick(const struct axis *axis, double tick) {
    return tick <= axis->high * (1 + 1e-9);
}

static void put_number(struct page *page, const struct axis *axis, double tick) {
    if (axis->base >= 10)
        put(page, "10<tspan dy=\"-5\" font-size=\"9\">%.0f</tspan>", log10(tick));
    else
        put(page, "%.6g", tick);
}

static void put_tick(struct plot *plot, const struct axis *axis, double tick) {
    bool vertical = axis == &plot->y;
    double x = vertical ? LEFT : across(plot, tick), y = vertical ? down(plot, tick) : HEIGHT - BOTTOM;
    put(plot->page, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x,
        vertical ? WIDTH - RIGHT : x, y, vertical ? y : TOP);
    put(plot->page, "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", vertical ? x - 8 : x,
        vertical ? y + 4 : y + 18, vertical ? "end" : "middle");
    put_number(plot->page, axis, tick);
    put(plot->page, "</text>\n");
}

static void put_grid(struct plot *plot) {
    for (double x = first_tick(&plot->x); has_tick(&plot->x, x); x = next_tick(&plot->x, x))
        put_tick(plot, &plot->x, x);
    for (double y = first_tick(&plot->y); has_tick(&plot->y, y); y = next_tick(&plot->y, y))
        put_tick(plot, &plot->y, y);
}

static void put_titles(struct plot *plot) {
    struct page *page = plot->page;
    put(page, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", WIDTH - RIGHT, HEIGHT - 10);
    put_text(page, plot->x.title);
    put(page,
        "</text>\n<text class=\"axis\" transform=\"translate(14 %.1f) rotate(-90)\" text-anchor=\"end\">",
        TOP);
    put_text(page, plot->y.title);
    put(page, "</text>\n");
}

void plot_begin(struct plot *plot, const char *description) {
    put(plot->page, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    put_text(plot->page, description);
    put(plot->page, "\">\n");
    put_grid(plot);
    put_titles(plot);
}

/* The text ends where the line does: above it, or so far below that its beginning is clear of the line. */
static void put_line_text(struct plot *plot, struct pixel from, struct pixel to, enum side side,
                          const char *class, const char *text) {
    double steepness = (from.y - to.y) / (to.x - from.x), width = LETTER_WIDTH * (double)strlen(text);
    double x = to.x - 6, y = to.y - 8;
    if (side == BELOW)
        y = to.y + steepness * width + LABEL_HEIGHT;
    else if (y < TOP + LABEL_HEIGHT) {
        y = TOP + LABEL_HEIGHT;
        x -= (y + 8 - to.y) / steepness;
    }
    put(plot->page, "<text class=\"%s-text\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", class, x, y);
    put_text(plot->page, text);
    put(plot->page, "</text>\n");
}

void plot_line(struct plot *plot, double slope, double intercept, enum side side, const char *class,
               const char *text) {
    double first = fmax(plot->x.low, (plot->y.low - intercept) / slope);
    double last = fmin(plot->x.high, (plot->y.high - intercept) / slope);
    struct pixel from = {across(plot, first), down(plot, intercept + slope * first)};
    struct pixel to = {across(plot, last), down(plot, intercept + slope * last)};
    put(plot->page, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class, from.x,
        from.y, to.x, to.y);
    put_line_text(plot, from, to, side, class, text);
}

void plot_path(struct plot *plot, const struct point *points, size_t n, const char *class) {
    put(plot->page, "<polyline class=\"%s\" points=\"", class);
    for (size_t i = 0; i < n; i++)
        put(plot->page, "%s%.1f,%.1f", i ? " " : "", across(plot, points[i].x), down(plot, points[i].y));
    put(plot->page, "\"/>\n");
}

/* ---- Points ---- */

static void put_point(struct plot *plot, const struct point *point) {
    double x = across(plot, point->x), y = down(plot, point->y);
    if (point->error > 0) {
        double high = fmin(point->y + point->error, plot->y.high);
        double low = fmax(point->y - point->error, plot->y.low);
        put(plot->page, "<line class=\"error\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x,
            down(plot, low), down(plot, high));
    }
    put(plot->page, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", point->class, x, y);
}

static bool overlap(const struct box *a, const struct box *b) {
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

static struct box around_point(const struct plot *plot, const struct point *point) {
    double x = across(plot, point->x), y = down(plot, point->y);
    return (struct box){x - POINT_ROOM, x + POINT_ROOM, y - POINT_ROOM, y + POINT_ROOM};
}

/* A label beside its point, `rows` label heights up (or down, where negative). */
static struct box beside_point(const struct plot *plot, const struct point *point, bool left, double rows) {
    double width = LETTER_WIDTH * (double)strlen(point->label);
    double x = across(plot, point->x) + (left ? -LABEL_GAP - width : LABEL_GAP);
    double y = down(plot, point->y) - rows * LABEL_HEIGHT;
    return (struct box){x, x + width, y - LABEL_HEIGHT / 2, y + LABEL_HEIGHT / 2};
}

static bool is_free(const struct plot *plot, const struct point *points, size_t n, size_t self,
                    const struct box *box) {
    if (box->right > WIDTH || box->left < LEFT || box->top < 0 ||
        box->bottom > HEIGHT - BOTTOM + LABEL_HEIGHT)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct box point = around_point(plot, &points[i]);
        if (i != self && overlap(box, &point))
            return false;
        if (i < self && overlap(box, &points[i].placed))
            return false;
    }
    return true;
}

/* The free place nearest to the point; where there is none, right beside it. */
static struct box place_label(const struct plot *plot, const struct point *points, size_t n, size_t self,
                              bool *left) {
    for (double rows = 0; rows < 6; rows += 0.5)
        for (int way = 0; way < 4; way++) {
            *left = way & 1;
            struct box box = beside_point(plot, &points[self], *left, way & 2 ? -rows : rows);
            if (is_free(plot, points, n, self, &box))
                return box;
        }
    *left = false;
    return beside_point(plot, &points[self], false, 0);
}

static void put_label(struct plot *plot, const struct point *point, bool left) {
    const struct box *box = &point->placed;
    double x = left ? box->right : box->left, y = (box->top + box->bottom) / 2;
    if (fabs(y - down(plot, point->y)) > 1)
        put(plot->page, "<line class=\"leader\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
            across(plot, point->x), down(plot, point->y), x, y);
    put(plot->page, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y + 4,
        left ? "end" : "start");
    put_text(plot->page, point->label);
    put(plot->page, "</text>\n");
}

void plot_points(struct plot *plot, struct point *points, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool left;
        if (!points[i].label)
            continue;
        points[i].placed = place_label(plot, points, n, i, &left);
        put_label(plot, &points[i], left);
    }
    for (size_t i = 0; i < n; i++)
        put_point(plot, &points[i]);
}

void plot_end(struct plot *plot) {
    put(plot->page, "</svg>\n");
}
