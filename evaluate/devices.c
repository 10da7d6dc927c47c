#include "evaluate/devices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum field { NAME, MEMORY, BANDWIDTH, ARITHMETIC, NUMBERS, SOURCE, FIELDS };

static const char *const field_names[FIELDS] = {"name",       "memory",  "bandwidth",
                                                "arithmetic", "numbers", "source"};

/* Where an error is. */
struct place {
    const char *table;
    size_t line;
    struct error *error;
};

/* Cuts a line at its tabs. */
static bool split_fields(char *line, char *fields[FIELDS], const struct place *place) {
    size_t n = 0;
    for (char *next = line; next; n++) {
        char *tab = strchr(next, '\t');
        if (n < FIELDS)
            fields[n] = next;
        if (tab)
            *tab++ = '\0';
        next = tab;
    }
    return n == FIELDS || fail(place->error, "%s: line %zu has %zu fields between tabs, a device has %d",
                               place->table, place->line, n, FIELDS);
}

static bool read_amount(const char *text, double unit, double *to) {
    char *end;
    *to = unit * strtod(text, &end);
    return end != text && !*end && isfinite(*to) && *to > 0;
}

static bool read_device(char *const fields[FIELDS], struct device *device, const struct place *place) {
    static const double units[FIELDS] = {[MEMORY] = 1e9, [BANDWIDTH] = 1e9, [ARITHMETIC] = 1e12};
    double amounts[FIELDS] = {0};
    for (size_t i = 0; i < FIELDS; i++) {
        bool unpublished = i == ARITHMETIC && !strcmp(fields[i], "-");
        if (!fields[i][0] || (units[i] > 0 && !unpublished && !read_amount(fields[i], units[i], &amounts[i])))
            return fail(place->error, "%s: line %zu: '%s' is no %s", place->table, place->line, fields[i],
                        field_names[i]);
    }
    *device = (struct device){
        .name = fields[NAME],
        .memory = amounts[MEMORY],
        .bandwidth = amounts[BANDWIDTH],
        .arithmetic = amounts[ARITHMETIC],
        .numbers = fields[NUMBERS],
        .source = fields[SOURCE],
    };
    return true;
}

static size_t count_lines(const char *text) {
    size_t n = 1;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

bool devices_read(struct devices *devices, const char *name, const char *text, size_t size,
                  struct arena *arena, struct error *error) {
    struct place place = {.table = name, .error = error};
    char *line = arena_text(arena, text, size, error);
    devices->count = 0;
    devices->items = line ? ARENA_NEW(arena, struct device, count_lines(line), error) : NULL;
    if (!devices->items)
        return false;
    while (line) {
        char *fields[FIELDS], *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        place.line++;
        if (*line && *line != '#' &&
            !(split_fields(line, fields, &place) &&
              read_device(fields, &devices->items[devices->count++], &place)))
            return false;
        line = end;
    }
    return true;
}
