/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/evaluate.h"
#include "ops/math/unary_kind.h"
#include "ops/nn/instance_norm.h"
#include "ops/nn/layer_norm.h"
#include "ops/op.h"
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

/* Models that were exported in training mode; the last two outputs are the batch's own. */
static void batch_norm_with_further_outputs_trains_before_opset_14(void **state) {
    (void)state;
    const int opsets[] = {1, 6, 7, 9};
    for (int i = 0; i < 4; i++)
        for (int is_test = 0; is_test < (opsets[i] < 7 ? 2 : 1); is_test++) {
            OpTest test = {.op = "BatchNormalization",
                           .opset = opsets[i],
                           .attrs = {attr_float("epsilon", 0), attr_float("momentum", 0.5f),
                                     attr_int("is_test", is_test)},
                           .n_inputs = 5,
                           .n_outputs = 5,
                           .inputs = BATCH_NORM_INPUTS};
            if (is_test) {
                op_test_expect_error(&test, STRIDER_UNSUPPORTED,
                                     "output 1, which only training makes, is read");
                continue;
            }
            assert_int_equal(op_test_run(&test), STRIDER_OK);
            Tensor y = tensor_f32(DIMS(1, 2, 2), 1, 7, -2, 0);
            Tensor statistics[] = {tensor_f32(DIMS(2), 1.5f, 2.75f), tensor_f32(DIMS(2), 2.5f, 1.625f),
                                   tensor_f32(DIMS(2), 2, 3.5f), tensor_f32(DIMS(2), 1, 2.25f)};
            assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
            for (int port = 1; port < 5; port++)
                assert_tensor_close(&test.outputs[port], &statistics[port - 1], 1e-6, 1e-6);
            op_test_free(&test);
        }
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

static void layer_norm_makes_statistics_too(void **state) {
    (void)state;
    OpTest test = {.op = "LayerNormalization",
                   .opset = 17,
                   .attrs = {attr_float("epsilon", 0), attr_int("axis", -2)},
                   .n_inputs = 3,
                   .n_outputs = 3,
                   .inputs = {tensor_f32(DIMS(2, 2, 2), 1, 1, 5, 5, 0, 6, 6, 0), tensor_f32(DIMS(2), 1, 10),
                              tensor_f32(DIMS(2, 1), 0, 100)}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    Tensor y = tensor_f32(DIMS(2, 2, 2), -1, -10, 101, 110, -1, 10, 101, 90);
    Tensor mean = tensor_f32(DIMS(2, 1, 1), 3, 3), inverse = tensor_f32(DIMS(2, 1, 1), 0.5f, 1 / 3.0f);
    assert_tensor_close(&test.outputs[0], &y, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[1], &mean, 1e-6, 1e-6);
    assert_tensor_close(&test.outputs[2], &inverse, 1e-6, 1e-6);
    op_test_free(&test);
}

static void layer_norm_statistics_have_the_stash_type(void **state) {
    (void)state;
    OpTest test = {.op = "LayerNormalization",
                   .opset = 17,
                   .n_inputs = 2,
                   .n_outputs = 2,
                   .inputs = {op_test_tensor(STRIDER_F16, DIMS(1, 2), (uint16_t[]){0x3c00, 0x3c00}, 4),
                              op_test_tensor(STRIDER_F16, DIMS(2), (uint16_t[]){0x3c00, 0x3c00}, 4)}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_int_equal(test.outputs[0].type.dtype, STRIDER_F16);
    Tensor mean = tensor_f32(DIMS(1, 1), 1);
    assert_tensor_close(&test.outputs[1], &mean, 0, 0);
    op_test_free(&test);
}

static void layer_norm_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(1, 2), 1, 2), scale = tensor_f32(DIMS(2), 1, 1);
    const struct {
        Attr attr;
        Tensor scale;
        const char *message;
    } cases[] = {
        {attr_int("axis", 2), scale, "axis 2 is outside"},
        {attr_int("axis", 0), tensor_f32(DIMS(3), 1, 2, 3), "input 1 has 3 values"},
        {attr_int("axis", 0), tensor_f32(DIMS(1, 1, 1), 1), "input 1 has rank 3"},
        {attr_int("stash_type", 7), scale, "stash_type is int64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "LayerNormalization",
                       .opset = 17,
                       .attrs = {cases[i].attr},
                       .n_inputs = 2,
                       .inputs = {x, cases[i].scale}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void rms_norm_does_not_subtract_the_mean(void **state) {
    (void)state;
    OpTest test = {.op = "RMSNormalization",
                   .opset = 23,
                   .attrs = {attr_float("epsilon", 0)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 2), 1, 7), tensor_f32(DIMS(2), 5, 10)}};
    Tensor y = tensor_f32(DIMS(1, 2), 1, 14);
    op_test_expect(&test, &y);
}

static void instance_norm_is_by_image_and_channel(void **state) {
    (void)state;
    OpTest test = {.op = "InstanceNormalization",
                   .opset = 6,
                   .attrs = {attr_float("epsilon", 0)},
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(2, 2, 2), 0, 2, 10, 30, 1, 2, 5, 3), tensor_f32(DIMS(2), 1, 2),
                              tensor_f32(DIMS(2), 0, 5)}};
    Tensor y = tensor_f32(DIMS(2, 2, 2), -1, 1, 3, 7, -1, 1, 7, 3);
    op_test_expect(&test, &y);
}

