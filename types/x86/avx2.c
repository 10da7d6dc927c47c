/* Everything for AVX2. */
#ifdef __x86_64__
#include "types/x86/avx2.h"

/* Four columns, in both halves of every two lanes. */
typedef __m256i q8_input;

INLINE q8_input q8_splat(const int16_t *x) {
    int64_t columns;
    memcpy(&columns, x, 8);
    return _mm256_set1_epi64x(columns);
}

INLINE vi even_weights(vi weights) {
    return (vi)_mm256_srai_epi16(_mm256_slli_epi16((__m256i)weights, 8), 8);
}

INLINE vi odd_weights(vi weights) {
    return (vi)_mm256_srai_epi16((__m256i)weights, 8);
}

INLINE vi add_pairs(vi sum, vi weights, vi x) {
    return sum + (vi)_mm256_madd_epi16((__m256i)weights, (__m256i)x);
}

typedef struct {
    __m256i low, high;
} q8_sums;

INLINE void q8_add(q8_sums *sums, const uint8_t *weights, q8_input x) {
    const __m128i *quads = (const __m128i *)(const void *)weights;
    sums->low =
        _mm256_add_epi32(sums->low, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(quads)), x));
    sums->high =
        _mm256_add_epi32(sums->high, _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(quads + 1)), x));
}

INLINE vi q8_total(q8_sums sums) {
    return (vi)_mm256_permute4x64_epi64(_mm256_hadd_epi32(sums.low, sums.high), 0xd8);
}

typedef int16_t q4_sums __attribute__((vector_size(4 * LANES))); /* 16 products: 16 * 15 * 127 < 2^15 */

INLINE q4_sums q4_from(vi pairs) {
    return (q4_sums)pairs;
}

INLINE void q4_add(q4_sums *sums, vi weights, vi x) {
    *sums += (q4_sums)_mm256_maddubs_epi16((__m256i)weights, (__m256i)x);
}

INLINE vi q4_total(q4_sums sums) {
    return (vi)_mm256_madd_epi16((__m256i)sums, _mm256_set1_epi16(1));
}

#include "types/panels.h"
#include "types/product.h"
#include "types/quantized.h"
#include "types/round.h"

#include "types/batch.h" /* builds on panels.h */

DEFINE_PANELS_MATVEC(q8, i16)
DEFINE_PANELS_MATVEC(q4, i8)
DEFINE_BATCH(q8, Q8_WORDS)
DEFINE_BATCH(q4, Q4_WORDS)
#endif
