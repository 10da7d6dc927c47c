/* How weights lie in GGUF files: ggml's types by number, those that can be read with what reads them.
 *
 * Each is a descriptor as in types/type.h, with panels of one row, so that a tensor is its rows of blocks one
 * behind the other. They have decode_row and finite alone: they are read, never multiplied with. `native`
 * says what a .qm file keeps such weights as; where that holds them exactly, `repack` takes them there, and
 * where not, they go by way of floats. docs/gguf.md has the table.
 *
 * A block type more is one file in types/gguf/ and its line in types/gguf/list.c. */
#ifndef TYPES_GGUF_H
#define TYPES_GGUF_H

#include "types/type.h"

/* The numbers of ggml's types that are written as well as read. */
enum { GGUF_F32 = 0, GGUF_F16 = 1, GGUF_Q4_0 = 2, GGUF_Q8_0 = 8, GGUF_BF16 = 30 };

struct gguf_type {
    uint32_t id;
    const char *name; /* "Q4_K" */
    uint32_t block_cols, block_bytes; /* a row is a whole number of blocks */
    const struct type *type; /* NULL where this version cannot read it: its size is known all the same */
};

const struct gguf_type *gguf_type_find(uint32_t id); /* NULL if unknown */
const struct gguf_type *gguf_type_named(const char *name); /* "Q8_0"; NULL if unknown */

extern const struct gguf_type gguf_types[]; /* THE LIST, by rising id, in types/gguf/list.c */
extern const size_t n_gguf_types;

/* Blocks of 32 weights that a .qm file holds exactly. Little-endian. */
struct gguf_q8_0 {
    uint16_t scale; /* fp16 */
    int8_t weights[BLOCK_COLS]; /* weight = scale * q */
};

struct gguf_q4_0 {
    uint16_t scale; /* fp16 */
    uint8_t pairs[BLOCK_COLS / 2]; /* column i in the low nibble, 16 + i in the high one; scale * (q - 8) */
};

#endif
