#include "models/recipe.h"

#include "format/qm.h"
#include "lib/options.h"

#include <stdio.h>

static const char *parent_id(const struct import *import, char text[33]) {
    const struct qm_details *details = import->container.details;
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", details->model_id.bytes[i]);
    return text;
}

/* NULL where there are none, or none that can be read: they are a record, and nothing depends on them. */
static json_t *steps_of(const struct import *import) {
    const struct blob *blob = import->is_qm ? container_blob(&import->container, "recipe.json") : NULL;
    struct error ignored;
    json_t *tree = blob ? json_read(import->container.path, blob->data, blob->size, &ignored) : NULL;
    json_t *steps = json_incref(json_object_get(tree, "steps"));
    json_decref(tree);
    if (json_is_array(steps))
        return steps;
    json_decref(steps);
    return json_array();
}

static json_t *new_step(const struct import *import, const char *program, json_t *options) {
    char id[33];
    json_t *step = json_pack("{s:s, s:s}", "program", program, "version", PROJECT_VERSION);
    bool ok = step && !json_object_update(step, options);
    if (ok && import->is_qm)
        ok = !json_object_set_new(step, "input", json_string(parent_id(import, id)));
    if (ok)
        return step;
    json_decref(step);
    return NULL;
}

bool recipe_write(const struct import *import, const char *program, json_t *options, struct buffer *to,
                  struct error *error) {
    json_t *steps = steps_of(import);
    json_t *tree = json_pack("{s:o}", "steps", steps); /* takes steps even where it fails */
    bool ok = options && tree && !json_array_append_new(steps, new_step(import, program, options));
    ok = ok ? json_write(tree, to, error) : fail(error, "out of memory for the recipe");
    json_decref(tree);
    json_decref(options);
    return ok;
}
