/* What a weight can be stored as.
 *
 * A matrix of n_rows x n_cols weights is a grid of blocks. A block holds panel_rows rows by block_cols
 * columns in block_bytes bytes. Blocks lie panel by panel (a panel is panel_rows whole rows), within a panel
 * by rising column. So a panel is one run of bytes, and a matrix-vector product reads the matrix from its
 * first byte to its last. Rows and columns that a block holds beyond the matrix's own are zero weights. A
 * tensor of one dimension is a single row where panel_rows is 1; others cannot hold it.
 *
 * Plain types (f32, f16, bf16) have panels of one row and blocks of one weight: the row-major arrays of a
 * checkpoint.
 *
 * THE DEFINITION. y = W x means: every weight decoded to float (decode_row), x rounded as the type says (enum
 * rounding), products summed in float. The fast variants compute the same within 1e-5 of sum |w_i x_i| (in
 * another order), but that weights below 2^-126 may count as zero; encoders write identical bytes in every
 * variant. One property test walks them all.
 *
 * A new type is one file with a descriptor, and one line in types.c. It works with nothing but encode,
 * decode_row and finite; matvec, unpack and multiply make it fast. */
#ifndef TYPES_TYPE_H
#define TYPES_TYPE_H

#include "lib/cpu.h"
#include "lib/memory.h"

#define BLOCK_COLS 32 /* columns per block of every quantized type, and per group of a rounded input */
#define PANEL_ROWS 16 /* rows per panel of every quantized type, and per tile of unpack */
#define TILE_COLS                                                                                            \
    256 /* columns of a tile of unpacked weights, and of the runs that a batch of floats lies in */

/* How an input vector is rounded before it meets the weights. Groups are BLOCK_COLS values with one float
 * scale: scale = largest |x| / 32767 or / 127, q = x / scale to the nearest, ties to even; an all-zero group
 * has scale 0. Sixteen bits change nothing that can be measured; eight bits are a fortieth of what 4-bit
 * weights lose. ROUND_SPLIT does not round, but says that a batch may keep the sum of two bf16 numbers in
 * place of a float: 2^-17 of it is lost at most, within what a product may be off. */
enum rounding { ROUND_NONE, ROUND_SPLIT, ROUND_I16, ROUND_I8, ROUNDINGS };
#define ALL_ROUNDINGS ((1u << ROUNDINGS) - 1) /* as a bit set */

/* One rounded input vector. Padded with zeros to a multiple of BLOCK_COLS. */
struct vector {
    enum rounding kind;
    size_t n_cols;
    float *f32; /* ROUND_NONE, ROUND_SPLIT [n_cols padded] */
    int16_t *i16; /* ROUND_I16 [n_cols padded] */
    int8_t *i8; /* ROUND_I8 [n_cols padded] */
    float *scales; /* I16, I8 [n_groups] */
    int32_t *sums; /* I16, I8 [n_groups]: sum of the group's integers */
};

struct matrix {
    const struct type *type;
    const uint8_t *data; /* matrix_bytes() of them, aligned to 64 */
    size_t n_rows, n_cols;
};

/* Weights that a type cannot hold. */
struct unfit {
    size_t row, col;
    float value;
};

/* Encodes rows of a plain type, all finite, into whole panels at `out`. There are a multiple of panel_rows of
 * them, but for the last rows of a matrix. `importance` [n_cols] weighs squared errors by column, or is NULL.
 * False where a value does not fit, which one in *unfit (its row relative to `rows`). What is written depends
 * on the values alone, whatever type they come in. */
typedef bool encode_fn(const struct matrix *rows, const float *importance, void *out, struct unfit *unfit);

/* y[row] = W[row] . x for row_begin <= row < row_end; row_begin is a multiple of PANEL_ROWS. x is of the
 * type's rounding kind. y is indexed by the matrix's own row numbers. */
typedef void matvec_fn(const struct matrix *w, const struct vector *x, size_t row_begin, size_t row_end,
                       float *y);

/* out[(col - col_begin) * PANEL_ROWS + i] = W[row + i][col], for PANEL_ROWS rows and col_begin <= col <
 * col_end, zero beyond the matrix. row is a multiple of PANEL_ROWS, col_begin one of BLOCK_COLS, col_end too
 * or n_cols. */
typedef void unpack_fn(const struct matrix *w, size_t row, size_t col_begin, size_t col_end, float *out);

/* How a batch keeps inputs of a rounding: as all of its types multiply so many on this processor. Values lie
 * in runs: run r of vector i is the (r * n_vectors + i)-th. Where vectors lie together, the runs of some
 * neighbours are one, in which their 32-bit words take turns (batch_begin() and batch_step() say how): a
 * kernel that broadcasts a word of each reads them in a row. */
enum batch_form {
    BATCH_FLOATS, /* that hold the rounded values; runs of TILE_COLS, together */
    BATCH_ROWS, /* the same, but each vector by itself */
    BATCH_WORDS, /* 16-bit integers in batch_order(); runs of BLOCK_COLS, together */
    BATCH_SMALL, /* 8-bit integers; runs of BLOCK_COLS, together */
    BATCH_BYTES, /* the same, but each vector by itself */
    BATCH_BFLOATS, /* rounded values as bf16, and in a second run behind those of all vectors what they lack,
                      as bf16; runs of BLOCK_COLS */
};

