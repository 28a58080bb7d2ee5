/* SPDX-License-Identifier: Apache-2.0 */
/* Products, convolutions and poolings of quantised tensors, and onnxruntime's operators on these. */
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Tensor none(void) {
    return (Tensor){.type = {STRIDER_DTYPE_NONE, shape_unknown()}};
}

#define one(DTYPE, VALUE) tensor_typed(DTYPE, shape_scalar(), VALUE)
#define U8(SHAPE, ...) tensor_typed(STRIDER_U8, SHAPE, __VA_ARGS__)
#define I8(SHAPE, ...) tensor_typed(STRIDER_I8, SHAPE, __VA_ARGS__)
#define I32(SHAPE, ...) tensor_typed(STRIDER_I32, SHAPE, __VA_ARGS__)

/* --- products --- */

/* a - 12 and b - 0 of the specification's example. */
static void matrices_are_multiplied_less_their_zero_points(void **state) {
    (void)state;
    OpTest test = {.op = "MatMulInteger",
                   .opset = 10,
                   .n_inputs = 4,
                   .inputs = {U8(DIMS(4, 3), 11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0),
                              U8(DIMS(3, 2), 1, 4, 2, 5, 3, 6), one(STRIDER_U8, 12), one(STRIDER_U8, 0)}};
    Tensor y = I32(DIMS(4, 2), -38, -83, -44, -98, -50, -113, -56, -128);
    op_test_expect(&test, &y);
    test.n_inputs = 2;
    y = I32(DIMS(4, 2), 34, 97, 28, 82, 22, 67, 16, 52);
    op_test_expect(&test, &y);
}

