/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ONNX's numbers of types. */
enum { ONNX_INT8 = 3, ONNX_UINT16 = 4, ONNX_FLOAT16 = 10, ONNX_FLOAT = 1, ONNX_INT4 = 22 };

static Tensor none(void) {
    return (Tensor){.type = {STRIDER_DTYPE_NONE, shape_unknown()}};
}

static Tensor one(float scale) {
    static float memory[8];
    static int next;
    float *to = &memory[next++ % 8];
    *to = scale;
    return op_test_tensor(STRIDER_F32, shape_scalar(), to, sizeof *to);
}

#define zero_of(DTYPE, VALUE) tensor_typed(DTYPE, shape_scalar(), VALUE)

static OpTest quantize(const char *op, int opset, Tensor x, Tensor scale, Tensor zero) {
    return (OpTest){.op = op, .opset = opset, .n_inputs = 3, .inputs = {x, scale, zero}};
}

/* --- QuantizeLinear --- */

static void halves_go_to_even_and_the_rest_saturates(void **state) {
    (void)state;
    static const int opsets[] = {10, 13, 19, 21, 23, 24, 25, 28};
    for (size_t i = 0; i < sizeof opsets / sizeof *opsets; i++) {
        OpTest test = quantize("QuantizeLinear", opsets[i],
                               tensor_f32(DIMS(9), 1, 3, 5, -1, -3, 1000, -1000, INFINITY, NAN), one(2),
                               zero_of(STRIDER_U8, 3));
        Tensor y = tensor_typed(STRIDER_U8, DIMS(9), 3, 5, 5, 3, 1, 255, 0, 255, 0);
        op_test_expect(&test, &y);
    }
}

static void without_a_zero_point_the_type_is_uint8_or_as_stated(void **state) {
    (void)state;
    OpTest test = quantize("QuantizeLinear", 21, tensor_f32(DIMS(3), 1, -7, 300), one(1), none());
    test.n_inputs = 2;
    Tensor y = tensor_typed(STRIDER_U8, DIMS(3), 1, 0, 255);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("output_dtype", 0); /* as absent */
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("output_dtype", ONNX_UINT16);
    y = tensor_typed(STRIDER_U16, DIMS(3), 1, 0, 300);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("output_dtype", ONNX_INT4);
    y = tensor_typed(STRIDER_I4, DIMS(3), 1, -7, 7);
    op_test_expect(&test, &y);
    test.inputs[2] = zero_of(STRIDER_U8, 0);
    test.n_inputs = 3;
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "output_dtype is int4");
}

static void each_index_along_the_axis_has_a_scale(void **state) {
    (void)state;
    OpTest test = quantize("QuantizeLinear", 13, tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6),
                           tensor_f32(DIMS(3), 1, 0.5f, 3), tensor_typed(STRIDER_I8, DIMS(3), 0, -1, 5));
    Tensor y = tensor_typed(STRIDER_I8, DIMS(2, 3), 1, 3, 6, 4, 9, 7);
    op_test_expect(&test, &y); /* axis 1 unless stated */
    test.attrs[0] = attr_int("axis", -1);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("axis", 0);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "3 elements along dimension 0, must have 2");
    test.attrs[0] = attr_int("axis", 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "axis 2");
    test.inputs[1] = one(1);
    test.inputs[2] = zero_of(STRIDER_I8, 0);
    y = tensor_typed(STRIDER_I8, DIMS(2, 3), 1, 2, 3, 4, 5, 6);
    op_test_expect(&test, &y); /* one number has no axis */
}

static void each_block_has_a_scale(void **state) {
    (void)state;
    OpTest test =
        quantize("QuantizeLinear", 21, tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6),
                 tensor_f32(DIMS(2, 2), 1, 3, 2, 0.5f), tensor_typed(STRIDER_I8, DIMS(2, 2), 0, 1, 2, 3));
    test.attrs[0] = attr_int("axis", 1);
    test.attrs[1] = attr_int("block_size", 2);
    Tensor y = tensor_typed(STRIDER_I8, DIMS(2, 3), 1, 2, 2, 4, 4, 15);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("axis", 0); /* one row of scales for both rows */
    test.inputs[1] = tensor_f32(DIMS(1, 3), 1, 2, 3);
    test.inputs[2] = tensor_typed(STRIDER_I8, DIMS(1, 3), 0, 0, 0);
    y = tensor_typed(STRIDER_I8, DIMS(2, 3), 1, 1, 1, 4, 2, 2);
    op_test_expect(&test, &y);
    test.attrs[1] = attr_int("block_size", 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "1 elements along dimension 0, must have 2");
    test.attrs[1] = (Attr){0};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "the scale has rank 2");
    test.attrs[1] = attr_int("block_size", -1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "block_size");
}

