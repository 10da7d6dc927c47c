#include "types/variants.h"

#define COMMON_PRIMITIVES(variant, features)                                                                 \
    .needs = features, .f16_widen = f16_widen_##variant, .bf16_widen = bf16_widen_##variant,                 \
    .round_i16 = round_i16_##variant, .round_i8 = round_i8_##variant, .product = product_##variant,          \
    .together = VECTORS_##variant
#define PRIMITIVES(variant, features, least, panels, vectors, plain_form, i16_form, i8_form)                 \
    {                                                                                                        \
        COMMON_PRIMITIVES(variant, features), .least_vectors = least, .blocking = {panels, vectors, 4},      \
                                              .forms = {[ROUND_NONE] = plain_form,                           \
                                                        [ROUND_SPLIT] = plain_form,                          \
                                                        [ROUND_I16] = i16_form,                              \
                                                        [ROUND_I8] = i8_form},                               \
    }
#define MANY_AND_FEW(variant, features, vectors, ...)                                                        \
    PRIMITIVES(variant, features, FEW_VECTORS + 1, 4, vectors, BATCH_FLOATS, __VA_ARGS__),                   \
        PRIMITIVES(variant, features, 0, 32, 24, BATCH_ROWS, __VA_ARGS__)
#define WITH_INTEGERS(variant, features, vectors)                                                            \
    MANY_AND_FEW(variant, features, vectors, BATCH_WORDS, BATCH_SMALL)
#define WITH_FLOATS(variant, features) MANY_AND_FEW(variant, features, 264, BATCH_FLOATS, BATCH_FLOATS)
#if defined(__x86_64__)
/* AVX-512's, but for batches. */
#define AMX_PRIMITIVES                                                                                       \
    {                                                                                                        \
        COMMON_PRIMITIVES(avx512, CPU_AVX512 | CPU_AMX), .split = split_amx, .least_vectors = BATCH_PAD,     \
                                                         .blocking = {16, 528, 16},                          \
                                                         .forms = {[ROUND_NONE] = BATCH_FLOATS,              \
                                                                   [ROUND_SPLIT] = BATCH_BFLOATS,            \
                                                                   [ROUND_I16] = BATCH_BFLOATS,              \
                                                                   [ROUND_I8] = BATCH_BYTES},                \
    }
#endif

const struct primitives primitives[] = {
#if defined(__x86_64__)
    AMX_PRIMITIVES,
    WITH_INTEGERS(avx512, CPU_AVX512, 528),
    WITH_INTEGERS(avx2, CPU_AVX2, 264),
#elif defined(__aarch64__)
    WITH_FLOATS(neon, CPU_NEON),
#endif
    WITH_FLOATS(scalar, 0),
};

const struct primitives *primitives_for(size_t n_vectors) {
    const struct primitives *best = primitives;
    while (best->needs & ~cpu_features() || best->least_vectors > n_vectors)
        best++;
    return best;
}

const struct primitives *best_primitives(void) {
    return primitives_for(SIZE_MAX);
}
