/* What stands behind a dot or in brackets. What isn't there is undefined, not an error. */
#ifndef INFER_JINJA_ACCESS_H
#define INFER_JINJA_ACCESS_H

#include "infer/jinja/value.h"

/* object.name: Python's attributes and methods before a dict's keys. */
bool get_attribute(struct engine *engine, const struct value *object, struct text name, struct value *to);
/* object[key]: the other way round. */
bool get_item(struct engine *engine, const struct value *object, const struct value *key, struct value *to);
/* object[from:to:step], where each bound is an int or None. */
bool get_slice(struct engine *engine, const struct value *object, const struct value bounds[3],
               struct value *to);
/* "a.b.0", as filters name attributes; a text or a number. */
bool get_path(struct engine *engine, const struct value *object, const struct value *path, struct value *to);

#endif