static void group_norm_scales_groups_before_opset_21_and_channels_since(void **state) {
    (void)state;
    for (int opset = 18; opset <= 21; opset += 3) {
        OpTest test = {.op = "GroupNormalization",
                       .opset = opset,
                       .attrs = {attr_float("epsilon", 0), attr_int("num_groups", 2)},
                       .n_inputs = 3,
                       .inputs = {tensor_f32(DIMS(1, 4, 1), 0, 2, 10, 30)}};
        test.inputs[1] = opset < 21 ? tensor_f32(DIMS(2), 1, 2) : tensor_f32(DIMS(4), 1, 2, 3, 4);
        test.inputs[2] = opset < 21 ? tensor_f32(DIMS(2), 0, 5) : tensor_f32(DIMS(4), 0, 5, 0, 5);
        Tensor by_group = tensor_f32(DIMS(1, 4, 1), -1, 1, 3, 7);
        Tensor by_channel = tensor_f32(DIMS(1, 4, 1), -1, 7, -3, 9);
        op_test_expect(&test, opset < 21 ? &by_group : &by_channel);
    }
    OpTest uneven = {.op = "GroupNormalization",
                     .opset = 21,
                     .attrs = {attr_int("num_groups", 2)},
                     .n_inputs = 3,
                     .inputs = {tensor_f32(DIMS(1, 3), 1, 2, 3), tensor_f32(DIMS(3), 1, 1, 1),
                                tensor_f32(DIMS(3), 1, 1, 1)}};
    op_test_expect_error(&uneven, STRIDER_BAD_MODEL, "num_groups 2 does not divide 3 channels");
    OpTest none = {.op = "GroupNormalization",
                   .opset = 21,
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(1, 1), 1), tensor_f32(DIMS(1), 1), tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&none, STRIDER_BAD_MODEL, "required attribute num_groups");
}

static void mean_variance_norm_takes_axes(void **state) {
    (void)state;
    OpTest test = {.op = "MeanVarianceNormalization",
                   .opset = 13,
                   .attrs = {attr_ints("axes", 0, -1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(2, 2, 2), 0, 2, 5, 9, 2, 0, 9, 5)}};
    Tensor y = tensor_f32(DIMS(2, 2, 2), -1, 1, -1, 1, 1, -1, 1, -1);
    op_test_expect(&test, &y);
    OpTest twice = {.op = "MeanVarianceNormalization",
                    .opset = 13,
                    .attrs = {attr_ints("axes", 0, -1)},
                    .n_inputs = 1,
                    .inputs = {tensor_f32(DIMS(2), 0, 2)}};
    op_test_expect_error(&twice, STRIDER_BAD_MODEL, "axis 0 stands twice");
}

static void lrn_window_leans_to_later_channels(void **state) {
    (void)state;
    OpTest test = {
        .op = "LRN",
        .opset = 13,
        .attrs = {attr_int("size", 2), attr_float("alpha", 2), attr_float("beta", 1), attr_float("bias", 0)},
        .n_inputs = 1,
        .inputs = {tensor_f32(DIMS(1, 3, 1), 1, 2, 4)}};
    Tensor y = tensor_f32(DIMS(1, 3, 1), 1 / 5.0f, 2 / 20.0f, 4 / 16.0f);
    op_test_expect(&test, &y);
    OpTest zero = {.op = "LRN",
                   .opset = 13,
                   .attrs = {attr_int("size", 0)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 1), 1)}};
    op_test_expect_error(&zero, STRIDER_BAD_MODEL, "size is 0");
    OpTest huge = {.op = "LRN",
                   .opset = 13,
                   .attrs = {attr_int("size", INT64_MAX), attr_float("alpha", 0)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 1), 3)}};
    Tensor y_huge = tensor_f32(DIMS(1, 1, 1), 3);
    op_test_expect(&huge, &y_huge);
}

