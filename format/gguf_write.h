/* The header of a GGUF file (format/gguf.h), to be followed by its tensors. */
#ifndef FORMAT_GGUF_WRITE_H
#define FORMAT_GGUF_WRITE_H

#include "format/gguf.h"

/* ---- Metadata, item by item in the order in which they are put ---- */

struct gguf_items {
    struct buffer bytes;
    uint64_t count;
};

/* Numbers go as 32 bits, which is what readers expect: x at most UINT32_MAX. */
bool gguf_item_uint(struct gguf_items *items, const char *key, uint64_t x, struct error *error);
bool gguf_item_real(struct gguf_items *items, const char *key, double x, struct error *error);
bool gguf_item_bool(struct gguf_items *items, const char *key, bool x, struct error *error);
bool gguf_item_text(struct gguf_items *items, const char *key, const char *text, struct error *error);

/* Begins an array of `count` values, which the caller then adds. */
bool gguf_item_array(struct gguf_items *items, const char *key, enum gguf_kind kind, uint64_t count,
                     struct error *error);
bool gguf_add_text(struct gguf_items *items, const char *text, size_t size, struct error *error);
bool gguf_add_int(struct gguf_items *items, int32_t x, struct error *error);
bool gguf_add_bool(struct gguf_items *items, bool x, struct error *error);
bool gguf_add_real(struct gguf_items *items, float x, struct error *error);

void gguf_items_free(struct gguf_items *items);

/* Appends the header of a file with these items and tensors, whose offsets stand (tensor_output_place with an
 * alignment of GGUF_ALIGNMENT). Types go by name, as in types/gguf.h. */
bool gguf_put_header(struct buffer *to, const struct gguf_items *items, const struct tensor *tensors,
                     size_t n_tensors, struct error *error);

#endif
