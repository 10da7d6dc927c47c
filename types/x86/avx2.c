/* Everything for AVX2. */
#ifdef __x86_64__
#include "types/x86/avx2.h"

/* Columns 0 and 2 of four, and 1 and 3, as pairs of 16-bit integers in every lane: weights come apart into
 * even and odd ones by shifts, and each pair of products stays in its row's lane. */
typedef struct {
    vi even, odd;
} q8_input;

INLINE q8_input q8_splat(const int16_t *x) {
    int64_t columns;
    memcpy(&columns, x, 8);
    const __m256i all = _mm256_set1_epi64x(columns);
    const __m256i even = _mm256_set1_epi32(0x05040100), odd = _mm256_set1_epi32(0x07060302);
    return (q8_input){(vi)_mm256_shuffle_epi8(all, even), (vi)_mm256_shuffle_epi8(all, odd)};
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

typedef vi q8_sums; /* 32 * 127 * 32767 < 2^31 */

INLINE void q8_add(q8_sums *sums, vi weights, q8_input x) {
    *sums = add_pairs(add_pairs(*sums, even_weights(weights), x.even), odd_weights(weights), x.odd);
}

INLINE vi q8_total(q8_sums sums) {
    return sums;
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
