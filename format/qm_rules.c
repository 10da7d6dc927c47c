#include "format/qm_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const struct qm_section_kind qm_sections[QM_SECTIONS] = {
    [QM_META] = {"META", QM_CRITICAL | QM_IDENTITY},
    [QM_BLOB] = {"BLOB", QM_CRITICAL | QM_IDENTITY},
    [QM_TYPE] = {"TYPE", QM_CRITICAL | QM_IDENTITY},
    [QM_TENS] = {"TENS", QM_CRITICAL | QM_IDENTITY},
    [QM_TPOS] = {"TPOS", QM_CRITICAL},
    [QM_BDAT] = {"BDAT", QM_CRITICAL},
};

bool qm_check_count(const char *path, uint64_t count, uint64_t limit, const char *what, struct error *error) {
    return count <= limit ||
           fail(error, "%s: has %" PRIu64 " %s, the limit is %" PRIu64, path, count, what, limit);
}

bool qm_check_name(const char *path, const char *name, size_t length, const char *what, size_t index,
                   struct error *error) {
    if (length == 0 || length > QM_MAX_NAME)
        return fail(error, "%s: the name of %s %zu is %zu bytes long, not 1 to %d", path, what, index, length,
                    QM_MAX_NAME);
    return name_is_valid(name, length) ||
           fail(error, "%s: the name of %s %zu is not UTF-8 without control characters", path, what, index);
}

bool qm_check_value(const char *path, const char *key, const struct value *value, struct error *error) {
    const double *reals = value->kind == VALUE_REALS ? value->reals : &value->real;
    size_t n_reals = value->kind == VALUE_REALS ? value->count : value->kind == VALUE_REAL;
    if (value->kind == VALUE_TEXT && !text_is_valid(value->text, value->count))
        return fail(error, "%s: the text of metadata '%s' is not UTF-8 without NUL", path, key);
    for (size_t i = 0; i < n_reals; i++)
        if (!isfinite(reals[i]))
            return fail(error, "%s: metadata '%s' is not finite", path, key);
    return true;
}

bool qm_check_blob_name(const char *path, const char *name, struct error *error) {
    return (name[0] != '.' && !strpbrk(name, "/\\")) ||
           fail(error, "%s: blob '%s' has a name that leads out of a folder", path, name);
}

bool qm_check_layout(const char *path, const struct type_layout *layout, struct error *error) {
    const struct {
        const char *what;
        uint32_t value, limit;
    } fields[] = {
        {"rows to a panel", layout->panel_rows, QM_MAX_PANEL_ROWS},
        {"columns to a block", layout->block_cols, QM_MAX_BLOCK_COLS},
        {"bytes to a block", layout->block_bytes, QM_MAX_BLOCK_BYTES},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value < 1 || fields[i].value > fields[i].limit)
            return fail(error, "%s: type '%s' has %" PRIu32 " %s, not 1 to %" PRIu32, path, layout->name,
                        fields[i].value, fields[i].what, fields[i].limit);
    return true;
}

bool qm_same_layout(const struct type_layout *a, const struct type_layout *b) {
    return a->panel_rows == b->panel_rows && a->block_cols == b->block_cols &&
           a->block_bytes == b->block_bytes;
}

bool qm_check_shape(const char *path, const struct tensor *tensor, uint64_t *bytes, struct error *error) {
    if (tensor->n_dims < 1 || tensor->n_dims > MAX_DIMS)
        return fail(error, "%s: tensor '%s' has %" PRIu32 " dimensions, not 1 to %d", path, tensor->name,
                    tensor->n_dims, MAX_DIMS);
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        if (tensor->dims[i] == 0)
            return fail(error, "%s: tensor '%s' is empty: dimension %" PRIu32 " is 0", path, tensor->name, i);
    if (tensor->n_dims == 1 && tensor->layout.panel_rows != 1)
        return fail(error, "%s: tensor '%s' has one dimension, type '%s' needs two or more", path,
                    tensor->name, tensor->layout.name);
    return tensor_bytes(tensor, bytes) ||
           fail(error, "%s: tensor '%s' has a shape beyond any file's size", path, tensor->name);
}

bool qm_place(const char *path, uint64_t end, uint64_t size, uint64_t *offset, uint64_t *next,
              struct error *error) {
    return (qm_align(end, qm_tensor_align(size), offset) && add_sizes(*offset, size, next) &&
            *next <= INT64_MAX) ||
           fail(error, "%s: a tensor of %" PRIu64 " bytes at %" PRIu64 " is beyond any file's size", path,
                size, end);
}

static int by_offset(const void *a, const void *b) {
    const struct tensor *x = *(const struct tensor *const *)a, *y = *(const struct tensor *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

const struct tensor **qm_by_offset(const struct container *container, struct arena *arena,
                                   struct error *error) {
    const struct tensor **tensors = ARENA_NEW(arena, const struct tensor *, container->n_tensors + 1, error);
    if (!tensors)
        return NULL;
    for (size_t i = 0; i < container->n_tensors; i++)
        tensors[i] = &container->tensors[i];
    qsort(tensors, container->n_tensors, sizeof *tensors, by_offset);
    return tensors;
}
