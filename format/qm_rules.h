/* The rules of the .qm format that its reader and its writer hold to alike. Each returns false with a
 * sentence that begins with `path`. */
#ifndef FORMAT_QM_RULES_H
#define FORMAT_QM_RULES_H

#include "format/qm_layout.h"

/* `what` is a plural: "tensors". */
bool qm_check_count(const char *path, uint64_t count, uint64_t limit, const char *what, struct error *error);

/* `what` and `index` say whose name it is. */
bool qm_check_name(const char *path, const char *name, size_t length, const char *what, size_t index,
                   struct error *error);
bool qm_check_value(const char *path, const char *key, const struct value *value, struct error *error);
bool qm_check_blob_name(const char *path, const char *name, struct error *error);
bool qm_check_layout(const char *path, const struct type_layout *layout, struct error *error);
bool qm_same_layout(const struct type_layout *a, const struct type_layout *b);

/* Sets the size that the tensor's shape and layout call for. */
bool qm_check_shape(const char *path, const struct tensor *tensor, uint64_t *bytes, struct error *error);

/* Where a tensor of `size` bytes lies behind data that ends at `end`, and where it ends itself. */
bool qm_place(const char *path, uint64_t end, uint64_t size, uint64_t *offset, uint64_t *next,
              struct error *error);

/* The container's tensors in the order of the file. Lies in `arena`; NULL on failure. */
const struct tensor **qm_by_offset(const struct container *container, struct arena *arena,
                                   struct error *error);

#endif
