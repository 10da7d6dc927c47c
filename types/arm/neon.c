/* Everything for NEON without dot products. */
#ifdef __aarch64__
#include "types/arm/neon.h"

/* Of two rows each, a sum for each column modulo 4: 8 products, 8 * 15 * 127 < 2^15. */
typedef struct {
    int16x8_t low, high;
} q4_sums;

INLINE void q4_add(q4_sums *sums, vi weights, vi x) {
    sums->low = vmlal_s8(sums->low, vget_low_s8((int8x16_t)weights), vget_low_s8((int8x16_t)x));
    sums->high = vmlal_high_s8(sums->high, (int8x16_t)weights, (int8x16_t)x);
}

INLINE vi q4_total(q4_sums sums) {
    return (vi)vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high));
}

#include "types/panels.h"
#include "types/product.h"
#include "types/quantized.h"
#include "types/round.h"

DEFINE_PANELS_MATVEC(q8, i16)
DEFINE_PANELS_MATVEC(q4, i8)
#endif
