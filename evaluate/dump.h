/* Logits for comparing with another implementation: a bare array of float32, little-endian as every supported
 * machine is, [windows * context][vocab_size]. Row i holds what the model says behind token i of the windows,
 * each read from an empty cache. Windows are those of evaluate/quality.h. */
#ifndef EVALUATE_DUMP_H
#define EVALUATE_DUMP_H

#include "evaluate/subject.h"

bool dump_logits(const char *path, bool force, const struct subject *subject, size_t context, size_t windows,
                 struct pool *pool, struct error *error);

#endif
