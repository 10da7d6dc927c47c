#include "types/variants.h"

#define FLOATS [ROUND_NONE] = BATCH_FLOATS, [ROUND_SPLIT] = BATCH_FLOATS
#define INTEGERS [ROUND_I16] = BATCH_WORDS, [ROUND_I8] = BATCH_SMALL
#define WHOLE_PRIMITIVES(variant, features, ...)                                                             \
    {                                                                                                        \
        .needs = features, .f16_widen = f16_widen_##variant, .bf16_widen = bf16_widen_##variant,             \
        .round_i16 = round_i16_##variant, .round_i8 = round_i8_##variant, .product = product_##variant,      \
        .blocking = {4, 256}, .forms = {__VA_ARGS__},                                                        \
    }
#if defined(__x86_64__)
/* AVX-512's, but for batches. */
#define AMX_PRIMITIVES                                                                                       \
    {                                                                                                        \
        .needs = CPU_AVX512 | CPU_AMX, .f16_widen = f16_widen_avx512, .bf16_widen = bf16_widen_avx512,       \
        .round_i16 = round_i16_avx512, .round_i8 = round_i8_avx512, .product = product_avx512,               \
        .split = split_amx, .least_vectors = BATCH_PAD, .blocking = {16, 512},                               \
        .forms = {[ROUND_NONE] = BATCH_FLOATS,                                                               \
                  [ROUND_SPLIT] = BATCH_BFLOATS,                                                             \
                  [ROUND_I16] = BATCH_BFLOATS,                                                               \
                  [ROUND_I8] = BATCH_SMALL},                                                                 \
    }
#endif

const struct primitives primitives[] = {
#if defined(__x86_64__)
    AMX_PRIMITIVES,
    WHOLE_PRIMITIVES(avx512, CPU_AVX512, FLOATS, INTEGERS),
    WHOLE_PRIMITIVES(avx2, CPU_AVX2, FLOATS, INTEGERS),
#elif defined(__aarch64__)
    WHOLE_PRIMITIVES(neon, CPU_NEON, FLOATS),
#endif
    WHOLE_PRIMITIVES(scalar, 0, FLOATS),
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
