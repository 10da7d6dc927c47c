#include "types/variants.h"

#define INTEGERS (1u << ROUND_I16 | 1u << ROUND_I8)
#define WHOLE_PRIMITIVES(variant, features, batches)                                                         \
    {                                                                                                        \
        .needs = features, .f16_widen = f16_widen_##variant, .bf16_widen = bf16_widen_##variant,             \
        .round_i16 = round_i16_##variant, .round_i8 = round_i8_##variant, .product = product_##variant,      \
        .integer_batches = batches                                                                           \
    }

const struct primitives primitives[] = {
#if defined(__x86_64__)
    WHOLE_PRIMITIVES(avx512, CPU_AVX512, INTEGERS),
    WHOLE_PRIMITIVES(avx2, CPU_AVX2, INTEGERS),
#elif defined(__aarch64__)
    WHOLE_PRIMITIVES(neon, CPU_NEON, 0),
#endif
    WHOLE_PRIMITIVES(scalar, 0, 0),
};

const struct primitives *best_primitives(void) {
    const struct primitives *best = primitives;
    while (best->needs & ~cpu_features())
        best++;
    return best;
}
