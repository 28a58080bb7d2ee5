/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of 8 bits and fewer: every pattern, every rounding, and how files pack them. */
#include "tensor/narrow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/op_test.h"

/* As the formats' papers give them. */
typedef struct Known {
    DType dtype;
    int patterns; /* finite ones >= 0, in ascending order from pattern 0 */
    int mantissa_bits;
    double least, largest;
    bool negative_zero;
    int infinity, nan; /* patterns; -1: there is none */
} Known;

static const Known formats[] = {
    {STRIDER_F8E4M3FN, 127, 3, 0x1p-9, 448, true, -1, 0x7f},
    {STRIDER_F8E4M3FNUZ, 128, 3, 0x1p-10, 240, false, -1, 0x80},
    {STRIDER_F8E5M2, 124, 2, 0x1p-16, 57344, true, 0x7c, 0x7e},
    {STRIDER_F8E5M2FNUZ, 128, 2, 0x1p-17, 57344, false, -1, 0x80},
    {STRIDER_F6E2M3, 32, 3, 0.125, 7.5, true, -1, -1},
    {STRIDER_F6E3M2, 32, 2, 0.0625, 28, true, -1, -1},
    {STRIDER_F4E2M1, 8, 1, 0.5, 6, true, -1, -1},
};

#define FOR_EACH_FORMAT(F) for (const Known *F = formats; F < formats + sizeof formats / sizeof *formats; F++)

static unsigned sign_of(const Known *f) {
    return 1u << (dtype_bits(f->dtype) - 1);
}

/* Numbers lie a step apart, which is that of the subnormal ones up to twice the least normal one, and doubles
 * with each power of two. */
static void every_pattern_is_a_step_from_the_last(void **state) {
    (void)state;
    FOR_EACH_FORMAT(f) {
        double value = 0, step = f->least;
        for (int i = 0; i < f->patterns; i++) {
            assert_true(narrow_to_f64(f->dtype, (uint8_t)i) == value);
            const double minus = narrow_to_f64(f->dtype, (uint8_t)((unsigned)i | sign_of(f)));
            if (i || f->negative_zero)
                assert_true(minus == -value && signbit(minus));
            if (i >= 2 << f->mantissa_bits && i % (1 << f->mantissa_bits) == 0)
                step *= 2;
            value += step;
        }
        assert_true(narrow_to_f64(f->dtype, (uint8_t)(f->patterns - 1)) == f->largest);
    }
}

static void what_is_no_number_is_told(void **state) {
    (void)state;
    FOR_EACH_FORMAT(f) {
        int finite = 0;
        for (unsigned i = 0; i < 2 * sign_of(f); i++)
            finite += isfinite(narrow_to_f64(f->dtype, (uint8_t)i)) != 0;
        assert_int_equal(finite, 2 * f->patterns - !f->negative_zero);
        if (f->nan >= 0)
            assert_true(isnan(narrow_to_f64(f->dtype, (uint8_t)f->nan)));
        if (f->infinity >= 0)
            assert_true(narrow_to_f64(f->dtype, (uint8_t)f->infinity) == (double)INFINITY);
    }
}

static void expect_pattern(const Known *f, double value, bool saturate, unsigned pattern) {
    const unsigned got = narrow_from_f64(f->dtype, value, saturate);
    if (got != pattern)
        fail_msg("%s: %.17g became 0x%x, not 0x%x", dtype_name(f->dtype), value, got, pattern);
}

