#include "types/type.h"

#include <string.h>

/* THE LIST: one declaration and one entry for each type, plain ones first, then by falling size. */
extern const struct type type_f32, type_f16, type_bf16, type_q8, type_q4;

const struct type *const types[] = {&type_f32, &type_f16, &type_bf16, &type_q8, &type_q4, NULL};

const struct type *type_find(const char *name) {
    for (const struct type *const *type = types; *type; type++)
        if (strcmp((*type)->name, name) == 0)
            return *type;
    return NULL;
}

static uint64_t ceil_div(uint64_t count, uint32_t size) {
    return count / size + (count % size != 0);
}

bool matrix_bytes(const struct type *type, uint64_t n_rows, uint64_t n_cols, uint64_t *bytes) {
    uint64_t n_blocks;
    return mul_sizes(ceil_div(n_rows, type->panel_rows), ceil_div(n_cols, type->block_cols), &n_blocks) &&
           mul_sizes(n_blocks, type->block_bytes, bytes);
}

/* Points `function` at the given member of the best variant that has it and that this processor can run. */
#define BEST(type, member)                                                                                   \
    for (const struct variant *v = (type)->variants;; v++)                                                   \
        if (v->member && (v->needs & ~cpu_features()) == 0)                                                  \
            return v->member;

encode_fn *type_encode(const struct type *type){BEST(type, encode)}

matvec_fn *type_matvec(const struct type *type){BEST(type, matvec)}

unpack_fn *type_unpack(const struct type *type){BEST(type, unpack)}

multiply_fn *type_multiply(const struct type *type, size_t n_vectors) {
    for (const struct variant *v = type->variants; v < type->variants + type->n_variants; v++)
        if (v->multiply && v->least_vectors <= n_vectors && (v->needs & ~cpu_features()) == 0)
            return v->multiply;
    return NULL;
}
