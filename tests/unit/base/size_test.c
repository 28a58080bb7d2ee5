/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/size.h"
#include "base/wrap.h"

#include <cmocka.h>

static void sums_and_products_saturate(void **state) {
    (void)state;
    assert_int_equal(i64_sum(40, 2), 42);
    assert_true(i64_sum(INT64_MAX, 1) == INT64_MAX);
    assert_true(i64_sum(INT64_MIN, -1) == INT64_MIN);
    assert_int_equal(i64_product(-6, 7), -42);
    assert_true(i64_product(INT64_MAX, 2) == INT64_MAX);
    assert_true(i64_product(INT64_MAX, -2) == INT64_MIN);
    assert_true(i64_product(INT64_MIN, -1) == INT64_MAX);
    assert_int_equal(count_of(3, 5, 7), 105);
    assert_true(count_of((int64_t)1 << 40, (int64_t)1 << 40) == INT64_MAX);
}

static void a_product_with_zero_is_zero_whatever_overflows_before_it(void **state) {
    (void)state;
    assert_int_equal(count_of((int64_t)1 << 40, (int64_t)1 << 40, 0), 0);
    assert_int_equal(bytes_of(4, (int64_t)1 << 40, 0, (int64_t)1 << 40).n, 0);
}

static void bytes_that_do_not_fit_are_more_than_any_limit(void **state) {
    (void)state;
    assert_int_equal(bytes_of(sizeof(float), 3, 5).n, 60);
    assert_true(bytes_of(sizeof(float), (int64_t)1 << 62).n == SIZE_MAX);
    assert_true(bytes_of(1, INT64_MAX).n == SIZE_MAX);
    assert_true(bytes_of(1, -1).n == SIZE_MAX);
    assert_true(bytes_sum(bytes_of(1, 2), bytes_of(1, -1)).n == SIZE_MAX);
    assert_true(bytes_sum(bytes_of(1, 2), bytes_of(2, 3)).n == 8);
    assert_true(bytes_larger(bytes_of(1, 2), bytes_of(1, 3)).n == 3);
}

static void checked_arithmetic_leaves_the_result_alone_where_it_fails(void **state) {
    (void)state;
    size_t size = 7;
    int64_t count = 7;
    assert_false(size_mul(SIZE_MAX, 2, &size));
    assert_false(size_add(SIZE_MAX, 1, &size));
    assert_false(size_align(SIZE_MAX, 64, &size));
    assert_false(i64_mul(INT64_MAX, 2, &count));
    assert_false(i64_add(INT64_MIN, -1, &count));
    assert_int_equal(size, 7);
    assert_int_equal(count, 7);
    assert_true(size_align(65, 64, &size));
    assert_int_equal(size, 128);
}

static void doubles_become_integers_or_the_nearest_there_are(void **state) {
    (void)state;
    assert_true(i64_from_double(-1.9) == -1);
    assert_true(i64_from_double(NAN) == 0);
    assert_true(i64_from_double(INFINITY) == INT64_MAX && i64_from_double(-INFINITY) == INT64_MIN);
    assert_true(i64_from_double(0x1p63) == INT64_MAX && i64_from_double(-0x1p63) == INT64_MIN);
    assert_true(i64_from_double(0x1p62) == (int64_t)1 << 62);
    assert_true(u64_from_double(NAN) == 0 && u64_from_double(-5) == 0);
    assert_true(u64_from_double(0x1p63) == (uint64_t)1 << 63 && u64_from_double(0x1p64) == UINT64_MAX);
}

static void wrapping_keeps_the_low_bits(void **state) {
    (void)state;
    assert_true(wrap_add(UINT64_MAX, 2) == 1 && wrap_sub(1, 2) == UINT64_MAX);
    assert_true(wrap_mul(UINT64_MAX, UINT64_MAX) == 1);
    assert_true(wrap_magnitude(INT64_MIN) == (uint64_t)1 << 63 && wrap_magnitude(-3) == 3 &&
                wrap_magnitude(3) == 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_products_saturate),
        cmocka_unit_test(a_product_with_zero_is_zero_whatever_overflows_before_it),
        cmocka_unit_test(bytes_that_do_not_fit_are_more_than_any_limit),
        cmocka_unit_test(checked_arithmetic_leaves_the_result_alone_where_it_fails),
        cmocka_unit_test(doubles_become_integers_or_the_nearest_there_are),
        cmocka_unit_test(wrapping_keeps_the_low_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
