/* What verify looks at, each check telling of every problem that it finds. */
#ifndef VERIFY_CHECKS_H
#define VERIFY_CHECKS_H

#include "lib/threads.h"
#include "models/import.h"

/* Problems, told as they are found. */
struct findings {
    size_t count;
};
void found(struct findings *findings, const char *sentence); /* prints "verify: sentence" to stderr */

/* Every block of every tensor decodes to finite values; tensors of unknown types are passed over. At most one
 * finding a tensor, that of its first bad value. */
void check_values(const struct container *container, struct pool *pool, struct findings *findings);

/* The reference strings that the model carries (infer/reference.h) still have their tokens. Returns how many
 * there are; files of before these came have none. */
size_t check_tokens(const struct import *model, struct findings *findings);

/* A model against the checkpoint that it was made of. */
struct difference {
    const struct role_tensor *role;
    const char *type; /* that it is stored as */
    double squares, source_squares; /* sum (w - q)^2, sum w^2 */
};

struct comparison {
    struct difference *differences; /* worst relative error first */
    size_t count, n_exact;
    size_t n_files; /* whose size and SHA-256 are as the model's manifest says */
    double squares, source_squares; /* of all tensors */
};

double relative_error(double squares, double source_squares); /* ||w - q|| / ||w||; 0 where both are zero */

/* Compares the source's files with the manifest, and every tensor with the source's. Hashes the source. Where
 * they could not be compared, findings say why and the comparison stays empty. The result lives in `arena`.
 */
void compare_with_source(const struct import *model, struct import *source, struct pool *pool, bool quiet,
                         struct comparison *comparison, struct arena *arena, struct findings *findings);

#endif
