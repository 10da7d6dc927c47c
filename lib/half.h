/* IEEE 754 binary16 and bfloat16 as bits, converted in plain integer arithmetic: the same on every machine.
 * Rounding is to nearest, ties to even; subnormals are kept; overflow gives infinity; NaN stays NaN (quiet).
 */
#ifndef LIB_HALF_H
#define LIB_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

static inline float bits_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, magnitude = h & 0x7fff;
    if (magnitude >= 0x7c00) /* infinity, NaN */
        return bits_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13 |
                          (magnitude > 0x7c00 ? 1u << 22 : 0));
    /* The exponent's bias differs by 112; scaling by 2^112 also puts subnormals right. */
    float scaled = bits_float(magnitude << 13) * 0x1p112f;
    return bits_float(sign | float_bits(scaled));
}

static inline uint16_t float_to_half(float x) {
    uint32_t bits = float_bits(x), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and beyond round to infinity */
        return sign | 0x7c00;
    if (magnitude <
        0x38800000) { /* below 2^-14: adding 0.5 leaves the subnormal's bits, rounded, at the bottom */
        uint32_t rounded = float_bits(bits_float(magnitude) + 0.5f) - 0x3f000000;
        return (uint16_t)(sign | rounded);
    }
    uint32_t odd = magnitude >> 13 & 1;
    return (uint16_t)(sign | (magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

static inline float bfloat_to_float(uint16_t b) {
    return bits_float((uint32_t)b << 16);
}

static inline uint16_t float_to_bfloat(float x) {
    uint32_t bits = float_bits(x);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
