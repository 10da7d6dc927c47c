#include "format/tensor_output.h"

static bool align(uint64_t *offset, uint64_t alignment) {
    return add_sizes(*offset, -*offset % alignment, offset);
}

bool tensor_output_place(struct tensor_output *to, const char *path, struct tensor *tensors, size_t n_tensors,
                         uint64_t alignment, struct error *error) {
    to->tensors = tensors;
    to->data_size = 0;
    for (size_t i = 0; i < n_tensors; i++) {
        struct tensor *tensor = &tensors[i];
        tensor->offset = to->data_size;
        if (!tensor_bytes(tensor, &tensor->size) || !add_sizes(to->data_size, tensor->size, &to->data_size) ||
            !align(&to->data_size, alignment))
            return fail(error, "%s: tensor '%s' ends beyond any file", path, tensor->name);
    }
    return true;
}

bool tensor_output_create(struct tensor_output *to, const char *path, bool force, const struct buffer *header,
                          uint64_t alignment, struct error *error) {
    uint64_t size;
    to->data_begin = header->size;
    if (!align(&to->data_begin, alignment) || !add_sizes(to->data_begin, to->data_size, &size))
        return fail(error, "%s: its tensors end beyond any file", path);
    to->output = output_create(path, force, error);
    return to->output && output_reserve(to->output, size, error) &&
           output_write(to->output, header->data, header->size, 0, error);
}

bool tensor_output_write(const struct tensor_output *to, size_t tensor, const void *from, size_t size,
                         uint64_t offset, struct error *error) {
    return output_write(to->output, from, size, to->data_begin + to->tensors[tensor].offset + offset, error);
}
