/* What models ask of a machine, and how much arithmetic the machine has for them. */
#ifndef EVALUATE_ARITHMETIC_H
#define EVALUATE_ARITHMETIC_H

#include "evaluate/roofline.h"
#include "evaluate/speed.h"

/* To follow measure_speed with the same request: sets the evaluation's rooflines from its rows and its roof.
 * Each model's arithmetic is that of one of its own matrices, in its own type, times a batch so large that
 * memory does not matter; the best of what fits into a second. Everything is in the arena. */
bool measure_rooflines(const struct speed_request *request, struct evaluation *evaluation,
                       struct arena *arena, struct error *error);

#endif
