/* The vocabulary of types/lanes.h for AArch64's NEON, with and without dot products. */
#include <arm_neon.h>

#define LANES 4
#define FETCH_AHEAD 0
#ifdef WITH_DOTPROD
#ifdef __clang__
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define VARIANT(name) name##_neondot
#else
#define TARGET
#define VARIANT(name) name##_neon
#endif
#define VECTORS_AT_ONCE VECTORS_neon

#include "types/lanes.h"

INLINE vf fused(vf a, vf b, vf c) {
    return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}

INLINE vf lesser(vf a, vf b) {
    return (vf)vminq_f32((float32x4_t)a, (float32x4_t)b);
}

INLINE vf greater(vf a, vf b) {
    return (vf)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
}

INLINE vf widen_half(vh h) {
    return (vf)vcvt_f32_f16((float16x4_t)h);
}

INLINE vf widen_bfloat(vh h) {
    return (vf)vshll_n_u16((uint16x4_t)h, 16);
}

INLINE vh narrow_half(vf x) {
    return (vh)vcvt_f16_f32((float32x4_t)x);
}

INLINE vf round_to_half(vf x) {
    return widen_half(narrow_half(x));
}

INLINE vf nearest(vf x) {
    return (vf)vrndnq_f32((float32x4_t)x);
}

INLINE int16x4_t nearest_shorts(vf x) {
    return vqmovn_s32(vcvtnq_s32_f32((float32x4_t)x));
}

INLINE vi pack_bytes(const vf columns[4], int low, int high) {
    static const uint8_t by_row[] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    int16x8_t first = vcombine_s16(nearest_shorts(columns[0]), nearest_shorts(columns[1]));
    int16x8_t second = vcombine_s16(nearest_shorts(columns[2]), nearest_shorts(columns[3]));
    int8x16_t bytes = vmaxq_s8(vcombine_s8(vqmovn_s16(first), vqmovn_s16(second)), vdupq_n_s8((int8_t)low));
    return (vi)vqtbl1q_s8(vminq_s8(bytes, vdupq_n_s8((int8_t)high)), vld1q_u8(by_row));
}

INLINE vf load_quads(const uint8_t *from, size_t stride) {
    (void)stride;
    vf v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void transpose_quads(vf v[4]) {
    float32x4_t a = (float32x4_t)v[0], b = (float32x4_t)v[1], c = (float32x4_t)v[2], d = (float32x4_t)v[3];
    float32x4_t low_ac = vzip1q_f32(a, c), high_ac = vzip2q_f32(a, c);
    float32x4_t low_bd = vzip1q_f32(b, d), high_bd = vzip2q_f32(b, d);
    v[0] = (vf)vzip1q_f32(low_ac, low_bd);
    v[1] = (vf)vzip2q_f32(low_ac, low_bd);
    v[2] = (vf)vzip1q_f32(high_ac, high_bd);
    v[3] = (vf)vzip2q_f32(high_ac, high_bd);
}

/* Four columns, twice. */
typedef int16x8_t q8_input;

INLINE q8_input q8_splat(const int16_t *x) {
    return vcombine_s16(vld1_s16(x), vld1_s16(x));
}

/* Of each of the four rows in a register, a sum for each column modulo 4. */
typedef struct {
    int32x4_t row[4];
} q8_sums;

INLINE void q8_add(q8_sums *sums, const uint8_t *from, q8_input x) {
    const int8x16_t weights = vreinterpretq_s8_u8(vld1q_u8(from));
    int16x8_t low = vmovl_s8(vget_low_s8(weights)), high = vmovl_high_s8(weights);
    sums->row[0] = vmlal_s16(sums->row[0], vget_low_s16(low), vget_low_s16(x));
    sums->row[1] = vmlal_high_s16(sums->row[1], low, x);
    sums->row[2] = vmlal_s16(sums->row[2], vget_low_s16(high), vget_low_s16(x));
    sums->row[3] = vmlal_high_s16(sums->row[3], high, x);
}

INLINE vi q8_total(q8_sums sums) {
    return (vi)vpaddq_s32(vpaddq_s32(sums.row[0], sums.row[1]), vpaddq_s32(sums.row[2], sums.row[3]));
}
