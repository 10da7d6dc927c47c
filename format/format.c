#include "format/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t format_peek(const char *path, void *to, size_t size) {
    struct arena arena = {0};
    struct input input;
    struct error ignored;
    size_t got = 0;
    if (!file_is_folder(path) && input_open(&input, path, &arena, &ignored)) {
        size_t wanted = input.size < size ? (size_t)input.size : size;
        if (input_read(&input, to, wanted, 0, &ignored))
            got = wanted;
        input_close(&input);
    }
    arena_free(&arena);
    return got;
}

static bool fail_unknown(const char *path, struct error *error) {
    char known[256] = "";
    for (size_t i = 0, used = 0; formats[i] && used < sizeof known; i++) {
        const char *before = i == 0 ? "" : formats[i + 1] ? ", " : " or ";
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", before, formats[i]->summary);
    }
    return fail(error, "%s: is of no known format: it should be %s", path, known);
}

/* A sentence of the system where there is nothing to be read, such as "No such file or directory". */
static bool is_readable(const char *path, struct error *error) {
    if (file_is_folder(path))
        return true;
    struct arena arena = {0};
    struct input input;
    bool readable = input_open(&input, path, &arena, error);
    if (readable)
        input_close(&input);
    arena_free(&arena);
    return readable;
}

static bool open_any(struct container *container, const char *path, struct error *error) {
    if (!is_readable(path, error))
        return false;
    for (size_t i = 0; formats[i]; i++) {
        if (formats[i]->probe(path)) {
            container->format = formats[i];
            return formats[i]->open(container, path, error);
        }
    }
    return fail_unknown(path, error);
}

bool container_open(struct container *container, const char *path, struct error *error) {
    *container = (struct container){0};
    container->metadata.arena = &container->arena;
    container->path = arena_text(&container->arena, path, strlen(path), error);
    if (container->path && open_any(container, container->path, error))
        return true;
    container_close(container);
    return false;
}

void container_close(struct container *container) {
    for (size_t i = 0; i < container->n_files; i++)
        input_close(&container->files[i]);
    arena_free(&container->arena);
    *container = (struct container){0};
}

/* Tensors and blobs both begin with their name. */
static const void *find_named(const void *items, size_t count, size_t size, const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *const *item = (const void *)((const char *)items + middle * size);
        int order = strcmp(*item, name);
        if (order == 0)
            return item;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

_Static_assert(offsetof(struct tensor, name) == 0 && offsetof(struct blob, name) == 0, "see find_named");

const struct tensor *container_tensor(const struct container *container, const char *name) {
    return find_named(container->tensors, container->n_tensors, sizeof *container->tensors, name);
}

const struct blob *container_blob(const struct container *container, const char *name) {
    return find_named(container->blobs, container->n_blobs, sizeof *container->blobs, name);
}

struct dims_text dims_text(uint32_t n_dims, const uint64_t *dims) {
    struct dims_text text = {""};
    size_t length = 0;
    for (uint32_t d = 0; d < n_dims; d++)
        length += (size_t)snprintf(text.text + length, sizeof text.text - length,
                                   d ? " x %" PRIu64 : "%" PRIu64, dims[d]);
    return text;
}

void tensor_rows_cols(const struct tensor *tensor, uint64_t *n_rows, uint64_t *n_cols) {
    *n_rows = 1;
    for (uint32_t i = 0; i + 1 < tensor->n_dims; i++)
        *n_rows *= tensor->dims[i];
    *n_cols = tensor->dims[tensor->n_dims - 1];
}

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return a / b + (a % b != 0);
}

bool tensor_bytes(const struct tensor *tensor, uint64_t *bytes) {
    const struct type_layout *layout = &tensor->layout;
    if (tensor->n_dims == 1 && layout->panel_rows != 1)
        return false;
    uint64_t weights = 1, rows, cols, blocks;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        if (!mul_sizes(weights, tensor->dims[i], &weights) || weights > INT64_MAX)
            return false;
    tensor_rows_cols(tensor, &rows, &cols);
    return mul_sizes(divide_up(rows, layout->panel_rows), divide_up(cols, layout->block_cols), &blocks) &&
           mul_sizes(blocks, layout->block_bytes, bytes);
}

bool tensor_read(const struct container *container, const struct tensor *tensor, void *to, size_t size,
                 uint64_t offset, struct error *error) {
    uint64_t end;
    if (!add_sizes(offset, size, &end) || end > tensor->size)
        return fail(error, "%s: tensor '%s' has %llu bytes; %zu were asked for at %llu", container->path,
                    tensor->name, (unsigned long long)tensor->size, size, (unsigned long long)offset);
    return input_read(&container->files[tensor->file], to, size, tensor->offset + offset, error);
}
