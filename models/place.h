/* Where a family's checkpoints keep the numbers of a role: in a tensor as they are, or, where it is fused,
 * transposed, an expert each, or less one, in parts of others. Reading (match.h) and writing checkpoints both
 * go by it. */
#ifndef MODELS_PLACE_H
#define MODELS_PLACE_H

#include "models/family.h"

struct place {
    const struct family_tensor *tensor; /* its name, and what is done to the numbers */
    size_t n_parts; /* tensors, one an expert */
    uint32_t n_dims; /* of each part */
    uint64_t dims[3];
    bool whole; /* the one part is the role's tensor */
    uint64_t rows_each, take, stride, offset; /* as in struct view (models/view.h) */
};

/* That of roles[i], among all of a configuration; false where the family has none. */
bool place_find(const struct family *family, const struct model_config *config,
                const struct role_tensor *roles, size_t n_roles, size_t i, struct place *place);

struct place_name {
    char text[256];
};
struct place_name place_name(const struct place *place, uint32_t layer, size_t part);

#endif