static void rows_of_a_and_columns_of_b_have_zero_points(void **state) {
    (void)state;
    const Tensor a = I8(DIMS(2, 2), 1, 2, 3, 4), b = I8(DIMS(2, 3), 1, 2, 3, 4, 5, 6);
    OpTest test = {.op = "MatMulInteger",
                   .opset = 10,
                   .n_inputs = 4,
                   .inputs = {a, b, I8(DIMS(2), 1, 2), I8(DIMS(3), 0, 1, 2)}};
    /* [0 1; 1 2] [1 1 1; 4 4 4] */
    Tensor y = I32(DIMS(2, 3), 4, 4, 4, 9, 9, 9);
    op_test_expect(&test, &y);
    test.inputs[2] = I8(DIMS(2, 1), 1, 2);
    test.inputs[3] = I8(DIMS(1, 3), 0, 1, 2);
    op_test_expect(&test, &y);
    test.inputs[3] = I8(DIMS(2), 0, 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the zero point of b (input 3) has shape [2]");
    test.inputs[3] = I8(DIMS(3, 1), 0, 1, 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "must have [1, 3]");
    test.inputs[3] = U8(DIMS(3), 0, 1, 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "must be of one type");
}

/* Each of two matrices has zero points of its own. */
static void batches_have_zero_points_of_their_own(void **state) {
    (void)state;
    OpTest test = {.op = "MatMulInteger",
                   .opset = 10,
                   .n_inputs = 4,
                   .inputs = {U8(DIMS(2, 1, 2), 5, 6, 7, 8), U8(DIMS(2, 1), 1, 2), U8(DIMS(2, 1, 1), 1, 2),
                              one(STRIDER_U8, 0)}};
    Tensor y = I32(DIMS(2, 1, 1), 14, 17);
    op_test_expect(&test, &y);
}

/* A macro, so that the tensors' memory is the caller's. */
#define QLINEAR_MATMUL(A_SCALE, B_SCALE, Y_SCALE)                                                            \
    ((OpTest){.op = "QLinearMatMul",                                                                         \
              .opset = 21,                                                                                   \
              .n_inputs = 8,                                                                                 \
              .inputs = {U8(DIMS(2, 2), 10, 20, 30, 40), A_SCALE, one(STRIDER_U8, 10),                       \
                         I8(DIMS(2, 2), 1, 2, -3, 4), B_SCALE, one(STRIDER_I8, 0), Y_SCALE,                  \
                         one(STRIDER_U8, 100)}})

/* Sums: -30 40; -70 160. */
static void products_are_quantised_again(void **state) {
    (void)state;
    OpTest test = QLINEAR_MATMUL(one(STRIDER_F32, 0.5), one(STRIDER_F32, 0.25), one(STRIDER_F32, 0.125));
    Tensor y = U8(DIMS(2, 2), 70, 140, 30, 255);
    op_test_expect(&test, &y);
    test = QLINEAR_MATMUL(one(STRIDER_F32, 0.5), tensor_f32(DIMS(2), 0.25f, 0.125f), one(STRIDER_F32, 0.125));
    y = U8(DIMS(2, 2), 70, 120, 30, 180);
    op_test_expect(&test, &y);
    test = QLINEAR_MATMUL(tensor_f32(DIMS(2), 0.5f, 1), one(STRIDER_F32, 0.25), one(STRIDER_F32, 0.25));
    y = U8(DIMS(2, 2), 85, 120, 30, 255);
    op_test_expect(&test, &y);
    test = QLINEAR_MATMUL(one(STRIDER_F16, 0.5), one(STRIDER_F16, 0.25), one(STRIDER_F16, 0.25));
    y = U8(DIMS(2, 2), 85, 120, 65, 180);
    op_test_expect(&test, &y);
    test = QLINEAR_MATMUL(one(STRIDER_F32, 0.5), one(STRIDER_F32, 0.25), tensor_f32(DIMS(2), 1, 1));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the scale of y (input 6) must be one number");
}

static void floats_of_8_bits_are_multiplied(void **state) {
    (void)state;
    const DType type = STRIDER_F8E4M3FN;
    OpTest test = {.op = "QLinearMatMul",
                   .opset = 21,
                   .n_inputs = 8,
                   .inputs = {tensor_typed(type, DIMS(1, 2), 1.5, -2), one(STRIDER_F32, 2), one(type, 0),
                              tensor_typed(type, DIMS(2, 1), 3, 0.5), one(STRIDER_F32, 1), one(type, 0),
                              one(STRIDER_F32, 0.5), one(type, 0)}};
    Tensor y = tensor_typed(type, DIMS(1, 1), 14);
    op_test_expect(&test, &y);
}

static void a_gemm_may_give_real_numbers(void **state) {
    (void)state;
    /* a' = [1 2; 3 4] - 1, b' = [1 2; 3 4] */
    OpTest test = {.op = "QGemm",
                   .domain = "com.microsoft",
                   .opset = 1,
                   .attrs = {attr_int("transA", 1), attr_int("transB", 1), attr_float("alpha", 2)},
                   .n_inputs = 7,
                   .inputs = {U8(DIMS(2, 2), 1, 3, 2, 4), one(STRIDER_F32, 0.5), one(STRIDER_U8, 1),
                              I8(DIMS(2, 2), 1, 3, 2, 4), tensor_f32(DIMS(2), 1, 0.5f), I8(DIMS(2), 0, 0),
                              I32(DIMS(2), 10, 20)}};
    /* [0 1; 2 3] [1 2; 3 4] + [10 20] = [13 24; 21 36], times 1 and 0.5 */
    Tensor y = tensor_f32(DIMS(2, 2), 13, 12, 21, 18);
    op_test_expect(&test, &y);
    test.n_inputs = 9;
    test.inputs[7] = one(STRIDER_F32, 2);
    test.inputs[8] = one(STRIDER_U8, 1);
    y = U8(DIMS(2, 2), 7, 7, 11, 10); /* 6.5 and 10.5 go to even, before 1 is added */
    op_test_expect(&test, &y);
    test.inputs[6] = I32(DIMS(3), 1, 2, 3);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "C has 3 values");
}

/* --- convolutions --- */

