/* SPDX-License-Identifier: Apache-2.0 */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Two channels; with epsilon 0: (x - 1) / 2 * 3 + 4 and (x - 2) / 1 * 1 - 1. */
#define BATCH_NORM_INPUTS                                                                                    \
    {                                                                                                        \
        tensor_f32(DIMS(1, 2, 2), 1, 3, 2, 5), tensor_f32(DIMS(2), 3, 1), tensor_f32(DIMS(2), 4, -1),        \
            tensor_f32(DIMS(2), 1, 2), tensor_f32(DIMS(2), 4, 1)                                             \
    }

static void batch_norm_infers_by_channel_at_every_opset(void **state) {
    (void)state;
    const int opsets[] = {1, 6, 7, 9, 14, 15};
    for (size_t i = 0; i < sizeof opsets / sizeof *opsets; i++) {
        OpTest test = {.op = "BatchNormalization",
                       .opset = opsets[i],
                       .attrs = {attr_float("epsilon", 0)},
                       .n_inputs = 5,
                       .inputs = BATCH_NORM_INPUTS};
        Tensor y = tensor_f32(DIMS(1, 2, 2), 4, 7, -1, 2);
        op_test_expect(&test, &y);
    }
}

static void batch_norm_without_spatial_has_parameters_for_each_activation(void **state) {
    (void)state;
    OpTest test = {.op = "BatchNormalization",
                   .opset = 7,
                   .attrs = {attr_float("epsilon", 0), attr_int("spatial", 0)},
                   .n_inputs = 5,
                   .inputs = {tensor_f32(DIMS(2, 1, 2), 1, 3, 2, 5), tensor_f32(DIMS(1, 2), 1, 2),
                              tensor_f32(DIMS(1, 2), 0, 1), tensor_f32(DIMS(1, 2), 1, 3),
                              tensor_f32(DIMS(1, 2), 1, 4)}};
    Tensor y = tensor_f32(DIMS(2, 1, 2), 0, 1, 1, 3);
    op_test_expect(&test, &y);
}

static void batch_norm_in_training_mode_uses_the_batch(void **state) {
    (void)state;
    OpTest test = {
        .op = "BatchNormalization",
        .opset = 14,
        .attrs = {attr_float("epsilon", 0), attr_int("training_mode", 1), attr_float("momentum", 0.5f)},
        .n_inputs = 5,
        .n_outputs = 3,
        .inputs = BATCH_NORM_INPUTS};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    Tensor y = tensor_f32(DIMS(1, 2, 2), 1, 7, -2, 0), mean = tensor_f32(DIMS(2), 1.5f, 2.75f);
    Tensor var = tensor_f32(DIMS(2), 2.5f, 1.625f);
    assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[1], &mean, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[2], &var, 1e-6, 1e-6);
    op_test_free(&test);
}

static void batch_norm_takes_parameters_of_another_float_type(void **state) {
    (void)state;
    uint16_t one_two[] = {0x3c00, 0x4000};
    Tensor half = op_test_tensor(STRIDER_F16, DIMS(2), one_two, 4);
    OpTest test = {.op = "BatchNormalization",
                   .opset = 15,
                   .attrs = {attr_float("epsilon", 0)},
                   .n_inputs = 5,
                   .inputs = {tensor_f32(DIMS(1, 2), 3, 4), half, half, half,
                              op_test_tensor(STRIDER_F64, DIMS(2), (double[]){4, 1}, 16)}};
    Tensor y = tensor_f32(DIMS(1, 2), 2, 6);
    op_test_expect(&test, &y);
}

static void batch_norm_refuses_what_does_not_fit(void **state) {
    (void)state;
    OpTest length = {.op = "BatchNormalization", .opset = 9, .n_inputs = 5, .inputs = BATCH_NORM_INPUTS};
    length.inputs[3] = tensor_f32(DIMS(3), 1, 2, 3);
    op_test_expect_error(&length, STRIDER_BAD_MODEL, "input 3 has 3 values for 2 channels");
    OpTest outputs = {
        .op = "BatchNormalization", .opset = 14, .n_inputs = 5, .n_outputs = 4, .inputs = BATCH_NORM_INPUTS};
    op_test_expect_error(&outputs, STRIDER_BAD_MODEL, "has 4 outputs, makes 1 to 3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_infers_by_channel_at_every_opset),
        cmocka_unit_test(batch_norm_without_spatial_has_parameters_for_each_activation),
        cmocka_unit_test(batch_norm_in_training_mode_uses_the_batch),
        cmocka_unit_test(batch_norm_takes_parameters_of_another_float_type),
        cmocka_unit_test(batch_norm_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
