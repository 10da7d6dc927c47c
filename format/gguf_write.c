#include "format/gguf_write.h"

#include "types/gguf.h"

#include <string.h>

/* ---- Values ---- */

static bool put_u32(struct buffer *to, uint32_t x, struct error *error) {
    return buffer_append(to, &x, sizeof x, error);
}

static bool put_u64(struct buffer *to, uint64_t x, struct error *error) {
    return buffer_append(to, &x, sizeof x, error);
}

static bool put_text(struct buffer *to, const char *text, size_t size, struct error *error) {
    return put_u64(to, size, error) && buffer_append(to, text, size, error);
}

static bool begin(struct gguf_items *items, const char *key, enum gguf_kind kind, struct error *error) {
    items->count++;
    return put_text(&items->bytes, key, strlen(key), error) && put_u32(&items->bytes, kind, error);
}

bool gguf_item_uint(struct gguf_items *items, const char *key, uint64_t x, struct error *error) {
    return begin(items, key, GGUF_UINT32, error) && put_u32(&items->bytes, (uint32_t)x, error);
}

bool gguf_item_real(struct gguf_items *items, const char *key, double x, struct error *error) {
    return begin(items, key, GGUF_FLOAT32, error) && gguf_add_real(items, (float)x, error);
}

bool gguf_item_bool(struct gguf_items *items, const char *key, bool x, struct error *error) {
    return begin(items, key, GGUF_BOOL, error) && gguf_add_bool(items, x, error);
}

bool gguf_item_text(struct gguf_items *items, const char *key, const char *text, struct error *error) {
    return begin(items, key, GGUF_TEXT, error) && put_text(&items->bytes, text, strlen(text), error);
}

bool gguf_item_array(struct gguf_items *items, const char *key, enum gguf_kind kind, uint64_t count,
                     struct error *error) {
    return begin(items, key, GGUF_ARRAY, error) && put_u32(&items->bytes, kind, error) &&
           put_u64(&items->bytes, count, error);
}

bool gguf_add_text(struct gguf_items *items, const char *text, size_t size, struct error *error) {
    return put_text(&items->bytes, text, size, error);
}

bool gguf_add_int(struct gguf_items *items, int32_t x, struct error *error) {
    return buffer_append(&items->bytes, &x, sizeof x, error);
}

bool gguf_add_bool(struct gguf_items *items, bool x, struct error *error) {
    return buffer_append(&items->bytes, &(uint8_t){x}, 1, error);
}

bool gguf_add_real(struct gguf_items *items, float x, struct error *error) {
    return buffer_append(&items->bytes, &x, sizeof x, error);
}

void gguf_items_free(struct gguf_items *items) {
    buffer_free(&items->bytes);
    items->count = 0;
}

/* ---- The header ---- */

static bool put_tensor(struct buffer *to, const struct tensor *tensor, struct error *error) {
    const struct gguf_type *type = gguf_type_named(tensor->layout.name);
    if (!put_text(to, tensor->name, strlen(tensor->name), error) || !put_u32(to, tensor->n_dims, error))
        return false;
    for (uint32_t d = tensor->n_dims; d-- > 0;)
        if (!put_u64(to, tensor->dims[d], error))
            return false;
    return put_u32(to, type->id, error) && put_u64(to, tensor->offset, error);
}

bool gguf_put_header(struct buffer *to, const struct gguf_items *items, const struct tensor *tensors,
                     size_t n_tensors, struct error *error) {
    if (!buffer_append(to, GGUF_MAGIC, 4, error) || !put_u32(to, GGUF_VERSION, error) ||
        !put_u64(to, n_tensors, error) || !put_u64(to, items->count, error) ||
        !buffer_append(to, items->bytes.data, items->bytes.size, error))
        return false;
    for (size_t i = 0; i < n_tensors; i++)
        if (!put_tensor(to, &tensors[i], error))
            return false;
    return true;
}
