/* GGUF files (ggml's docs/gguf.md), versions 2 and 3, little-endian, whole or in shards.
 *
 *   "GGUF", u32 version, u64 tensors, u64 items
 *   items     text key, u32 kind, value; a text is its length (u64) and its bytes;
 *             an array is u32 kind, u64 count, values
 *   tensors   text name, u32 n, n of u64 dimensions (innermost first), u32 type (types/gguf.h), u64 offset
 *   data      at a multiple of general.alignment, as is each tensor in it, in the order above
 *
 * What ggml's reader refuses is refused: other versions, unknown kinds and types, arrays of arrays, duplicate
 * keys and tensors, rows that are no whole number of blocks, tensors that do not follow one another. Weights
 * that types/gguf.h cannot read are tensors without a `type`.
 *
 * Keys and values are those of the first shard, in container.details, a struct gguf_details; they point into
 * the file, which stays mapped. What they mean is models/gguf.h's business, and so there are no blobs. */
#ifndef FORMAT_GGUF_H
#define FORMAT_GGUF_H

#include "format/format.h"

extern const struct format gguf_format;

#define GGUF_MAGIC "GGUF"
#define GGUF_VERSION 3 /* 2 differs in nothing that we read */
#define GGUF_ALIGNMENT 32 /* where general.alignment is absent */

#define GGUF_MAX_TENSORS 1000000u
#define GGUF_MAX_ITEMS 65536u
#define GGUF_MAX_TEXT (64u << 20)
#define GGUF_MAX_ARRAY (1u << 24)
#define GGUF_MAX_ALIGNMENT (1u << 20)
#define GGUF_MAX_SHARDS 512u

enum gguf_kind {
    GGUF_UINT8,
    GGUF_INT8,
    GGUF_UINT16,
    GGUF_INT16,
    GGUF_UINT32,
    GGUF_INT32,
    GGUF_FLOAT32,
    GGUF_BOOL,
    GGUF_TEXT,
    GGUF_ARRAY,
    GGUF_UINT64,
    GGUF_INT64,
    GGUF_FLOAT64,
    GGUF_KINDS,
};

struct gguf_text {
    const char *bytes; /* any, and no NUL behind them */
    size_t size;
};

struct gguf_item {
    const char *key;
    enum gguf_kind kind; /* of the value, or of an array's values */
    bool is_array;
    uint64_t count; /* of values, 1 where it is no array */
    const uint8_t *data;
};

struct gguf_details {
    uint32_t version;
    const struct gguf_item *items; /* by rising key */
    size_t n_items;
};

const struct gguf_item *gguf_find(const struct container *container, const char *key); /* NULL if absent */

/* Value i as a number or flag; false where it is no whole number (from 0), no number, no flag. */
bool gguf_uint(const struct gguf_item *item, uint64_t i, uint64_t *to);
bool gguf_int(const struct gguf_item *item, uint64_t i, int64_t *to);
bool gguf_real(const struct gguf_item *item, uint64_t i, double *to);
bool gguf_flag(const struct gguf_item *item, uint64_t i, bool *to);

/* All `count` values of an item of texts. NULL with a sentence where memory is out. */
const struct gguf_text *gguf_texts(const struct gguf_item *item, struct arena *arena, struct error *error);

#endif
