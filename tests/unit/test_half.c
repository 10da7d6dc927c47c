/* Half and bfloat conversion against an independent definition: values by arithmetic on powers of two,
 * rounding by search for the nearest. */
#include "lib/half.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* IEEE 754: sign, exponent biased by 15, 10 bits of fraction. */
static double half_value(uint16_t h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

/* The half nearest to x > 0 by bisection over the (ordered) bits; a tie goes to the even one; 65520 is the
 * middle between the largest half and the next that there would be. */
static uint16_t nearest_half(double x) {
    if (x >= 65520)
        return 0x7c00;
    uint16_t low = 0, high = 0x7c00;
    while (high - low > 1) {
        uint16_t middle = (uint16_t)((low + high) / 2);
        if (half_value(middle) <= x)
            low = middle;
        else
            high = middle;
    }
    double up = high == 0x7c00 ? 65536 : half_value(high), below = x - half_value(low), above = up - x;
    return below < above || (below == above && low % 2 == 0) ? low : high;
}

static void every_half_has_its_value(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        double expected = half_value((uint16_t)h);
        float x = half_to_float((uint16_t)h);
        if (isnan(expected))
            assert_true(isnan(x));
        else
            assert_true((double)x == expected && !signbit(x) == !(h & 0x8000));
    }
}

static void every_half_survives_the_round_trip(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t again = float_to_half(half_to_float((uint16_t)h));
        bool is_nan = (h & 0x7fff) > 0x7c00;
        assert_int_equal(again, is_nan ? h | 0x200 : h); /* NaNs become quiet and keep the rest */
    }
}

static void check_rounding(float x) {
    uint16_t expected = (uint16_t)(nearest_half(fabs((double)x)) | (signbit(x) ? 0x8000 : 0));
    if (float_to_half(x) != expected) {
        printf("%a: %04x, expected %04x\n", (double)x, float_to_half(x), expected);
        assert_int_equal(float_to_half(x), expected);
    }
}

/* Each half, the middle to the next one, and the floats on both sides of either. */
static void floats_round_to_the_nearest_half(void **state) {
    (void)state;
    for (uint16_t h = 0; h < 0x7c00; h++) {
        float here = half_to_float(h), next = h == 0x7bff ? 65536 : half_to_float((uint16_t)(h + 1));
        float points[] = {here, here + (next - here) / 2};
        for (int i = 0; i < 2; i++)
            for (int sign = -1; sign <= 1; sign += 2) {
                check_rounding((float)sign * points[i]);
                check_rounding((float)sign * nextafterf(points[i], INFINITY));
                check_rounding((float)sign * nextafterf(points[i], -INFINITY));
            }
    }
}

static void floats_of_every_exponent_round(void **state) {
    (void)state;
    uint32_t random = 1;
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (int i = 0; i < 200; i++) {
            random = random * 1664525 + 1013904223;
            check_rounding(bits_float((random & 0x807fffff) | exponent << 23));
        }
}

static void infinities_and_nans_stay(void **state) {
    (void)state;
    assert_int_equal(float_to_half(INFINITY), 0x7c00);
    assert_int_equal(float_to_half(-INFINITY), 0xfc00);
    assert_int_equal(float_to_half(3.4e38f), 0x7c00);
    for (uint32_t bit = 0; bit < 23; bit++) {
        uint16_t h = float_to_half(bits_float(0x7f800000 | 1u << bit));
        uint16_t b = float_to_bfloat(bits_float(0xff800000 | 1u << bit));
        assert_true((h & 0x7e00) == 0x7e00);
        assert_true(isnan(bfloat_to_float(b)));
    }
}

#ifdef __FLT16_MANT_DIG__
static void the_compiler_agrees(void **state) {
    (void)state;
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += 4093) {
        float x = bits_float((uint32_t)bits);
        _Float16 h = (_Float16)x;
        uint16_t expected;
        memcpy(&expected, &h, 2);
        if (!isnan(x))
            assert_int_equal(float_to_half(x), expected);
    }
}
#endif

static void every_bfloat_survives_the_round_trip(void **state) {
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        bool is_nan = (b & 0x7fff) > 0x7f80;
        assert_int_equal(float_to_bfloat(bfloat_to_float((uint16_t)b)), is_nan ? b | 0x40 : b);
    }
}

/* A bfloat is a float's upper half, so the neighbours of x are its bits cut, and those plus one. */
static void floats_round_to_the_nearest_bfloat(void **state) {
    (void)state;
    for (uint64_t bits = 0; bits < 0x7f7f8000; bits += 0x1fff) {
        double x = bits_float((uint32_t)bits);
        uint16_t low = (uint16_t)(bits >> 16), high = (uint16_t)(low + 1);
        double below = x - bfloat_to_float(low), above = bfloat_to_float(high) - x;
        uint16_t expected = below < above || (below == above && low % 2 == 0) ? low : high;
        assert_int_equal(float_to_bfloat((float)x), expected);
        assert_int_equal(float_to_bfloat((float)-x), expected | 0x8000);
    }
    assert_int_equal(float_to_bfloat(bits_float(0x7f7f7fff)), 0x7f7f);
    assert_int_equal(float_to_bfloat(bits_float(0x7f7f8000)), 0x7f80); /* rounds to infinity */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_has_its_value),
        cmocka_unit_test(every_half_survives_the_round_trip),
        cmocka_unit_test(floats_round_to_the_nearest_half),
        cmocka_unit_test(floats_of_every_exponent_round),
        cmocka_unit_test(infinities_and_nans_stay),
#ifdef __FLT16_MANT_DIG__
        cmocka_unit_test(the_compiler_agrees),
#endif
        cmocka_unit_test(every_bfloat_survives_the_round_trip),
        cmocka_unit_test(floats_round_to_the_nearest_bfloat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
