/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats, all of them: against the formula of the format, and around the middle of each two
 * neighbours. */
#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct Format {
    int exponent_bits, fraction_bits;
    float (*to_f32)(uint16_t bits);
    uint16_t (*from_f32)(float value);
    uint16_t (*from_f64)(double value);
} Format;

static const Format formats[] = {{5, 10, f16_to_f32, f32_to_f16, f64_to_f16},
                                 {8, 7, bf16_to_f32, f32_to_bf16, f64_to_bf16}};

static unsigned infinity_of(const Format *format) {
    return ((1u << format->exponent_bits) - 1) << format->fraction_bits;
}

/* By the formula, where infinity stands for the number that would follow the largest. */
static double value_of(const Format *format, unsigned bits) {
    const int exponent = (int)(bits >> format->fraction_bits), bias = (1 << (format->exponent_bits - 1)) - 1;
    const double fraction = ldexp(bits & ((1u << format->fraction_bits) - 1), -format->fraction_bits);
    return exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias);
}

static void every_number_is_what_its_bits_say(void **state) {
    (void)state;
    for (size_t f = 0; f < 2; f++)
        for (unsigned bits = 0; bits < infinity_of(&formats[f]); bits++) {
            const float value = formats[f].to_f32((uint16_t)bits),
                        negative = formats[f].to_f32((uint16_t)(bits | 0x8000));
            assert_true((double)value == value_of(&formats[f], bits) && !signbit(value));
            assert_true(negative == -value && signbit(negative));
        }
}

static void every_number_comes_back(void **state) {
    (void)state;
    for (size_t f = 0; f < 2; f++)
        for (unsigned bits = 0; bits < 0x10000; bits++) {
            const float value = formats[f].to_f32((uint16_t)bits);
            const bool is_nan = (bits & 0x7fff) > infinity_of(&formats[f]);
            assert_int_equal(isnan(value) != 0, is_nan);
            if (is_nan) {
                assert_true((formats[f].from_f32(value) & 0x7fff) > infinity_of(&formats[f]));
                assert_true((formats[f].from_f64((double)value) & 0x7fff) > infinity_of(&formats[f]));
            } else {
                assert_int_equal(formats[f].from_f32(value), bits);
                assert_int_equal(formats[f].from_f64((double)value), bits);
            }
        }
}

/* A double next to a middle would be rounded twice by way of f32, and to the wrong side. */
static void what_lies_between_goes_to_the_nearest_and_to_even(void **state) {
    (void)state;
    for (size_t f = 0; f < 2; f++)
        for (unsigned low = 0; low < infinity_of(&formats[f]); low++) {
            const unsigned high = low + 1, even = low & 1 ? high : low;
            const double middle = (value_of(&formats[f], low) + value_of(&formats[f], high)) / 2;
            const float middle_f32 = (float)middle;
            assert_true((double)middle_f32 == middle);
            assert_int_equal(formats[f].from_f64(middle), even);
            assert_int_equal(formats[f].from_f64(nextafter(middle, 0)), low);
            assert_int_equal(formats[f].from_f64(nextafter(middle, INFINITY)), high);
            assert_int_equal(formats[f].from_f64(-nextafter(middle, INFINITY)), high | 0x8000);
            assert_int_equal(formats[f].from_f32(middle_f32), even);
            assert_int_equal(formats[f].from_f32(nextafterf(middle_f32, 0)), low);
            assert_int_equal(formats[f].from_f32(nextafterf(middle_f32, INFINITY)), high);
            assert_int_equal(formats[f].from_f32(-nextafterf(middle_f32, 0)), low | 0x8000);
        }
}

static void what_is_too_large_is_infinite_and_what_is_too_small_is_zero(void **state) {
    (void)state;
    for (size_t f = 0; f < 2; f++) {
        const unsigned infinity = infinity_of(&formats[f]);
        assert_int_equal(formats[f].from_f64(1e300), infinity);
        assert_int_equal(formats[f].from_f64(-INFINITY), infinity | 0x8000);
        assert_int_equal(formats[f].from_f32(-INFINITY), infinity | 0x8000);
        assert_int_equal(formats[f].from_f64(1e-300), 0);
        assert_int_equal(formats[f].from_f64(-1e-300), 0x8000);
        assert_int_equal(formats[f].from_f32(-0.0f), 0x8000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_what_its_bits_say),
        cmocka_unit_test(every_number_comes_back),
        cmocka_unit_test(what_lies_between_goes_to_the_nearest_and_to_even),
        cmocka_unit_test(what_is_too_large_is_infinite_and_what_is_too_small_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