/* The specification's example: padding counts as the zero point. */
static void padding_is_the_zero_point(void **state) {
    (void)state;
    OpTest test = {.op = "ConvInteger",
                   .opset = 10,
                   .attrs = {attr_ints("pads", 1, 1, 1, 1)},
                   .n_inputs = 3,
                   .inputs = {U8(DIMS(1, 1, 3, 3), 2, 3, 4, 5, 6, 7, 8, 9, 10),
                              U8(DIMS(1, 1, 2, 2), 1, 1, 1, 1), one(STRIDER_U8, 1)}};
    Tensor y = I32(DIMS(1, 1, 4, 4), 1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9);
    op_test_expect(&test, &y);
    test.n_inputs = 4;
    test.inputs[3] = U8(DIMS(1), 1); /* which leaves nothing */
    y = I32(DIMS(1, 1, 4, 4), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    op_test_expect(&test, &y);
    test.inputs[3] = U8(DIMS(2), 1, 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the zero point of w (input 3)");
    test.inputs[1] = U8(DIMS(1, 2, 2, 1), 1, 1, 1, 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "1 input channels");
}

static void output_channels_have_scales_and_biases(void **state) {
    (void)state;
    OpTest test = {.op = "QLinearConv",
                   .opset = 10,
                   .n_inputs = 9,
                   .inputs = {U8(DIMS(1, 1, 3), 10, 20, 40), one(STRIDER_F32, 0.5), one(STRIDER_U8, 10),
                              I8(DIMS(2, 1, 2), 1, -1, 2, 3), tensor_f32(DIMS(2), 1, 0.5f), I8(DIMS(2), 0, 1),
                              one(STRIDER_F32, 0.5), one(STRIDER_I8, -3), I32(DIMS(2), 5, -10)}};
    /* x: 0 10 30; channel 0: -10 -20, + 5, times 1; channel 1 with [1 2]: 20 70, - 10, times 0.5 */
    Tensor y = I8(DIMS(1, 2, 2), -8, -18, 2, 27);
    op_test_expect(&test, &y);
    test.inputs[8] = I32(DIMS(3), 5, -10, 0);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the bias has 3 values");
    test.inputs[8] = tensor_f32(DIMS(2), 5, -10);
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "float32");
}

static void unknown_shapes_pass_through_products(void **state) {
    (void)state;
    OpTest conv = {.op = "ConvInteger",
                   .opset = 10,
                   .n_inputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_U8, DIMS(-7, 3, DIM_UNKNOWN, 9)}},
                              {.type = {STRIDER_I8, DIMS(4, 3, 3, 3)}}}};
    assert_int_equal(op_test_run(&conv), STRIDER_OK);
    assert_int_equal(conv.output_types[0].dtype, STRIDER_I32);
    assert_shape(&conv.output_types[0].shape, DIMS(-7, 4, DIM_UNKNOWN, 7));
    op_test_free(&conv);
    OpTest product = {.op = "MatMulInteger",
                      .opset = 10,
                      .n_inputs = 3,
                      .infer_only = true,
                      .inputs = {{.type = {STRIDER_U8, DIMS(-7, 3)}},
                                 {.type = {STRIDER_I8, DIMS(3, DIM_UNKNOWN)}},
                                 {.type = {STRIDER_DTYPE_NONE, shape_unknown()}}}};
    assert_int_equal(op_test_run(&product), STRIDER_OK);
    assert_shape(&product.output_types[0].shape, DIMS(-7, DIM_UNKNOWN));
    op_test_free(&product);
}

/* --- onnxruntime's operators --- */

static OpTest ms(const char *op, int n_inputs) {
    return (OpTest){.op = op, .domain = "com.microsoft", .opset = 1, .n_inputs = n_inputs};
}

static void sums_and_products_broadcast(void **state) {
    (void)state;
    OpTest test = ms("QLinearAdd", 8);
    const Tensor inputs[] = {U8(DIMS(2, 2), 1, 2, 3, 200), one(STRIDER_F32, 0.5),
                             one(STRIDER_U8, 1),           U8(DIMS(2), 4, 8),
                             one(STRIDER_F32, 2),          none(),
                             one(STRIDER_F32, 0.25),       one(STRIDER_U8, 7)};
    for (int i = 0; i < 8; i++)
        test.inputs[i] = inputs[i];
    /* reals: 0 0.5 1 99.5 and 8 16 */
    Tensor y = U8(DIMS(2, 2), 39, 73, 43, 255);
    op_test_expect(&test, &y);
    test.op = "QLinearMul";
    y = U8(DIMS(2, 2), 7, 39, 39, 255);
    op_test_expect(&test, &y);
    test.inputs[3] = I8(DIMS(2), 4, 8);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "must be of one type");
    test.inputs[3] = U8(DIMS(3), 4, 8, 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "broadcast");
    test.n_inputs = 6;
    test.inputs[3] = inputs[3];
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "input 6 is missing");
}

static void functions_are_of_real_numbers(void **state) {
    (void)state;
    OpTest test = ms("QLinearSigmoid", 5);
    test.inputs[0] = U8(DIMS(3), 10, 12, 0);
    test.inputs[1] = one(STRIDER_F32, 0.5);
    test.inputs[2] = one(STRIDER_U8, 10);
    test.inputs[3] = one(STRIDER_F32, 1. / 256);
    test.inputs[4] = none();
    Tensor y = U8(DIMS(3), 128, 187, 2); /* of 0, 1 and -5: 128, 187.15, 1.71 */
    op_test_expect(&test, &y);
    test.op = "QLinearLeakyRelu";
    test.attrs[0] = attr_float("alpha", 0.5f);
    test.inputs[3] = one(STRIDER_F32, 0.25);
    test.inputs[4] = one(STRIDER_U8, 20);
    y = U8(DIMS(3), 20, 24, 10);
    op_test_expect(&test, &y);
    test.inputs[4] = one(STRIDER_I8, 20);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the zero point (input 4) is int8");
}

