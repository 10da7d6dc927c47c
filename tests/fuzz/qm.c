/* Whatever bytes a .qm file has, opening ends with tensors that lie inside the file or with a sentence, and
 * checking the data reads nothing else. Bytes with the magic are a file. Others are two bytes that say how
 * much tensor data there is and then a directory, sealed so that its rules are reached behind the digests. */
#include "format/qm.h"
#include "lib/threads.h"
#include "tests/fuzz/scratch.h"
#include "tests/qm_bytes.h"

#define MAX_DIRECTORY 65536
#define MAX_DATA (64 * 65535)

static uint8_t file[QM_BYTES_HEADER + MAX_DATA + MAX_DIRECTORY + QM_BYTES_FOOTER];

/* The size of the file that it makes around the directory. */
static size_t wrap_directory(const uint8_t *data, size_t size) {
    size_t begin = QM_BYTES_HEADER + 64 * (size_t)bytes_get(data, 2);
    size = size - 2 < MAX_DIRECTORY ? size - 2 : MAX_DIRECTORY;
    size_t padded = (size + 7) / 8 * 8, end = begin + padded;
    memset(file, 0, end + QM_BYTES_FOOTER);
    memcpy(file, "\x89QMF\r\n\x1a\n\1", 9);
    memcpy(file + begin, data + 2, size);
    bytes_put(file + end, begin, 8);
    bytes_put(file + end + 8, padded, 8);
    memcpy(file + end + 88, "\n\x1a\n\rFMQ\x89", 8);
    bytes_seal(file, end + QM_BYTES_FOOTER);
    return end + QM_BYTES_FOOTER;
}

static void check_tensors(const struct container *container) {
    const struct qm_details *details = container->details;
    for (size_t i = 0; i < container->n_tensors; i++) {
        const struct tensor *tensor = &container->tensors[i];
        if (tensor->offset < details->data_begin || tensor->size > details->data_end - tensor->offset ||
            tensor->offset % 64 || (i && strcmp(tensor[-1].name, tensor->name) >= 0) ||
            container_tensor(container, tensor->name) != tensor)
            abort();
    }
}

static void note(void *context, const struct tensor *tensor, const char *sentence) {
    (void)tensor;
    *(bool *)context = strlen(sentence) > 0;
}

static void check_data(const struct container *container) {
    static struct pool *pool;
    struct error error;
    bool noted = false;
    pool = pool ? pool : pool_new(1, &error);
    if (qm_check_data(container, pool, note, &noted) == noted)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct container container;
    struct error error;
    bool is_file = size >= 4 && memcmp(data, "\x89QMF", 4) == 0;
    if (!is_file && size < 2)
        return 0;
    size_t wrapped = is_file ? 0 : wrap_directory(data, size);
    const char *path = scratch_write(0, "x.qm", is_file ? data : file, is_file ? size : wrapped);
    if (container_open(&container, path, &error)) {
        check_tensors(&container);
        check_data(&container);
        container_close(&container);
    } else if (strlen(error.text) == 0)
        abort();
    return 0;
}
