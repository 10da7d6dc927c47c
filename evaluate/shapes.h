/* The shapes of well-known models, to measure speed with made-up weights. */
#ifndef EVALUATE_SHAPES_H
#define EVALUATE_SHAPES_H

#include "models/config.h"

struct shape {
    const char *name; /* "1b" */
    const char *model; /* "Llama 3.2 1B" */
    const char *source; /* where the numbers come from: a repository of the Hugging Face hub */
    struct model_config config;
};

extern const struct shape shapes[]; /* rising, name NULL behind the last */

/* Writes the known names into the sentence where there is no such shape. */
const struct shape *shape_find(const char *name, struct error *error);

#endif