static void parts_of_other_scales_are_joined(void **state) {
    (void)state;
    OpTest test = ms("QLinearConcat", 8);
    test.attrs[0] = attr_int("axis", 1);
    test.inputs[0] = one(STRIDER_F32, 0.5);
    test.inputs[1] = one(STRIDER_U8, 3);
    test.inputs[2] = U8(DIMS(2, 1), 1, 2);
    test.inputs[3] = one(STRIDER_F32, 2);
    test.inputs[4] = one(STRIDER_U8, 1);
    test.inputs[5] = U8(DIMS(2, 2), 3, 4, 5, 6);
    test.inputs[6] = one(STRIDER_F32, 0.5);
    test.inputs[7] = one(STRIDER_U8, 3);
    Tensor y = U8(DIMS(2, 3), 3, 3, 4, 7, 5, 6);
    op_test_expect(&test, &y);
    test.n_inputs = 7;
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "3 for each part");
    test.n_inputs = 8;
    test.inputs[5] = U8(DIMS(1, 2), 3, 4);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "in dimension 0");
    test.attrs[0] = (Attr){0};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "axis");
}

static void averages_are_of_real_numbers(void **state) {
    (void)state;
    OpTest test = ms("QLinearAveragePool", 5);
    test.attrs[0] = attr_ints("kernel_shape", 2);
    test.attrs[1] = attr_ints("pads", 1, 0);
    test.inputs[0] = U8(DIMS(1, 2, 2), 4, 6, 10, 30);
    test.inputs[1] = one(STRIDER_F32, 0.5);
    test.inputs[2] = one(STRIDER_U8, 2);
    test.inputs[3] = one(STRIDER_F32, 0.25);
    test.inputs[4] = one(STRIDER_U8, 1);
    /* x - 2: 2 4, 8 28; averages 2 3, 8 18; real 1 1.5, 4 9 */
    Tensor y = U8(DIMS(1, 2, 2), 5, 7, 17, 37);
    op_test_expect(&test, &y);
    test.attrs[2] = attr_int("count_include_pad", 1);
    y = U8(DIMS(1, 2, 2), 3, 7, 9, 37);
    op_test_expect(&test, &y);
    test.attrs[2] = attr_int("channels_last", 1); /* two pixels of two channels */
    test.inputs[0] = U8(DIMS(1, 2, 2), 4, 10, 6, 30);
    y = U8(DIMS(1, 2, 2), 5, 17, 7, 37);
    op_test_expect(&test, &y);
    /* Windows of three from 0 and 2, of which the second has one element beyond the end: it counts. */
    OpTest beyond = ms("QLinearAveragePool", 5);
    beyond.attrs[0] = attr_ints("kernel_shape", 3);
    beyond.attrs[1] = attr_ints("strides", 2);
    beyond.attrs[2] = attr_int("ceil_mode", 1);
    beyond.attrs[3] = attr_int("count_include_pad", 1);
    beyond.inputs[0] = U8(DIMS(1, 1, 4), 90, 90, 90, 90);
    beyond.inputs[1] = beyond.inputs[3] = one(STRIDER_F32, 1);
    beyond.inputs[2] = beyond.inputs[4] = one(STRIDER_U8, 0);
    y = U8(DIMS(1, 1, 2), 90, 60);
    op_test_expect(&beyond, &y);
    beyond.attrs[3] = (Attr){0};
    y = U8(DIMS(1, 1, 2), 90, 90);
    op_test_expect(&beyond, &y);
    OpTest global = ms("QLinearGlobalAveragePool", 5);
    for (int i = 0; i < 5; i++)
        global.inputs[i] = test.inputs[i];
    global.attrs[0] = attr_int("channels_last", 1);
    y = U8(DIMS(1, 1, 2), 7, 37);
    op_test_expect(&global, &y);
    global.attrs[0] = (Attr){0}; /* averages 5 and 16 of x - 2 */
    y = U8(DIMS(1, 2, 1), 11, 33);
    op_test_expect(&global, &y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_are_multiplied_less_their_zero_points),
        cmocka_unit_test(rows_of_a_and_columns_of_b_have_zero_points),
        cmocka_unit_test(batches_have_zero_points_of_their_own),
        cmocka_unit_test(products_are_quantised_again),
        cmocka_unit_test(floats_of_8_bits_are_multiplied),
        cmocka_unit_test(a_gemm_may_give_real_numbers),
        cmocka_unit_test(padding_is_the_zero_point),
        cmocka_unit_test(output_channels_have_scales_and_biases),
        cmocka_unit_test(unknown_shapes_pass_through_products),
        cmocka_unit_test(sums_and_products_broadcast),
        cmocka_unit_test(functions_are_of_real_numbers),
        cmocka_unit_test(parts_of_other_scales_are_joined),
        cmocka_unit_test(averages_are_of_real_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