static void floats_of_few_bits_are_quantised_to(void **state) {
    (void)state;
    OpTest test = quantize("QuantizeLinear", 19, tensor_f32(DIMS(4), 2, 3.3f, 2000, -2000), one(2),
                           zero_of(STRIDER_F8E4M3FN, 0));
    Tensor y = tensor_typed(STRIDER_F8E4M3FN, DIMS(4), 1, 1.625, 448, -448);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("saturate", 0);
    y = tensor_typed(STRIDER_F8E4M3FN, DIMS(4), 1, 1.625, NAN, NAN);
    op_test_expect(&test, &y);
    OpTest four =
        quantize("QuantizeLinear", 23, tensor_f32(DIMS(3), 2, 5, -90), one(2), zero_of(STRIDER_F4E2M1, 1));
    y = tensor_typed(STRIDER_F4E2M1, DIMS(3), 2, 4, -6); /* 3.5 is halfway between 3 and 4 */
    op_test_expect(&four, &y);
}

/* Above 4096 float16 has every fourth number only. */
static void the_division_is_as_precise_as_the_scale(void **state) {
    (void)state;
    const Tensor x = tensor_typed(STRIDER_F16, DIMS(2), 4099, 5),
                 scale = tensor_typed(STRIDER_F16, DIMS(1), 1);
    OpTest half = quantize("QuantizeLinear", 21, x, scale, zero_of(STRIDER_U16, 0));
    Tensor y = tensor_typed(STRIDER_U16, DIMS(2), 4100, 5); /* float16 has no 4099 */
    op_test_expect(&half, &y);
    OpTest stated =
        quantize("QuantizeLinear", 23, tensor_f32(DIMS(2), 4097, 5), one(1), zero_of(STRIDER_U16, 0));
    y = tensor_typed(STRIDER_U16, DIMS(2), 4097, 5);
    op_test_expect(&stated, &y);
    stated.attrs[0] = attr_int("precision", ONNX_FLOAT16);
    y = tensor_typed(STRIDER_U16, DIMS(2), 4096, 5);
    op_test_expect(&stated, &y);
    stated.attrs[0] = attr_int("precision", ONNX_INT8);
    op_test_expect_error(&stated, STRIDER_BAD_MODEL, "precision");
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(2), 1, 2);
    OpTest shapes = quantize("QuantizeLinear", 13, x, one(1), tensor_typed(STRIDER_U8, DIMS(2), 0, 0));
    op_test_expect_error(&shapes, STRIDER_BAD_MODEL, "but the zero point");
    OpTest wide = quantize("QuantizeLinear", 13, x, one(1), zero_of(STRIDER_I32, 0));
    op_test_expect_error(&wide, STRIDER_UNSUPPORTED, "int32");
    OpTest to_float = quantize("QuantizeLinear", 21, x, one(1), none());
    to_float.n_inputs = 2;
    to_float.attrs[0] = attr_int("output_dtype", ONNX_FLOAT);
    op_test_expect_error(&to_float, STRIDER_UNSUPPORTED, "float32");
    OpTest types = quantize("DequantizeLinear", 13, tensor_typed(STRIDER_U8, DIMS(1), 1), one(1),
                            zero_of(STRIDER_I8, 0));
    op_test_expect_error(&types, STRIDER_BAD_MODEL, "must be of one type");
    OpTest powers = quantize("DequantizeLinear", 25, tensor_typed(STRIDER_U8, DIMS(1), 1),
                             zero_of(STRIDER_F8E8M0, 2), none());
    powers.n_inputs = 2;
    op_test_expect_error(&powers, STRIDER_BAD_MODEL, "would be float8_e8m0fnu");
}

static void unknown_shapes_pass(void **state) {
    (void)state;
    OpTest test = {.op = "QuantizeLinear",
                   .opset = 13,
                   .n_inputs = 3,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, 3)}},
                              {.type = {STRIDER_F32, DIMS(DIM_UNKNOWN)}},
                              {.type = {STRIDER_I8, shape_unknown()}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_int_equal(test.output_types[0].dtype, STRIDER_I8);
    assert_int_equal(test.output_types[0].shape.dims[0], -7);
    op_test_free(&test);
}

/* --- DequantizeLinear --- */