/* Many rounded inputs. Behind each array there is room for another BATCH_PAD vectors' group or run. */
struct batch {
    size_t n_vectors;
    size_t together; /* vectors that lie together; 1 in a form where each lies by itself */
    enum batch_form form;
    union {
        void *values;
        float *f32; /* FLOATS, ROWS */
        uint16_t *bf16; /* BFLOATS */
        int16_t *i16; /* WORDS */
        int8_t *i8; /* SMALL, BYTES */
    };
    float *scales; /* WORDS, SMALL, BYTES: group g of vector i is the (g * n_vectors + i)-th */
    int16_t (*offsets)[2]; /* SMALL, likewise: -8 times the sum of the columns 0 and 1, and of 2 and 3, of all
                              fours */
};
#define BATCH_PAD 16

/* Where column `col` of a group of 16-bit words lies in a batch: of each four columns, 0 and 2 come first,
 * then 1 and 3. */
static inline size_t batch_order(size_t col) {
    return (col & ~(size_t)3) | (col & 1) << 1 | (col >> 1 & 1);
}

/* Where run `run` of vector i begins, in 32-bit words; a run has `run_words` of them. */
static inline size_t batch_begin(const struct batch *x, size_t run, size_t run_words, size_t i) {
    const size_t turn = i % x->together;
    return (run * x->n_vectors + i - turn) * run_words + turn;
}

/* How far each word of the run is from the next: as many vectors lie together there, vector i among them. */
static inline size_t batch_step(const struct batch *x, size_t i) {
    const size_t behind = x->n_vectors - (i - i % x->together);
    return x->together < behind ? x->together : behind;
}

/* How many vectors there is room for among the sums of `count`. */
static inline size_t padded_vectors(size_t count) {
    return (count + BATCH_PAD - 1) / BATCH_PAD * BATCH_PAD;
}

/* sums[(panel * padded_vectors(count) + i) * PANEL_ROWS + r] += W[row] . vector first + i of x, over columns
 * [col_begin, col_end), where row = row_begin + panel * PANEL_ROWS + r is below row_end and 0 <= i < count.
 * What becomes of the other sums does not matter. row_begin is a multiple of PANEL_ROWS, columns are
 * multiples of TILE_COLS, but for the matrix's own end. `first` is a multiple of x->together, and count is
 * too, but for the last vectors. x is of no form FLOATS: for that, weights are unpacked. */
typedef void multiply_fn(const struct matrix *w, const struct batch *x, size_t row_begin, size_t row_end,
                         size_t col_begin, size_t col_end, size_t first, size_t count, float *sums);

/* Puts rows of another format's blocks into panels of a type of ours, weight for weight. n_rows as for
 * encode_fn. And back. */
typedef void repack_fn(const void *rows, size_t n_rows, size_t n_cols, void *panels);
typedef void restore_fn(const void *panels, size_t n_rows, size_t n_cols, void *rows);

/* A way of doing the work that needs certain CPU features. NULL where it offers nothing: the next one is
 * asked. */
struct variant {
    const char *name; /* "avx2" */
    uint32_t needs; /* enum cpu_feature */
    encode_fn *encode;
    matvec_fn *matvec;
    unpack_fn *unpack;
    multiply_fn *multiply; /* where no variant has it, weights are unpacked */
    size_t least_vectors; /* that multiply is the best for */
};

struct type {
    const char *name; /* "q4" */
    const char *summary; /* for --help and docs: "4 bits, 32 weights to an fp16 scale" */
    uint32_t panel_rows, block_cols, block_bytes;
    enum rounding rounding;
    void (*decode_row)(const struct matrix *w, size_t row, float *out); /* out[n_cols] */
    /* The number of the first block of `n_blocks` that decodes to an infinity or NaN, or n_blocks. */
    size_t (*finite)(const void *blocks, size_t n_blocks);
    const struct variant *variants; /* best first; the last is "scalar", needs nothing and has every function
                                       but perhaps multiply */
    size_t n_variants;
    /* Of a type of another format, which is only read (types/gguf.h): the one that stands for it in a .qm
     * file, and, where that holds the same weights exactly, the way there and back. NULL of our own types. */
    const struct type *native;
    repack_fn *repack;
    restore_fn *restore;
};

extern const struct type *const types[]; /* THE LIST, in types.c, NULL behind the last */
const struct type *type_find(const char *name); /* NULL if unknown */

static inline bool type_is_plain(const struct type *type) {
    return type->panel_rows == 1 && type->block_cols == 1;
}

/* Bytes of a matrix. False on overflow. */
bool matrix_bytes(const struct type *type, uint64_t n_rows, uint64_t n_cols, uint64_t *bytes);

/* The best that this processor (as cpu_limit left it) can do. Never NULL. */
encode_fn *type_encode(const struct type *type);
matvec_fn *type_matvec(const struct type *type);
unpack_fn *type_unpack(const struct type *type);
/* But this one, for a batch of so many vectors: NULL where no variant has it. */
multiply_fn *type_multiply(const struct type *type, size_t n_vectors);

#endif
