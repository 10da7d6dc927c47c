/* The vocabulary of lanes.h in plain C, for processors that we know nothing about. */
#define LANES 4
#define FETCH_AHEAD 0
#define TARGET
#define VARIANT(name) name##_scalar

#include "types/lanes.h"

INLINE vf fused(vf a, vf b, vf c) {
    return a * b + c;
}

INLINE vf lesser(vf a, vf b) {
    return select_lanes(a < b, a, b);
}

INLINE vf greater(vf a, vf b) {
    return select_lanes(a > b, a, b);
}

/* half_to_float() of lib/half.h, four at a time. */
INLINE vf widen_half(vh h) {
    vi bits = __builtin_convertvector(h, vi), magnitude = bits & 0x7fff, sign = (bits & 0x8000) << 16;
    vi number = (vi)((vf)(magnitude << 13) * 0x1p112f);
    vi quiet = (magnitude > 0x7c00) & 1 << 22;
    vi special = 0x7f800000 | (magnitude & 0x3ff) << 13 | quiet;
    return (vf)(sign | (vi)select_lanes(magnitude >= 0x7c00, (vf)special, (vf)number));
}

INLINE vf widen_bfloat(vh h) {
    return (vf)(__builtin_convertvector(h, vu) << 16);
}

INLINE vh narrow_half(vf x) {
    return (vh){float_to_half(x[0]), float_to_half(x[1]), float_to_half(x[2]), float_to_half(x[3])};
}

INLINE vf round_to_half(vf x) {
    vi bits = (vi)magnitude(x);
    vi normal = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fff;
    vf subnormal = (magnitude(x) + 0.5f) - 0.5f; /* 2^-24 is the last bit of numbers from 0.5 to 1 */
    vf rounded = select_lanes(bits < 0x38800000, subnormal, (vf)normal);
    return (vf)((vi)rounded | ((vi)x & INT32_MIN));
}

INLINE vf nearest(vf x) {
    return (x + ROUNDER) - ROUNDER;
}

INLINE vi pack_bytes(const vf columns[4], int low, int high) {
    vu packed = {0};
    for (unsigned j = 0; j < 4; j++) {
        vf q = lesser(greater(nearest(columns[j]), splat((float)low)), splat((float)high));
        packed |= ((vu) __builtin_convertvector(q, vi) & 255) << 8 * j;
    }
    return (vi)packed;
}

INLINE vf load_quads(const uint8_t *from, size_t stride) {
    (void)stride;
    vf v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void transpose_quads(vf v[4]) {
    vf w[4];
    for (int i = 0; i < 4; i++)
        w[i] = (vf){v[0][i], v[1][i], v[2][i], v[3][i]};
    for (int i = 0; i < 4; i++)
        v[i] = w[i];
}
