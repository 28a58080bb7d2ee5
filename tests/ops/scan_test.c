/* SPDX-License-Identifier: Apache-2.0 */
/* CumSum, CumProd and TopK: operators that walk along one axis. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sums_run_either_way_with_or_without_the_element(void **state) {
    (void)state;
    static const struct {
        int exclusive, reverse;
        double sum[3], product[3]; /* of 2, 3, 4 */
    } rows[] = {{0, 0, {2, 5, 9}, {2, 6, 24}},
                {1, 0, {0, 2, 5}, {1, 2, 6}},
                {0, 1, {9, 7, 4}, {24, 12, 4}},
                {1, 1, {7, 4, 0}, {12, 4, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++)
            for (int product = 0; product < 2; product++) {
                uint64_t expected[3];
                OpTest test = {
                    .op = product ? "CumProd" : "CumSum",
                    .opset = 26,
                    .attrs = {attr_int("exclusive", rows[i].exclusive), attr_int("reverse", rows[i].reverse)},
                    .n_inputs = 2,
                    .inputs = {tensor_typed(dtype, DIMS(3), 2, 3, 4), tensor_i64(shape_scalar(), 0)}};
                Tensor y =
                    op_test_convert(dtype, DIMS(3), expected, product ? rows[i].product : rows[i].sum, 3);
                op_test_expect(&test, &y);
            }
}

static void sums_run_along_the_axis_that_an_input_names(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest first = {
            .op = "CumSum",
            .opset = 11,
            .n_inputs = 2,
            .hide_inputs = hide,
            .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_typed(STRIDER_I32, DIMS(1), -2)}};
        Tensor y_first = tensor_f32(DIMS(2, 2), 1, 2, 4, 6);
        op_test_expect(&first, &y_first);
        OpTest last = {.op = "CumSum",
                       .opset = 14,
                       .attrs = {attr_int("reverse", 1)},
                       .n_inputs = 2,
                       .hide_inputs = hide,
                       .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_i64(shape_scalar(), 1)}};
        Tensor y_last = tensor_f32(DIMS(2, 2), 3, 2, 7, 4);
        op_test_expect(&last, &y_last);
    }
    OpTest empty = {
        .op = "CumSum",
        .opset = 14,
        .attrs = {attr_int("reverse", 1)},
        .n_inputs = 2,
        .inputs = {op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0), tensor_i64(shape_scalar(), 1)}};
    Tensor y_empty = op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0);
    op_test_expect(&empty, &y_empty);
}

static void sums_of_integers_wrap_around(void **state) {
    (void)state;
    OpTest test = {.op = "CumSum",
                   .opset = 14,
                   .n_inputs = 2,
                   .inputs = {tensor_i64(DIMS(3), INT64_MAX, 1, 1), tensor_i64(shape_scalar(), 0)}};
    Tensor y = tensor_i64(DIMS(3), INT64_MAX, INT64_MIN, INT64_MIN + 1);
    op_test_expect(&test, &y);
}

static void sums_refuse_what_is_no_axis(void **state) {
    (void)state;
    const int64_t wrong[] = {1, -2, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {.op = "CumSum",
                           .opset = 14,
                           .n_inputs = 2,
                           .hide_inputs = hide,
                           .inputs = {tensor_f32(DIMS(2), 1, 2), tensor_i64(shape_scalar(), wrong[i])}};
            op_test_expect_error(&test, STRIDER_BAD_MODEL, hide ? "not an axis" : "outside [-1, 1)");
        }
    for (int hide = 0; hide < 2; hide++) {
        OpTest empty = {.op = "CumSum",
                        .opset = 14,
                        .n_inputs = 2,
                        .hide_inputs = hide,
                        .inputs = {tensor_f32(DIMS(2), 1, 2), op_test_tensor(STRIDER_I64, DIMS(0), "", 0)}};
        op_test_expect_error(&empty, STRIDER_BAD_MODEL, "ax");
        OpTest two = {.op = "CumSum",
                      .opset = 14,
                      .n_inputs = 2,
                      .hide_inputs = hide,
                      .inputs = {tensor_f32(DIMS(2), 1, 2), tensor_i64(DIMS(2), 0, 0)}};
        op_test_expect_error(&two, STRIDER_BAD_MODEL, "more than 1");
    }
    OpTest bools = {.op = "CumSum",
                    .opset = 14,
                    .n_inputs = 2,
                    .inputs = {tensor_typed(STRIDER_BOOL, DIMS(1), 1), tensor_i64(shape_scalar(), 0)}};
    op_test_expect_error(&bools, STRIDER_UNSUPPORTED, "bool");
}

