/* Which type each tensor gets: a default for the type that was asked for, then the user's rules. */
#ifndef QUANTIZE_RULES_H
#define QUANTIZE_RULES_H

#include "lib/options.h"
#include "models/import.h"

/* The default: tensors of one dimension (norms and biases: a thousandth of the bytes) become f32, matrices
 * `target`, but for the exceptions that rules.c lists with their reasons.
 *
 * A rule is 'REGEX=TYPE' (PCRE2, searched for in the tensor's name, such as 'blk.0.attn_q.weight'); the last
 * that matches a tensor decides. A rule that matches no tensor, or decides that a tensor gets a type that
 * cannot hold it, is an error. Fills types[import->n_tensors]. */
bool rules_plan(const struct import *import, const struct type *target, const struct text_list *rules,
                const struct type **types, struct arena *arena, struct error *error);

/* The type called `name`, or a sentence that begins with `what` and lists those known. */
const struct type *known_type(const char *what, const char *name, struct error *error);

#endif
