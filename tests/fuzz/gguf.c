/* Whatever bytes a GGUF file has, importing it ends with tensors that lie inside the file and blobs that are
 * there, or with a sentence. */
#include "format/gguf.h"
#include "models/import.h"
#include "tests/fuzz/scratch.h"

#include <string.h>

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

static void check_rows(const struct import *import) {
    struct error error;
    for (size_t i = 0; i < import->n_tensors; i++) {
        uint8_t bytes[64];
        uint64_t size = import->tensors[i]->size, n = size < sizeof bytes ? size : sizeof bytes;
        n -= n % import->tensors[i]->layout.block_bytes;
        if (!import_read(import, i, bytes, (size_t)n, size - n, &error))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct container container;
    struct import import;
    struct error error = {""};
    const char *path = scratch_write(0, "x.gguf", data, size);
    if (container_open(&container, path, &error))
        check_tensors(&container);
    else if (strlen(error.text) == 0)
        abort();
    container_close(&container);
    if (import_open(&import, path, &error)) {
        check_rows(&import);
        import_close(&import);
    } else if (strlen(error.text) == 0)
        abort();
    return 0;
}