/* Lines of any length, that do not lie in one piece. */
static void sums_of_long_lines_follow_each_other(void **state) {
    (void)state;
    enum { LONGEST = 300 };
    static float x[2 * LONGEST * 2], y[2 * LONGEST * 2];
    static const int lengths[] = {1, 100, 128, 129, LONGEST};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int way = 0; way < 4; way++) {
            const int n = lengths[l], exclusive = way % 2, reverse = way / 2;
            const size_t bytes = (size_t)(4 * n) * sizeof *x;
            fill_random(x, (size_t)(4 * n), 7);
            for (int line = 0; line < 4; line++) {
                double sum = 0;
                for (int k = 0; k < n; k++) {
                    const int at = (line / 2 * n + (reverse ? n - 1 - k : k)) * 2 + line % 2;
                    y[at] = (float)(sum + (exclusive ? 0 : (double)x[at]));
                    sum += (double)x[at];
                }
            }
            OpTest test = {.op = "CumSum",
                           .opset = 14,
                           .attrs = {attr_int("exclusive", exclusive), attr_int("reverse", reverse)},
                           .n_inputs = 2,
                           .inputs = {op_test_tensor(STRIDER_F32, DIMS(2, n, 2), x, bytes),
                                      tensor_i64(shape_scalar(), -2)}};
            Tensor expected = op_test_tensor(STRIDER_F32, DIMS(2, n, 2), y, bytes);
            op_test_expect(&test, &expected);
        }
}

/* --- TopK --- */

static void expect_top(OpTest *test, Tensor values, Tensor indices) {
    test->n_outputs = 2;
    if (op_test_run(test))
        fail_msg("%s", test->error.message);
    assert_tensor_close(&test->outputs[0], &values, 0, 0);
    assert_tensor_close(&test->outputs[1], &indices, 0, 0);
    op_test_free(test);
}

static void top_k_sorts_and_takes_the_first_of_equals(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++)
        for (int sorted = 0; sorted < 2; sorted++) {
            OpTest largest = {
                .op = "TopK",
                .opset = 24,
                .attrs = {attr_int("sorted", sorted)},
                .n_inputs = 2,
                .inputs = {tensor_typed(dtype, DIMS(2, 4), 1, 9, 5, 9, 7, 7, 7, 7), tensor_i64(DIMS(1), 3)}};
            expect_top(&largest, tensor_typed(dtype, DIMS(2, 3), 9, 9, 5, 7, 7, 7),
                       tensor_i64(DIMS(2, 3), 1, 3, 2, 0, 1, 2));
            OpTest smallest = {
                .op = "TopK",
                .opset = 24,
                .attrs = {attr_int("largest", 0), attr_int("axis", 0), attr_int("sorted", sorted)},
                .n_inputs = 2,
                .inputs = {tensor_typed(dtype, DIMS(3, 2), 3, 2, 1, 2, 2, 0), tensor_i64(DIMS(1), 2)}};
            expect_top(&smallest, tensor_typed(dtype, DIMS(2, 2), 1, 0, 2, 2),
                       tensor_i64(DIMS(2, 2), 1, 2, 2, 0));
        }
}

static void top_k_is_an_attribute_before_opset_10(void **state) {
    (void)state;
    OpTest test = {.op = "TopK",
                   .opset = 1,
                   .attrs = {attr_int("k", 2)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(3), 1, 3, 2)}};
    expect_top(&test, tensor_f32(DIMS(2), 3, 2), tensor_i64(DIMS(2), 1, 2));
    OpTest missing = {.op = "TopK", .opset = 1, .n_inputs = 1, .inputs = {tensor_f32(DIMS(3), 1, 3, 2)}};
    op_test_expect_error(&missing, STRIDER_BAD_MODEL, "required attribute k");
}

