/* A GGUF file put together piece by piece, for tests. Knows the layout from docs/gguf.md, not from format/.
 * Tensors are of zeros. */
#ifndef TESTS_GGUF_FILE_H
#define TESTS_GGUF_FILE_H

#include <stddef.h>
#include <stdint.h>

struct gguf_file {
    uint8_t items[1 << 15], tensors[1 << 13];
    size_t items_size, tensors_size, data_size;
    uint64_t n_items, n_tensors;
    uint32_t version, alignment; /* 0: 3, 32 */
};

void gguf_put_uint(struct gguf_file *file, const char *key, uint32_t value);
void gguf_put_real(struct gguf_file *file, const char *key, float value);
void gguf_put_flag(struct gguf_file *file, const char *key, int value);
void gguf_put_text(struct gguf_file *file, const char *key, const char *value);
/* Space-separated texts, and numbers as i32. */
void gguf_put_texts(struct gguf_file *file, const char *key, const char *values);
void gguf_put_ints(struct gguf_file *file, const char *key, size_t count, const int32_t *values);
/* Bytes as they are behind the key: kind and value. */
void gguf_put_raw(struct gguf_file *file, const char *key, const void *bytes, size_t size);

/* Behind those before, aligned. `bytes` is the size of its data; dims outermost first, 0 for none. */
void gguf_put_tensor(struct gguf_file *file, const char *name, uint32_t type, size_t bytes, uint64_t rows,
                     uint64_t cols);

/* A llama of one layer: width and feed-forward 32, one head, 40 tokens. */
void gguf_put_llama(struct gguf_file *file);

/* Dies if it cannot. The bytes are those of the last call. */
const uint8_t *gguf_bytes(const struct gguf_file *file, size_t *size);
void gguf_write(const struct gguf_file *file, const char *path);

#endif
