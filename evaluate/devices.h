/* What known devices can do at best, as their makers publish it: assets/devices.tsv, whose head says what its
 * fields are. Peaks, so what follows from them is a bound. */
#ifndef EVALUATE_DEVICES_H
#define EVALUATE_DEVICES_H

#include "lib/memory.h"

struct device {
    const char *name;
    double memory; /* bytes, in its largest configuration */
    double bandwidth; /* bytes a second */
    double arithmetic; /* operations a second, a multiply-add being two; 0 where it is not published */
    const char *numbers; /* that the arithmetic is of: "int8", "fp16" */
    const char *source; /* title of a document */
    bool measured; /* here and now, rather than published */
};

struct devices {
    struct device *items;
    size_t count;
};

/* Reads a table, whose name begins the sentence where a line is wrong. Everything is in the arena. */
bool devices_read(struct devices *devices, const char *name, const char *text, size_t size,
                  struct arena *arena, struct error *error);

#endif
