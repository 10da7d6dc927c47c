/* The functions that each instruction set offers, instantiated from rows.h, search.h, panels.h, batch.h and
 * product.h in scalar.c, x86/ and arm/. A name is the type, the work and the variant: q4_matvec_avx2. */
#ifndef TYPES_VARIANTS_H
#define TYPES_VARIANTS_H

#include "types/type.h"

extern const struct type type_f32, type_f16, type_bf16; /* so that variants can tell plain types apart */

/* Decodes n values of a plain type. */
typedef void widen_fn(const void *from, size_t n, float *to);

/* Rounds whole groups of an input vector to integers and their scales, as enum rounding says. */
typedef void round_i16_fn(const float *x, size_t n_groups, int16_t *to, float *scales, int32_t *sums);
typedef void round_i8_fn(const float *x, size_t n_groups, int8_t *to, float *scales, int32_t *sums);

/* A group of BLOCK_COLS values as bf16, and what these lack. */
typedef void split_fn(const float *x, uint16_t *rounded, uint16_t *rest);

/* How many vectors a variant multiplies at once, their sums in registers; so many lie together in a batch. */
#define VECTORS_scalar 2
#define VECTORS_avx2 6 /* times two registers of sums, two of weights, one of inputs: of sixteen */
#define VECTORS_avx512 12 /* inputs are broadcast operands; a load of weights for every 12 products */
#define VECTORS_neon 6 /* times four registers of sums, four of weights, one of inputs: of thirty-two */

/* sums[i * PANEL_ROWS + r] += the sum over col of tile[col * PANEL_ROWS + r] * the value of vector i in
 * column col, for n_vectors vectors i and the rows r of a tile. x holds a run of them, as in BATCH_FLOATS. */
typedef void product_fn(const float *tile, size_t n_cols, const float *x, size_t n_vectors, float *sums);

#define DECLARE_VARIANT(variant)                                                                             \
    encode_fn f32_encode_##variant, f16_encode_##variant, bf16_encode_##variant;                             \
    widen_fn f32_widen_##variant, f16_widen_##variant, bf16_widen_##variant;                                 \
    matvec_fn f32_matvec_##variant, f16_matvec_##variant, bf16_matvec_##variant;                             \
    unpack_fn f32_unpack_##variant, f16_unpack_##variant, bf16_unpack_##variant;                             \
    multiply_fn f32_multiply_##variant, f16_multiply_##variant, bf16_multiply_##variant;                     \
    encode_fn q8_encode_##variant, q4_encode_##variant;                                                      \
    unpack_fn q8_unpack_##variant, q4_unpack_##variant;                                                      \
    matvec_fn q8_matvec_##variant, q4_matvec_##variant;                                                      \
    product_fn product_##variant;                                                                            \
    round_i16_fn round_i16_##variant;                                                                        \
    round_i8_fn round_i8_##variant

DECLARE_VARIANT(scalar);
DECLARE_VARIANT(avx2);
DECLARE_VARIANT(avx512);
DECLARE_VARIANT(neon);
matvec_fn q8_matvec_avx512vnni, q4_matvec_avx512vnni;
multiply_fn q8_multiply_avx2, q8_multiply_avx512, q8_multiply_avx512vnni;
multiply_fn q4_multiply_avx2, q4_multiply_avx512, q4_multiply_avx512vnni;
multiply_fn f16_multiply_amx, bf16_multiply_amx, q8_multiply_amx, q4_multiply_amx;
split_fn split_amx;
matvec_fn q4_matvec_neondot;

/* The rows of a descriptor's table. Plain types are multiplied as they lie by all variants, block types by
 * those that do it in integers; the others unpack them. */
#define COMMON_MEMBERS(type, variant, features)                                                              \
    .name = #variant, .needs = features, .encode = type##_encode_##variant,                                  \
    .matvec = type##_matvec_##variant, .unpack = type##_unpack_##variant
#define UNPACKING(type, variant, features)                                                                   \
    { COMMON_MEMBERS(type, variant, features) }
#define MULTIPLYING(type, variant, features)                                                                 \
    { COMMON_MEMBERS(type, variant, features), .multiply = type##_multiply_##variant }
#if defined(__x86_64__)
#define PLAIN_VARIANTS(type)                                                                                 \
    MULTIPLYING(type, avx512, CPU_AVX512), MULTIPLYING(type, avx2, CPU_AVX2), MULTIPLYING(type, scalar, 0)
#define AMX_VARIANT(type)                                                                                    \
    {.name = "amx",                                                                                          \
     .needs = CPU_AVX512 | CPU_AMX,                                                                          \
     .multiply = type##_multiply_amx,                                                                        \
     .least_vectors = BATCH_PAD},
#define BLOCK_VARIANTS(type)                                                                                 \
    AMX_VARIANT(type){.name = "avx512vnni",                                                                  \
                      .needs = CPU_AVX512 | CPU_AVX512_VNNI,                                                 \
                      .matvec = type##_matvec_avx512vnni,                                                    \
                      .multiply = type##_multiply_avx512vnni},                                               \
        MULTIPLYING(type, avx512, CPU_AVX512), MULTIPLYING(type, avx2, CPU_AVX2), UNPACKING(type, scalar, 0)
#elif defined(__aarch64__)
#define PLAIN_VARIANTS(type) MULTIPLYING(type, neon, CPU_NEON), MULTIPLYING(type, scalar, 0)
#define AMX_VARIANT(type)
#define BLOCK_VARIANTS(type) UNPACKING(type, neon, CPU_NEON), UNPACKING(type, scalar, 0)
#else
#define PLAIN_VARIANTS(type) MULTIPLYING(type, scalar, 0)
#define AMX_VARIANT(type)
#define BLOCK_VARIANTS(type) UNPACKING(type, scalar, 0)
#endif

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* How many panels of a matrix, and how many vectors, are multiplied at a time. */
struct blocking {
    size_t panels; /* a multiple of 4 */
    size_t vectors; /* a multiple of those that lie together, or that meet a tile of AMX */
    size_t grain; /* panels that are dealt to a thread at the least, likewise */
};

/* Up to so many vectors meet weights as these come from memory, read from several places in turn as by a
 * matvec; those of plain types are not unpacked, as sums over lanes cost less. */
#define FEW_VECTORS 16

/* What is not of one type, as the processor can do it best. */
struct primitives {
    uint32_t needs; /* enum cpu_feature */
    widen_fn *f16_widen, *bf16_widen;
    round_i16_fn *round_i16;
    round_i8_fn *round_i8;
    product_fn *product;
    split_fn *split; /* where a form has bf16 */
    size_t least_vectors; /* of a batch that is kept and multiplied so */
    size_t together; /* vectors, in the forms in which they lie together */
    struct blocking blocking; /* for the second-level cache that processors with these instructions have */
    enum batch_form forms[ROUNDINGS]; /* of batches: what all types with the rounding can multiply */
};

extern const struct primitives primitives[]; /* best first; the last needs nothing */
const struct primitives *best_primitives(void);
const struct primitives *primitives_for(size_t n_vectors); /* for batches of so many */

#endif
