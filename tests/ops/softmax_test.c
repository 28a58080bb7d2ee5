/* SPDX-License-Identifier: Apache-2.0 */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ln of 1, 2, 3, 6: their softmax is the numbers over their sum */
#define LN1 0.0f
#define LN2 0.69314718f
#define LN3 1.09861229f
#define LN6 1.79175947f

static void softmax_normalises_one_axis_since_opset_13(void **state) {
    (void)state;
    OpTest last = {
        .op = "Softmax", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2, 2), LN1, LN3, LN2, LN6)}};
    Tensor y_last = tensor_f32(DIMS(2, 2), 0.25f, 0.75f, 0.25f, 0.75f);
    op_test_expect(&last, &y_last);
    OpTest first = {.op = "Softmax",
                    .opset = 13,
                    .attrs = {attr_int("axis", -2)},
                    .n_inputs = 1,
                    .inputs = {tensor_f32(DIMS(2, 2), LN1, LN3, LN2, LN6)}};
    Tensor y_first = tensor_f32(DIMS(2, 2), 1 / 3.0f, 1 / 3.0f, 2 / 3.0f, 2 / 3.0f);
    op_test_expect(&first, &y_first);
}

static void softmax_flattens_from_the_axis_on_before_opset_13(void **state) {
    (void)state;
    for (int opset = 1; opset <= 11; opset += 10) {
        OpTest test = {.op = "Softmax",
                       .opset = opset,
                       .n_inputs = 1,
                       .inputs = {tensor_f32(DIMS(1, 2, 2), LN1, LN3, LN2, LN6)}};
        Tensor y = tensor_f32(DIMS(1, 2, 2), 1 / 12.0f, 3 / 12.0f, 2 / 12.0f, 6 / 12.0f);
        op_test_expect(&test, &y);
    }
}

static void softmax_neither_overflows_nor_hides_an_empty_mask(void **state) {
    (void)state;
    OpTest large = {.op = "Softmax",
                    .opset = 13,
                    .n_inputs = 1,
                    .inputs = {tensor_f32(DIMS(3), 3e38f, 3e38f, -INFINITY)}};
    Tensor y_large = tensor_f32(DIMS(3), 0.5f, 0.5f, 0);
    op_test_expect(&large, &y_large);
    OpTest masked = {
        .op = "Softmax", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2), -INFINITY, -INFINITY)}};
    Tensor y_masked = tensor_f32(DIMS(2), NAN, NAN);
    op_test_expect(&masked, &y_masked);
}

static void log_softmax_keeps_small_probabilities(void **state) {
    (void)state;
    OpTest test = {.op = "LogSoftmax", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2), 0, -1000)}};
    Tensor y = tensor_f32(DIMS(2), 0, -1000);
    op_test_expect(&test, &y);
}

static void hardmax_marks_the_first_maximum(void **state) {
    (void)state;
    OpTest one = {
        .op = "Hardmax", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2, 3), 1, 2, 2, 5, 5, -1)}};
    Tensor y_one = tensor_f32(DIMS(2, 3), 0, 1, 0, 1, 0, 0);
    op_test_expect(&one, &y_one);
    OpTest all = {.op = "Hardmax",
                  .opset = 11,
                  .attrs = {attr_int("axis", 0)},
                  .n_inputs = 1,
                  .inputs = {tensor_f32(DIMS(2, 3), 1, 2, 2, 5, 5, -1)}};
    Tensor y_all = tensor_f32(DIMS(2, 3), 0, 0, 0, 1, 0, 0);
    op_test_expect(&all, &y_all);
}

static void softmax_of_nothing_is_nothing(void **state) {
    (void)state;
    OpTest test = {.op = "Softmax",
                   .opset = 13,
                   .n_inputs = 1,
                   .inputs = {op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0)}};
    Tensor y = op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0);
    op_test_expect(&test, &y);
}

static void softmax_refuses_an_axis_outside_the_rank(void **state) {
    (void)state;
    OpTest test = {.op = "Softmax",
                   .opset = 13,
                   .attrs = {attr_int("axis", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(2), 1, 2)}};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "axis 1 is outside [-1, 1)");
    OpTest integers = {.op = "Softmax", .opset = 13, .n_inputs = 1, .inputs = {tensor_i64(DIMS(2), 1, 2)}};
    op_test_expect_error(&integers, STRIDER_UNSUPPORTED, "int64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_normalises_one_axis_since_opset_13),
        cmocka_unit_test(softmax_flattens_from_the_axis_on_before_opset_13),
        cmocka_unit_test(softmax_neither_overflows_nor_hides_an_empty_mask),
        cmocka_unit_test(log_softmax_keeps_small_probabilities),
        cmocka_unit_test(hardmax_marks_the_first_maximum),
        cmocka_unit_test(softmax_of_nothing_is_nothing),
        cmocka_unit_test(softmax_refuses_an_axis_outside_the_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