/* Of two neighbours the nearer one; halfway, the one whose last bit is 0. */
static void numbers_between_go_to_the_nearest(void **state) {
    (void)state;
    FOR_EACH_FORMAT(f)
    for (unsigned i = 0; i + 1 < (unsigned)f->patterns; i++) {
        const double low = narrow_to_f64(f->dtype, (uint8_t)i),
                     high = narrow_to_f64(f->dtype, (uint8_t)(i + 1)), middle = (low + high) / 2;
        expect_pattern(f, low, false, i);
        expect_pattern(f, middle, false, i % 2 ? i + 1 : i);
        expect_pattern(f, nextafter(middle, 0), false, i);
        expect_pattern(f, nextafter(middle, 1e9), false, i + 1);
        if (i)
            expect_pattern(f, -middle, false, (i % 2 ? i + 1 : i) | sign_of(f));
    }
    expect_pattern(&formats[0], -0x1p-11, true, 0x80); /* which rounds to -0 */
    expect_pattern(&formats[1], -0x1p-12, true, 0);    /* where there is none */
}

static void what_is_too_large_saturates_or_not(void **state) {
    (void)state;
    FOR_EACH_FORMAT(f) {
        const unsigned largest = (unsigned)f->patterns - 1, sign = sign_of(f);
        const double below = narrow_to_f64(f->dtype, (uint8_t)(largest - 1)), step = f->largest - below,
                     tie = f->largest + step / 2;
        const double large[] = {nextafter(tie, 1e9), 1e9, (double)INFINITY};
        expect_pattern(f, f->largest, false, largest);
        expect_pattern(f, nextafter(tie, 0), false, largest);
        for (int i = 0; i < 3; i++) {
            expect_pattern(f, large[i], true, largest);
            expect_pattern(f, -large[i], true, largest | sign);
            const int beyond = f->infinity >= 0 ? f->infinity : f->nan;
            expect_pattern(f, large[i], false, beyond >= 0 ? (unsigned)beyond : largest);
        }
        for (int saturate = 0; saturate < 2; saturate++)
            expect_pattern(f, (double)NAN, saturate, f->nan >= 0 ? (unsigned)f->nan : 0);
    }
}

static void powers_of_two_are_rounded_as_asked(void **state) {
    (void)state;
    static const struct {
        double value;
        int up, down, nearest; /* exponents */
    } cases[] = {
        {1, 0, 0, 0},
        {1.1, 1, 0, 0},
        {1.5, 1, 0, 1},
        {1.4999, 1, 0, 0},
        {1.9, 1, 0, 1},
        {-3, 2, 1, 2},
        {0.124, -3, -4, -3},
        {0x1p-127, -127, -127, -127},
        {0x1p127, 127, 127, 127},
        {0x1.8p-127, -126, -127, -126},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int saturate = 0; saturate < 2; saturate++) {
            assert_int_equal(e8m0_from_f64(cases[i].value, POWER_UP, saturate), cases[i].up + 127);
            assert_int_equal(e8m0_from_f64(cases[i].value, POWER_DOWN, saturate), cases[i].down + 127);
            assert_int_equal(e8m0_from_f64(cases[i].value, POWER_NEAREST, saturate), cases[i].nearest + 127);
        }
    for (int i = 0; i < 255; i++) {
        assert_true(narrow_to_f64(STRIDER_F8E8M0, (uint8_t)i) == exp2(i - 127));
        assert_int_equal(narrow_from_f64(STRIDER_F8E8M0, exp2(i - 127), false), i);
    }
    assert_true(isnan(narrow_to_f64(STRIDER_F8E8M0, 255)));
    static const double outside[] = {0, 0x1p-130, 0x1p128, INFINITY};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(e8m0_from_f64(outside[i], POWER_DOWN, true), i < 2 ? 0 : 254);
        assert_int_equal(e8m0_from_f64(outside[i], POWER_DOWN, false), 255);
    }
    assert_int_equal(e8m0_from_f64((double)NAN, POWER_UP, true), 255);
}

/* --- less than a byte --- */

