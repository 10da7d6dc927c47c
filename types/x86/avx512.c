/* Everything for AVX-512 without VNNI. */
#ifdef __x86_64__
#include "types/x86/avx512.h"

INLINE vi add_pairs(vi sum, vi weights, vi x) {
    return sum + (vi)_mm512_madd_epi16((__m512i)weights, (__m512i)x);
}

typedef vi q8_sums; /* 32 * 127 * 32767 < 2^31 */

INLINE void q8_add(q8_sums *sums, const uint8_t *from, q8_input x) {
    const vi weights = load_words(from);
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
    *sums += (q4_sums)_mm512_maddubs_epi16((__m512i)weights, (__m512i)x);
}

INLINE vi q4_total(q4_sums sums) {
    return (vi)_mm512_madd_epi16((__m512i)sums, _mm512_set1_epi16(1));
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
