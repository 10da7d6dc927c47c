/* The vocabulary of types/lanes.h for AVX-512 F, BW, DQ and VL, with and without VNNI or AMX. */
#include <immintrin.h>

#define LANES 16
#define FETCH_AHEAD 2048
#if defined WITH_AMX
#define TARGET                                                                                               \
    __attribute__((                                                                                          \
        target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,f16c,amx-tile,amx-int8,amx-bf16")))
#define VARIANT(name) name##_amx
#elif defined WITH_VNNI
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")))
#define VARIANT(name) name##_avx512vnni
#else
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")))
#define VARIANT(name) name##_avx512
#endif
#define VECTORS_AT_ONCE VECTORS_avx512

#include "types/lanes.h"

INLINE vf fused(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}

INLINE vf lesser(vf a, vf b) {
    return _mm512_min_ps(a, b);
}

INLINE vf greater(vf a, vf b) {
    return _mm512_max_ps(a, b);
}

INLINE vf widen_half(vh h) {
    return _mm512_cvtph_ps((__m256i)h);
}

INLINE vf widen_bfloat(vh h) {
    return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
}

INLINE vh narrow_half(vf x) {
    return (vh)_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

INLINE vf round_to_half(vf x) {
    return widen_half(narrow_half(x));
}

INLINE vf nearest(vf x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

INLINE vi pack_bytes(const vf columns[4], int low, int high) {
    const __m128i by_row = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i first = _mm512_packs_epi32(_mm512_cvtps_epi32(columns[0]), _mm512_cvtps_epi32(columns[1]));
    __m512i second = _mm512_packs_epi32(_mm512_cvtps_epi32(columns[2]), _mm512_cvtps_epi32(columns[3]));
    __m512i bytes = _mm512_max_epi8(_mm512_packs_epi16(first, second), _mm512_set1_epi8((char)low));
    bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8((char)high));
    return (vi)_mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(by_row));
}

INLINE vf load_quads(const uint8_t *from, size_t stride) {
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)(const void *)from));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(from + stride)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(from + 2 * stride)), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(const void *)(from + 3 * stride)), 3);
}

INLINE void transpose_quads(vf v[4]) {
    __m512d low01 = (__m512d)_mm512_unpacklo_ps(v[0], v[1]), high01 = (__m512d)_mm512_unpackhi_ps(v[0], v[1]);
    __m512d low23 = (__m512d)_mm512_unpacklo_ps(v[2], v[3]), high23 = (__m512d)_mm512_unpackhi_ps(v[2], v[3]);
    v[0] = (vf)_mm512_unpacklo_pd(low01, low23);
    v[1] = (vf)_mm512_unpackhi_pd(low01, low23);
    v[2] = (vf)_mm512_unpacklo_pd(high01, high23);
    v[3] = (vf)_mm512_unpackhi_pd(high01, high23);
}

/* Columns 0 and 2 of four, and 1 and 3, as pairs of 16-bit integers in every lane: weights come apart into
 * even and odd ones by shifts, and each pair of products stays in its row's lane. */
typedef struct {
    vi even, odd;
} q8_input;

INLINE q8_input q8_splat(const int16_t *x) {
    int64_t columns;
    memcpy(&columns, x, 8);
    const __m512i all = _mm512_set1_epi64(columns);
    const __m512i even = _mm512_set1_epi32(0x05040100), odd = _mm512_set1_epi32(0x07060302);
    return (q8_input){(vi)_mm512_shuffle_epi8(all, even), (vi)_mm512_shuffle_epi8(all, odd)};
}

INLINE vi even_weights(vi weights) {
    return (vi)_mm512_srai_epi16(_mm512_slli_epi16((__m512i)weights, 8), 8);
}

INLINE vi odd_weights(vi weights) {
    return (vi)_mm512_srai_epi16((__m512i)weights, 8);
}