static void top_k_ranks_negative_numbers_nan_and_both_zeros(void **state) {
    (void)state;
    OpTest largest = {
        .op = "TopK",
        .opset = 11,
        .n_inputs = 2,
        .inputs = {tensor_f32(DIMS(6), -1, -0.0f, 0, NAN, -INFINITY, -2), tensor_i64(DIMS(1), 6)}};
    expect_top(&largest, tensor_f32(DIMS(6), NAN, -0.0f, 0, -1, -2, -INFINITY),
               tensor_i64(DIMS(6), 3, 1, 2, 0, 5, 4));
    OpTest smallest = {.op = "TopK",
                       .opset = 11,
                       .attrs = {attr_int("largest", 0)},
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(3), NAN, -1, -2), tensor_i64(DIMS(1), 3)}};
    expect_top(&smallest, tensor_f32(DIMS(3), -2, -1, NAN), tensor_i64(DIMS(3), 2, 1, 0));
    const int64_t big = (int64_t)1 << 53;
    OpTest exact = {.op = "TopK",
                    .opset = 11,
                    .n_inputs = 2,
                    .inputs = {tensor_i64(DIMS(4), big, big + 1, -big - 1, -big), tensor_i64(DIMS(1), 4)}};
    expect_top(&exact, tensor_i64(DIMS(4), big + 1, big, -big, -big - 1), tensor_i64(DIMS(4), 1, 0, 3, 2));
}

static void top_k_may_learn_k_in_the_run_and_take_none(void **state) {
    (void)state;
    OpTest late = {.op = "TopK",
                   .opset = 11,
                   .n_inputs = 2,
                   .hide_inputs = true,
                   .inputs = {tensor_f32(DIMS(3), 1, 3, 2), tensor_i64(DIMS(1), 2)}};
    expect_top(&late, tensor_f32(DIMS(2), 3, 2), tensor_i64(DIMS(2), 1, 2));
    OpTest none = {.op = "TopK",
                   .opset = 11,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(3), 1, 3, 2), tensor_i64(DIMS(1), 0)}};
    expect_top(&none, op_test_tensor(STRIDER_F32, DIMS(0), "", 0),
               op_test_tensor(STRIDER_I64, DIMS(0), "", 0));
}

static void top_k_refuses_a_k_that_is_not_there(void **state) {
    (void)state;
    const int64_t wrong[] = {4, -1, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 4; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {.op = "TopK",
                           .opset = 11,
                           .n_inputs = 2,
                           .n_outputs = 2,
                           .hide_inputs = hide,
                           .inputs = {tensor_f32(DIMS(3), 1, 3, 2), tensor_i64(DIMS(1), wrong[i])}};
            op_test_expect_error(&test, STRIDER_BAD_MODEL, "K is");
        }
    OpTest axis = {.op = "TopK",
                   .opset = 11,
                   .attrs = {attr_int("axis", 1)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(3), 1, 3, 2), tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&axis, STRIDER_BAD_MODEL, "axis 1 is outside");
}

static void top_k_of_unknown_dimensions_knows_k(void **state) {
    (void)state;
    OpTest test = {.op = "TopK",
                   .opset = 11,
                   .n_inputs = 2,
                   .n_outputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, DIM_UNKNOWN)}}, tensor_i64(DIMS(1), 5)}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[1].shape, DIMS(-7, 5));
    assert_int_equal(test.output_types[1].dtype, STRIDER_I64);
    op_test_free(&test);
    test.hide_inputs = true;
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(-7, DIM_UNKNOWN));
    op_test_free(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_run_either_way_with_or_without_the_element),
        cmocka_unit_test(sums_run_along_the_axis_that_an_input_names),
        cmocka_unit_test(sums_of_integers_wrap_around),
        cmocka_unit_test(sums_of_long_lines_follow_each_other),
        cmocka_unit_test(sums_refuse_what_is_no_axis),
        cmocka_unit_test(top_k_sorts_and_takes_the_first_of_equals),
        cmocka_unit_test(top_k_is_an_attribute_before_opset_10),
        cmocka_unit_test(top_k_ranks_negative_numbers_nan_and_both_zeros),
        cmocka_unit_test(top_k_may_learn_k_in_the_run_and_take_none),
        cmocka_unit_test(top_k_refuses_a_k_that_is_not_there),
        cmocka_unit_test(top_k_of_unknown_dimensions_knows_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