static void integers_of_every_size_become_real(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        double x, zero, y;
    } cases[] = {
        {STRIDER_U8, 200, 255, -27.5},    {STRIDER_I8, -128, 127, -127.5}, {STRIDER_I16, -32768, 0, -16384},
        {STRIDER_U16, 65535, 1, 32767},   {STRIDER_I32, 7, 0, 3.5},        {STRIDER_I4, -8, 7, -7.5},
        {STRIDER_U4, 15, 0, 7.5},         {STRIDER_I2, -2, 1, -1.5},       {STRIDER_U2, 3, 0, 1.5},
        {STRIDER_F8E5M2, 1.25, 0, 0.625}, {STRIDER_F4E2M1, 6, 0, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = quantize("DequantizeLinear", 28, tensor_typed(cases[i].dtype, DIMS(1), cases[i].x),
                               one(0.5f), zero_of(cases[i].dtype, cases[i].zero));
        Tensor y = tensor_f32(DIMS(1), (float)cases[i].y);
        op_test_expect(&test, &y);
    }
}

static void the_result_has_the_scales_type_or_the_stated_one(void **state) {
    (void)state;
    const Tensor x = tensor_typed(STRIDER_I8, DIMS(2, 2), 1, -2, 3, 100);
    OpTest half = quantize("DequantizeLinear", 19, x, tensor_typed(STRIDER_F16, DIMS(2), 0.5, 2),
                           tensor_typed(STRIDER_I8, DIMS(2), 1, 0));
    Tensor y = tensor_typed(STRIDER_F16, DIMS(2, 2), 0, -4, 1, 200);
    op_test_expect(&half, &y);
    OpTest powers = quantize("DequantizeLinear", 25, x, zero_of(STRIDER_F8E8M0, 0.25), none());
    powers.n_inputs = 2;
    powers.attrs[0] = attr_int("output_dtype", ONNX_FLOAT);
    y = tensor_f32(DIMS(2, 2), 0.25f, -0.5f, 0.75f, 25);
    op_test_expect(&powers, &y);
}

/* onnxruntime's operators of the same names come with its own domain's versions. */
static void onnxruntimes_domain_means_the_same(void **state) {
    (void)state;
    OpTest there =
        quantize("QuantizeLinear", 1, tensor_f32(DIMS(2), 1, 700), one(1), zero_of(STRIDER_U16, 5));
    there.domain = "com.microsoft";
    Tensor y = tensor_typed(STRIDER_U16, DIMS(2), 6, 705);
    op_test_expect(&there, &y);
    OpTest back = quantize("DequantizeLinear", 1, tensor_typed(STRIDER_U16, DIMS(2), 6, 705), one(1),
                           zero_of(STRIDER_U16, 5));
    back.domain = "com.microsoft";
    y = tensor_f32(DIMS(2), 1, 700);
    op_test_expect(&back, &y);
}

/* --- DynamicQuantizeLinear --- */

static void expect_dynamic(Tensor x, Tensor y, float scale, double zero) {
    OpTest test = {.op = "DynamicQuantizeLinear", .opset = 11, .n_inputs = 1, .n_outputs = 3, .inputs = {x}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_tensor_close(&test.outputs[0], &y, 0, 0);
    const Tensor y_scale = one(scale), y_zero = zero_of(STRIDER_U8, zero);
    assert_tensor_close(&test.outputs[1], &y_scale, 1e-7, 0);
    assert_tensor_close(&test.outputs[2], &y_zero, 0, 0);
    op_test_free(&test);
}

static void the_range_holds_zero(void **state) {
    (void)state;
    expect_dynamic(tensor_f32(DIMS(3), -255, 0, 255), tensor_typed(STRIDER_U8, DIMS(3), 0, 128, 255), 2, 128);
    expect_dynamic(tensor_f32(DIMS(2, 1), 51, 25.5f), tensor_typed(STRIDER_U8, DIMS(2, 1), 255, 128), 0.2f,
                   0);
    expect_dynamic(tensor_f32(DIMS(2), -510, -10), tensor_typed(STRIDER_U8, DIMS(2), 0, 250), 2, 255);
    expect_dynamic(tensor_f32(DIMS(2), 0, -0.0f), tensor_typed(STRIDER_U8, DIMS(2), 0, 0), 1, 0);
    expect_dynamic(op_test_tensor(STRIDER_F32, DIMS(0), "", 0), op_test_tensor(STRIDER_U8, DIMS(0), "", 0), 1,
                   0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves_go_to_even_and_the_rest_saturates),
        cmocka_unit_test(without_a_zero_point_the_type_is_uint8_or_as_stated),
        cmocka_unit_test(each_index_along_the_axis_has_a_scale),
        cmocka_unit_test(each_block_has_a_scale),
        cmocka_unit_test(floats_of_few_bits_are_quantised_to),
        cmocka_unit_test(the_division_is_as_precise_as_the_scale),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(unknown_shapes_pass),
        cmocka_unit_test(integers_of_every_size_become_real),
        cmocka_unit_test(the_result_has_the_scales_type_or_the_stated_one),
        cmocka_unit_test(onnxruntimes_domain_means_the_same),
        cmocka_unit_test(the_range_holds_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
