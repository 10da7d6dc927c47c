/* Integer dot products by AVX-512 VNNI; everything else is in avx512.c. */
#ifdef __x86_64__
#define WITH_VNNI
#include "types/x86/avx512.h"

/* Two chains each, to hide the latency of an instruction that adds to its own result. */
typedef struct {
    vi a, b;
} q8_sums, q4_sums;

INLINE vi add_pairs(vi sum, vi weights, vi x) {
    return (vi)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)weights, (__m512i)x);
}

INLINE void q8_add(q8_sums *sums, const uint8_t *from, q8_input x) {
    const vi weights = load_words(from);
    sums->a = add_pairs(sums->a, even_weights(weights), x.even);
    sums->b = add_pairs(sums->b, odd_weights(weights), x.odd);
}

INLINE vi q8_total(q8_sums sums) {
    return sums.a + sums.b;
}

INLINE q4_sums q4_from(vi pairs) {
    return (q4_sums){.a = (vi)_mm512_madd_epi16((__m512i)pairs, _mm512_set1_epi16(1))};
}

INLINE void q4_add(q4_sums *sums, vi weights, vi x) {
    vi sum = (vi)_mm512_dpbusd_epi32((__m512i)sums->a, (__m512i)weights, (__m512i)x);
    sums->a = sums->b;
    sums->b = sum;
}

INLINE vi q4_total(q4_sums sums) {
    return sums.a + sums.b;
}

#include "types/panels.h"

#include "types/batch.h" /* builds on panels.h */

DEFINE_PANELS_MATVEC(q8, i16)
DEFINE_PANELS_MATVEC(q4, i8)
DEFINE_BATCH(q8, Q8_WORDS)
DEFINE_BATCH(q4, Q4_WORDS)
#endif