static void only_the_low_bits_of_a_byte_count(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        uint8_t byte;
        double value;
    } cases[] = {
        {STRIDER_I4, 0x37, 7},       {STRIDER_I4, 0x08, -8},      {STRIDER_I4, 0xf8, -8},
        {STRIDER_U4, 0xff, 15},      {STRIDER_I2, 0x02, -2},      {STRIDER_I2, 0x05, 1},
        {STRIDER_U2, 0xfe, 2},       {STRIDER_F4E2M1, 0xf3, 1.5}, {STRIDER_F6E3M2, 0xe0, -0.0},
        {STRIDER_F6E2M3, 0x5f, 7.5},
    };
    const Shape scalar = shape_scalar();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t byte = cases[i].byte;
        Tensor tensor = tensor_view(cases[i].dtype, &scalar, &byte);
        assert_true(tensor_get_f64(&tensor, 0) == cases[i].value);
        tensor_set_f64(&tensor, 0, cases[i].value);
        assert_int_equal(byte, narrow_element(cases[i].dtype, cases[i].byte));
        assert_true(tensor_get_f64(&tensor, 0) == cases[i].value);
    }
}

static void small_integers_saturate(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        double low, high;
    } types[] = {{STRIDER_I4, -8, 7}, {STRIDER_U4, 0, 15}, {STRIDER_I2, -2, 1}, {STRIDER_U2, 0, 3}};
    const Shape scalar = shape_scalar();
    for (int i = 0; i < 4; i++)
        for (double value = -20; value <= 20; value++) {
            uint8_t byte = 0x55;
            Tensor tensor = tensor_view(types[i].dtype, &scalar, &byte);
            tensor_set_f64(&tensor, 0, value);
            assert_true(tensor_get_f64(&tensor, 0) == fmin(fmax(value, types[i].low), types[i].high));
        }
}

static void packed_elements_come_apart(void **state) {
    (void)state;
    static const uint8_t packed[] = {0x21, 0xc7, 0x9e};
    static const struct {
        DType dtype;
        int count;
        uint8_t elements[12];
    } cases[] = {
        {STRIDER_U4, 5, {1, 2, 7, 12, 14}},
        {STRIDER_I4, 6, {1, 2, 7, 0xfc, 0xfe, 0xf9}},
        {STRIDER_U2, 9, {1, 0, 2, 0, 3, 1, 0, 3, 2}},
        {STRIDER_I2, 9, {1, 0, 0xfe, 0, 0xff, 1, 0, 0xff, 0xfe}},
        {STRIDER_F6E2M3, 4, {0x21, 0x1c, 0x2c, 0x27}}, /* 1001 1110 1100 0111 0010 0001, six bits each */
        {STRIDER_F6E3M2, 3, {0x21, 0x1c, 0x2c}},
    };
    uint8_t spread[12], got[13];
    memset(spread, 0x55, sizeof spread);
    for (int i = 0; i < 3; i++)
        spread[4 * i] = packed[i];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t stride = 1; stride <= 4; stride += 3) {
            memset(got, 0x55, sizeof got);
            unpack_elements(cases[i].dtype, stride == 1 ? packed : spread, stride, cases[i].count, got);
            assert_memory_equal(got, cases[i].elements, (size_t)cases[i].count);
            assert_int_equal(got[cases[i].count], 0x55);
        }
        assert_int_equal(packed_bytes(cases[i].dtype, cases[i].count).n, 3);
    }
    assert_int_equal(packed_bytes(STRIDER_F6E2M3, 5).n, 4);
    assert_int_equal(packed_bytes(STRIDER_U2, 0).n, 0);
    assert_int_equal(packed_bytes(STRIDER_F64, 9).n, 72);
    assert_int_equal(packed_bytes(STRIDER_F32, INT64_MAX).n, SIZE_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_is_a_step_from_the_last),
        cmocka_unit_test(what_is_no_number_is_told),
        cmocka_unit_test(numbers_between_go_to_the_nearest),
        cmocka_unit_test(what_is_too_large_saturates_or_not),
        cmocka_unit_test(powers_of_two_are_rounded_as_asked),
        cmocka_unit_test(only_the_low_bits_of_a_byte_count),
        cmocka_unit_test(small_integers_saturate),
        cmocka_unit_test(packed_elements_come_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
