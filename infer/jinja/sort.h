/* Sorting items by keys, stable, as Python's sorted. */
#ifndef INFER_JINJA_SORT_H
#define INFER_JINJA_SORT_H

#include "infer/jinja/value.h"

/* items[i] goes where keys[i] does. Fails where two keys have no order. Both arrays are changed. */
bool sort_by_keys(struct engine *engine, struct value *items, struct value *keys, size_t count, bool reverse);

#endif
