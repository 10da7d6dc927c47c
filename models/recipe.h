/* How a file was made, as its blob "recipe.json" tells: {"steps": [...]}, the oldest first. A step names the
 * program, the version and what was asked of it; where the input was a .qm file, also its model id, and that
 * file's own steps stand before. No times, paths or thread counts: the same command on the same input gives
 * the same text. */
#ifndef MODELS_RECIPE_H
#define MODELS_RECIPE_H

#include "lib/json.h"
#include "models/import.h"

/* Writes the recipe of a file made from `import` by `program`, asked for `options` (an object that is merged
 * into the step; the reference is taken over). */
bool recipe_write(const struct import *import, const char *program, json_t *options, struct buffer *to,
                  struct error *error);

#endif
