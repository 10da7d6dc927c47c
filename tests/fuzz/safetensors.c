/* Whatever bytes a checkpoint has, opening ends with tensors that lie inside the file or with a sentence.
 * Bytes that begin with '{' are an index, beside one good shard. */
#include "format/safetensors.h"
#include "tests/fuzz/scratch.h"

#include <string.h>

static const char shard[] = "\x8e\0\0\0\0\0\0\0"
                            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                            "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[8,16]},"
                            "\"__metadata__\":{\"format\":\"pt\"}}"
                            "      0123456789abcdef";

static void check_tensors(const struct container *container) {
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        uint64_t bytes, size = container->files[tensor->file].size;
        if (tensor->offset > size || tensor->size > size - tensor->offset || !tensor_bytes(tensor, &bytes) ||
            bytes != tensor->size || (i && strcmp(tensor[-1].name, tensor->name) >= 0) ||
            container_tensor(container, tensor->name) != tensor)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct container container;
    struct error error;
    bool is_index = size > 0 && data[0] == '{';
    const char *path = scratch_write(0, is_index ? "x.safetensors.index.json" : "x.safetensors", data, size);
    if (is_index)
        scratch_write(1, "shard.safetensors", shard, sizeof shard - 1);
    if (container_open(&container, path, &error)) {
        check_tensors(&container);
        container_close(&container);
    } else if (strlen(error.text) == 0)
        abort();
    return 0;
}