static void lp_norm_of_zeros_is_zero(void **state) {
    (void)state;
    for (int p = 1; p <= 2; p++) {
        OpTest test = {.op = "LpNormalization",
                       .opset = 1,
                       .attrs = {attr_int("axis", 0), attr_int("p", p)},
                       .n_inputs = 1,
                       .inputs = {tensor_f32(DIMS(2, 2), -3, 0, 4, 0)}};
        OpTest large = {.op = "LpNormalization",
                        .opset = 1,
                        .attrs = {attr_int("p", p)},
                        .n_inputs = 1,
                        .inputs = {tensor_f32(DIMS(2, 2), -3e30f, 4e30f, 4e-30f, 3e-30f)}};
        Tensor y_large = p == 1 ? tensor_f32(DIMS(2, 2), -3 / 7.0f, 4 / 7.0f, 4 / 7.0f, 3 / 7.0f)
                                : tensor_f32(DIMS(2, 2), -0.6f, 0.8f, 0.8f, 0.6f);
        op_test_expect(&large, &y_large);
        Tensor one = tensor_f32(DIMS(2, 2), -3 / 7.0f, 0, 4 / 7.0f, 0);
        Tensor two = tensor_f32(DIMS(2, 2), -0.6f, 0, 0.8f, 0);
        op_test_expect(&test, p == 1 ? &one : &two);
    }
    OpTest three = {.op = "LpNormalization",
                    .opset = 1,
                    .attrs = {attr_int("p", 3)},
                    .n_inputs = 1,
                    .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&three, STRIDER_BAD_MODEL, "p is 3");
}

/* --- post-operations --- */

/* A normalisation as passes leave it: with a residual, before or after a Relu. */
static void fused(const char *op, int opset, const void *attrs, const Tensor *const *inputs, int n_inputs) {
    static const PostOp relu = {.kind = POST_ACTIVATION, .port = -1, .function = UNARY_RELU};
    /* normalised: -3, 3, 1, -1, if not of squares alone; the residual follows the inputs */
    const PostOp residual = {.kind = POST_RESIDUAL, .port = n_inputs - 1};
    const Tensor expected[2] = {tensor_f32(DIMS(1, 2, 2), 2, 4, 0, 0),
                                tensor_f32(DIMS(1, 2, 2), 5, 4, -4, 1)};
    for (int last = 0; last < 2; last++) {
        const PostOp list[] = {last ? relu : residual, last ? residual : relu};
        float data[4];
        Tensor y = tensor_view(STRIDER_F32, &expected[last].type.shape, data);
        Value value, *outputs[] = {&value};
        Node node = {.op = op_find("", op, opset),
                     .name = "",
                     .attrs = (void *)attrs,
                     .post_ops = list,
                     .n_post_ops = 2,
                     .n_inputs = n_inputs,
                     .n_outputs = 1,
                     .outputs = outputs};
        const ValueType type = value_type_tensor(expected[last].type);
        assert_int_equal(node_evaluate(&node, inputs, &type, &y, allocator_default(), NULL), STRIDER_OK);
        assert_tensor_close(&y, &expected[last], 1e-6, 1e-6);
    }
}

static void post_operations_follow_a_normalisation(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 2, 2), 1, 3, 7, 5), scale = tensor_f32(DIMS(2), 3, 1),
           b = tensor_f32(DIMS(2), 0, 0);
    Tensor wide = tensor_f32(DIMS(2, 1), 3, 1), centred = tensor_f32(DIMS(1, 2, 2), -1, 1, 1, -1);
    Tensor r = tensor_f32(DIMS(1, 2, 2), 5, 1, -5, 1);
    const Tensor *by_channel[] = {&x, &scale, &b, &r}, *by_row[] = {&x, &wide, NULL, &r},
                 *of_squares[] = {&centred, &wide, &r};
    fused("InstanceNormalization", 6, &(InstanceNormAttrs){0}, by_channel, 4);
    fused("GroupNormalization", 21, &(InstanceNormAttrs){.groups = 2}, by_channel, 4);
    fused("LayerNormalization", 17, &(LayerNormAttrs){.axis = -1}, by_row, 4);
    fused("RMSNormalization", 23, &(LayerNormAttrs){.axis = -1}, of_squares, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_infers_by_channel_at_every_opset),
        cmocka_unit_test(batch_norm_without_spatial_has_parameters_for_each_activation),
        cmocka_unit_test(batch_norm_in_training_mode_uses_the_batch),
        cmocka_unit_test(batch_norm_with_further_outputs_trains_before_opset_14),
        cmocka_unit_test(batch_norm_takes_parameters_of_another_float_type),
        cmocka_unit_test(batch_norm_refuses_what_does_not_fit),
        cmocka_unit_test(layer_norm_makes_statistics_too),
        cmocka_unit_test(layer_norm_statistics_have_the_stash_type),
        cmocka_unit_test(layer_norm_refuses_what_does_not_fit),
        cmocka_unit_test(rms_norm_does_not_subtract_the_mean),
        cmocka_unit_test(instance_norm_is_by_image_and_channel),
        cmocka_unit_test(group_norm_scales_groups_before_opset_21_and_channels_since),
        cmocka_unit_test(mean_variance_norm_takes_axes),
        cmocka_unit_test(lrn_window_leans_to_later_channels),
        cmocka_unit_test(lp_norm_of_zeros_is_zero),
        cmocka_unit_test(post_operations_follow_a_normalisation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
