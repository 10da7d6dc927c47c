/* The vocabulary of types/lanes.h for AVX2 with FMA and F16C. */
#include <immintrin.h>

#define LANES 8
#define FETCH_AHEAD 0
#define TARGET __attribute__((target("avx2,fma,f16c,bmi2")))
#define VARIANT(name) name##_avx2
#define VECTORS_AT_ONCE VECTORS_avx2

#include "types/lanes.h"

INLINE vf fused(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}

INLINE vf lesser(vf a, vf b) {
    return _mm256_min_ps(a, b);
}

INLINE vf greater(vf a, vf b) {
    return _mm256_max_ps(a, b);
}

INLINE vf widen_half(vh h) {
    return _mm256_cvtph_ps((__m128i)h);
}

INLINE vf widen_bfloat(vh h) {
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
}

INLINE vh narrow_half(vf x) {
    return (vh)_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

INLINE vf round_to_half(vf x) {
    return widen_half(narrow_half(x));
}

INLINE vf nearest(vf x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE vi pack_bytes(const vf columns[4], int low, int high) {
    const __m128i by_row = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m256i first = _mm256_packs_epi32(_mm256_cvtps_epi32(columns[0]), _mm256_cvtps_epi32(columns[1]));
    __m256i second = _mm256_packs_epi32(_mm256_cvtps_epi32(columns[2]), _mm256_cvtps_epi32(columns[3]));
    __m256i bytes = _mm256_max_epi8(_mm256_packs_epi16(first, second), _mm256_set1_epi8((char)low));
    bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8((char)high));
    return (vi)_mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(by_row));
}

INLINE vf load_quads(const uint8_t *from, size_t stride) {
    __m128 low = _mm_loadu_ps((const float *)(const void *)from);
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low),
                                _mm_loadu_ps((const float *)(const void *)(from + stride)), 1);
}

INLINE void transpose_quads(vf v[4]) {
    __m256d low01 = (__m256d)_mm256_unpacklo_ps(v[0], v[1]), high01 = (__m256d)_mm256_unpackhi_ps(v[0], v[1]);
    __m256d low23 = (__m256d)_mm256_unpacklo_ps(v[2], v[3]), high23 = (__m256d)_mm256_unpackhi_ps(v[2], v[3]);
    v[0] = (vf)_mm256_unpacklo_pd(low01, low23);
    v[1] = (vf)_mm256_unpackhi_pd(low01, low23);
    v[2] = (vf)_mm256_unpacklo_pd(high01, high23);
    v[3] = (vf)_mm256_unpackhi_pd(high01, high23);
}
