/* What models from a file and synthetic ones are put together with. */
#ifndef INFER_MODEL_PARTS_H
#define INFER_MODEL_PARTS_H

#include "infer/model.h"

/* Layers with their traits, and without tensors. */
bool model_allocate_layers(struct model *model, struct error *error);

/* Where a role's tensor goes: one of the two is not NULL. */
struct matrix *model_matrix(struct model *model, const struct role_tensor *role);
const float **model_vector(struct model *model, const struct role_tensor *role);

/* A matrix as one of two dimensions: those of experts lie one below the other. */
uint64_t model_rows(const struct role_tensor *role);
uint64_t model_cols(const struct role_tensor *role);

/* Adds a tensor of `bytes` bytes to the model's sums. */
void model_count(struct model *model, const struct role_tensor *role, uint64_t bytes);

/* Once all are in place: shares the embedding with a tied head, finds the main type. */
void model_finish(struct model *model, const struct role_tensor *roles, size_t n_roles);

#endif
