/* Finding weights that are not numbers, and saying where. */
#ifndef MODELS_VALUES_H
#define MODELS_VALUES_H

#include "format/format.h"

/* Are `n_blocks` blocks of a tensor, the first of which is number `first_block`, finite? If not, the sentence
 * names file, tensor, row, column and value. The tensor's type must be known. */
bool blocks_check_finite(const struct tensor *tensor, const char *file, const void *blocks,
                         uint64_t first_block, size_t n_blocks, struct error *error);

#endif
