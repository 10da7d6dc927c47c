#include "types/variants.h"

#define WHOLE_PRIMITIVES(variant, features)                                                                  \
    {                                                                                                        \
        .needs = features, .f16_widen = f16_widen_##variant, .bf16_widen = bf16_widen_##variant,             \
        .round_i16 = round_i16_##variant, .round_i8 = round_i8_##variant, .product = product_##variant       \
    }

const struct primitives primitives[] = {
#if defined(__x86_64__)
    WHOLE_PRIMITIVES(avx512, CPU_AVX512),
    WHOLE_PRIMITIVES(avx2, CPU_AVX2),
#elif defined(__aarch64__)
    WHOLE_PRIMITIVES(neon, CPU_NEON),
#endif
    WHOLE_PRIMITIVES(scalar, 0),
};

const struct primitives *best_primitives(void) {
    const struct primitives *best = primitives;
    while (best->needs & ~cpu_features())
        best++;
    return best;
}
