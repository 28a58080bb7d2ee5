/* SPDX-License-Identifier: Apache-2.0 */
/* Cast, CastLike, BitCast, and Dropout, which at inference copies. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ONNX's number of each type. */
static const int numbers[STRIDER_DTYPE_COUNT] = {
    [STRIDER_F32] = 1,         [STRIDER_U8] = 2,        [STRIDER_I8] = 3,          [STRIDER_U16] = 4,
    [STRIDER_I16] = 5,         [STRIDER_I32] = 6,       [STRIDER_I64] = 7,         [STRIDER_BOOL] = 9,
    [STRIDER_F16] = 10,        [STRIDER_F64] = 11,      [STRIDER_U32] = 12,        [STRIDER_U64] = 13,
    [STRIDER_BF16] = 16,       [STRIDER_F8E4M3FN] = 17, [STRIDER_F8E4M3FNUZ] = 18, [STRIDER_F8E5M2] = 19,
    [STRIDER_F8E5M2FNUZ] = 20, [STRIDER_U4] = 21,       [STRIDER_I4] = 22,         [STRIDER_F4E2M1] = 23,
    [STRIDER_F8E8M0] = 24,     [STRIDER_U2] = 25,       [STRIDER_I2] = 26,         [STRIDER_F6E2M3] = 27,
    [STRIDER_F6E3M2] = 28,
};

static void expect_cast(Tensor x, Tensor y) {
    OpTest test = {.op = "Cast",
                   .opset = 13,
                   .attrs = {attr_int("to", numbers[y.type.dtype])},
                   .n_inputs = 1,
                   .inputs = {x}};
    op_test_expect(&test, &y);
}

static void every_type_becomes_every_type(void **state) {
    (void)state;
    for (DType from = STRIDER_F32; from < STRIDER_STRING; from++)
        for (DType to = STRIDER_F32; to < STRIDER_STRING; to++) {
            /* what all types have; f8e8m0 has powers of two only */
            const double two = from == STRIDER_BOOL || to == STRIDER_BOOL || from == STRIDER_I2 ? 1 : 2;
            const double last = to == STRIDER_I2 && two == 2 ? -2 : two;
            expect_cast(tensor_typed(from, DIMS(3), 1, 1, 2), tensor_typed(to, DIMS(3), 1, 1, last));
            OpTest like = {.op = "CastLike",
                           .opset = 15,
                           .n_inputs = 2,
                           .inputs = {tensor_typed(from, DIMS(2), 1, 1), tensor_typed(to, DIMS(1), 0)}};
            Tensor y_like = tensor_typed(to, DIMS(2), 1, 1);
            op_test_expect(&like, &y_like);
        }
}

static void wide_types_become_wide_types(void **state) {
    (void)state;
    for (DType from = STRIDER_F32; from <= STRIDER_U64; from++)
        for (DType to = STRIDER_F32; to <= STRIDER_U64; to++)
            expect_cast(tensor_typed(from, DIMS(2, 2), 0, 1, 2, 100),
                        tensor_typed(to, DIMS(2, 2), 0, 1, 2, 100));
}

static void floats_lose_their_fraction_and_saturate(void **state) {
    (void)state;
    expect_cast(tensor_f32(DIMS(4), 1.75f, -1.75f, 0.5f, -0.5f), tensor_i64(DIMS(4), 1, -1, 0, 0));
    expect_cast(tensor_f32(DIMS(4), 1e30f, -1e30f, INFINITY, NAN),
                tensor_i64(DIMS(4), INT64_MAX, INT64_MIN, INT64_MAX, 0));
    expect_cast(tensor_f32(DIMS(4), 300, -1, -INFINITY, NAN),
                tensor_typed(STRIDER_U8, DIMS(4), 255, 0, 0, 0));
    expect_cast(tensor_f32(DIMS(3), 0.5f, -0.0f, NAN), tensor_typed(STRIDER_BOOL, DIMS(3), 1, 0, 1));
    expect_cast(tensor_f32(DIMS(3), 65504, 65520, 1e-8f),
                tensor_typed(STRIDER_F16, DIMS(3), 65504, INFINITY, 0));
}

static void integers_keep_their_low_bits(void **state) {
    (void)state;
    expect_cast(tensor_i64(DIMS(4), 256 + 7, -1, 128, INT64_MIN),
                tensor_typed(STRIDER_I8, DIMS(4), 7, -1, -128, 0));
    expect_cast(tensor_i64(DIMS(2), -1, 65536 + 9), tensor_typed(STRIDER_U16, DIMS(2), 65535, 9));
    expect_cast(tensor_i64(DIMS(4), 8, -9, 16, -1), tensor_typed(STRIDER_I4, DIMS(4), -8, 7, 0, -1));
    expect_cast(tensor_i64(DIMS(3), -1, 5, 8), tensor_typed(STRIDER_U2, DIMS(3), 3, 1, 0));
    expect_cast(tensor_f32(DIMS(4), 8.9f, -9, 3, -2.5f), tensor_typed(STRIDER_I4, DIMS(4), -8, 7, 3, -2));
    uint64_t high[] = {UINT64_MAX};
    expect_cast(op_test_tensor(STRIDER_U64, DIMS(1), high, 8), tensor_i64(DIMS(1), -1));
    expect_cast(tensor_i64(DIMS(1), -1), op_test_tensor(STRIDER_U64, DIMS(1), high, 8));
}

/* 2^60 + 2^36 lies halfway between two floats; the 1 after it, which a double drops, decides. */
static void long_integers_are_rounded_once(void **state) {
    (void)state;
    const int64_t halfway = ((int64_t)1 << 60) + ((int64_t)1 << 36);
    OpTest test = {.op = "Cast",
                   .opset = 13,
                   .attrs = {attr_int("to", numbers[STRIDER_F32])},
                   .n_inputs = 1,
                   .inputs = {tensor_i64(DIMS(3), halfway, halfway + 1, -halfway - 1)}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    const float *y = test.outputs[0].data;
    assert_true(y[0] == 0x1p60f);
    assert_true(y[1] == 0x1p60f + 0x1p37f);
    assert_true(y[2] == -0x1p60f - 0x1p37f);
    op_test_free(&test);
}

static void a_bool_is_one_whatever_its_byte(void **state) {
    (void)state;
    uint8_t seven[] = {7};
    expect_cast(op_test_tensor(STRIDER_BOOL, DIMS(1), seven, 1), tensor_i64(DIMS(1), 1));
    expect_cast(op_test_tensor(STRIDER_BOOL, DIMS(1), seven, 1), tensor_f32(DIMS(1), 1));
}

/* To floats of few bits: with what is too large as the attributes say. */
static OpTest narrow_cast(DType to, Tensor x, bool saturate, const char *round_mode) {
    return (OpTest){.op = "Cast",
                    .opset = 28,
                    .attrs = {attr_int("to", numbers[to]), attr_int("saturate", saturate),
                              attr_string("round_mode", round_mode)},
                    .n_inputs = 1,
                    .inputs = {x}};
}

static void floats_of_few_bits_saturate_where_they_should(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(5), 0.1f, 500, -INFINITY, 17, NAN);
    OpTest saturated = narrow_cast(STRIDER_F8E4M3FN, x, true, "up"),
           cut = narrow_cast(STRIDER_F8E4M3FN, x, false, "up"),
           infinite = narrow_cast(STRIDER_F8E5M2, tensor_f32(DIMS(3), 1e6f, -1e6f, 57344), false, "up"),
           finite = narrow_cast(STRIDER_F4E2M1, tensor_f32(DIMS(3), 1e6f, -5, 0.25f), false, "up");
    Tensor y = tensor_typed(STRIDER_F8E4M3FN, DIMS(5), 0.1015625, 448, -448, 16, NAN);
    op_test_expect(&saturated, &y);
    y = tensor_typed(STRIDER_F8E4M3FN, DIMS(5), 0.1015625, NAN, NAN, 16, NAN);
    op_test_expect(&cut, &y);
    y = op_test_tensor(STRIDER_F8E5M2, DIMS(3), "\x7c\xfc\x7b", 3);
    op_test_expect(&infinite, &y);
    y = op_test_tensor(STRIDER_F4E2M1, DIMS(3), "\x07\x0e\x00", 3);
    op_test_expect(&finite, &y);
}

static void powers_of_two_are_rounded_as_round_mode_says(void **state) {
    (void)state;
    static const struct {
        const char *mode;
        bool saturate;
        uint8_t y[5];
    } cases[] = {{"up", true, {0, 128, 126, 254, 255}},
                 {"down", true, {0, 127, 125, 254, 255}},
                 {"nearest", false, {255, 128, 125, 255, 255}}};
    for (int i = 0; i < 3; i++) {
        OpTest test = narrow_cast(STRIDER_F8E8M0, tensor_f32(DIMS(5), 0, 1.5f, 0.3f, INFINITY, NAN),
                                  cases[i].saturate, cases[i].mode);
        uint8_t bytes[5];
        memcpy(bytes, cases[i].y, sizeof bytes);
        Tensor y = op_test_tensor(STRIDER_F8E8M0, DIMS(5), bytes, 5);
        op_test_expect(&test, &y);
    }
    OpTest strange = narrow_cast(STRIDER_F8E8M0, tensor_f32(DIMS(1), 1), true, "sideways");
    op_test_expect_error(&strange, STRIDER_BAD_MODEL, "round_mode");
}

static void bits_are_kept_where_they_are_as_many(void **state) {
    (void)state;
    OpTest test = {.op = "BitCast",
                   .opset = 26,
                   .attrs = {attr_int("to", numbers[STRIDER_I32])},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(2), 1, -0.0f)}};
    Tensor y = tensor_typed(STRIDER_I32, DIMS(2), 0x3f800000, -2147483648.0);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("to", numbers[STRIDER_I4]);
    test.inputs[0] = tensor_typed(STRIDER_U4, DIMS(3), 15, 8, 3);
    y = tensor_typed(STRIDER_I4, DIMS(3), -1, -8, 3);
    op_test_expect(&test, &y);
    test.attrs[0] = attr_int("to", numbers[STRIDER_F4E2M1]);
    test.inputs[0] = tensor_typed(STRIDER_I4, DIMS(2), -1, 2);
    y = tensor_typed(STRIDER_F4E2M1, DIMS(2), -6, 1);
    op_test_expect(&test, &y);
    test.inputs[0] = tensor_f32(DIMS(2), 1, 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "32 bits");
    test.attrs[0] = (Attr){0};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "to");
}

static void before_opset_6_the_type_is_a_name(void **state) {
    (void)state;
    OpTest test = {.op = "Cast",
                   .opset = 1,
                   .attrs = {attr_string("to", "INT32")},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(2), 1.5f, -2)}};
    Tensor y = tensor_typed(STRIDER_I32, DIMS(2), 1, -2);
    op_test_expect(&test, &y);
}

static void types_that_are_not_there_are_refused(void **state) {
    (void)state;
    OpTest complex = {.op = "Cast",
                      .opset = 13,
                      .attrs = {attr_int("to", 14)},
                      .n_inputs = 1,
                      .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&complex, STRIDER_UNSUPPORTED, "COMPLEX64");
    const int64_t strange[] = {0, -1, 99, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 5; i++) {
        complex.attrs[0] = attr_int("to", strange[i]);
        op_test_expect_error(&complex, STRIDER_UNSUPPORTED, "not supported");
    }
    complex.attrs[0] = (Attr){0};
    op_test_expect_error(&complex, STRIDER_BAD_MODEL, "to");
}

static void unknown_shapes_pass_through_casts(void **state) {
    (void)state;
    OpTest test = {.op = "Cast",
                   .opset = 13,
                   .attrs = {attr_int("to", numbers[STRIDER_I64])},
                   .n_inputs = 1,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, 3)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_int_equal(test.output_types[0].dtype, STRIDER_I64);
    assert_int_equal(test.output_types[0].shape.dims[0], -7);
    op_test_free(&test);
}

/* --- dropout --- */

static void dropout_at_inference_is_the_identity_in_every_opset(void **state) {
    (void)state;
    static const int opsets[] = {1, 6, 7, 10, 12, 13, 22, 28};
    for (size_t i = 0; i < sizeof opsets / sizeof *opsets; i++) {
        OpTest test = {.op = "Dropout",
                       .opset = opsets[i],
                       .attrs = {attr_float("ratio", 0.9f)},
                       .n_inputs = 1,
                       .n_outputs = 2,
                       .inputs = {tensor_f32(DIMS(3), 1, NAN, -3)}};
        Tensor y = tensor_f32(DIMS(3), 1, NAN, -3);
        Tensor mask = tensor_typed(opsets[i] < 10 ? STRIDER_F32 : STRIDER_BOOL, DIMS(3), 1, 1, 1);
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        assert_tensor_close(&test.outputs[0], &y, 0, 0);
        assert_tensor_close(&test.outputs[1], &mask, 0, 0);
        op_test_free(&test);
    }
}

static void dropout_in_training_keeps_all_where_nothing_is_to_be_dropped(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) { /* known while planning, or only in the run */
        Tensor y = tensor_f32(DIMS(1), 1);
        OpTest keep = {.op = "Dropout",
                       .opset = 13,
                       .n_inputs = 3,
                       .hide_inputs = hide,
                       .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(shape_scalar(), 0),
                                  tensor_typed(STRIDER_BOOL, shape_scalar(), 1)}};
        op_test_expect(&keep, &y);
        OpTest off = {.op = "Dropout",
                      .opset = 13,
                      .n_inputs = 3,
                      .hide_inputs = hide,
                      .inputs = {tensor_f32(DIMS(1), 1),
                                 {.data = NULL},
                                 tensor_typed(STRIDER_BOOL, shape_scalar(), 0)}};
        op_test_expect(&off, &y);
        OpTest empty = {.op = "Dropout",
                        .opset = 13,
                        .n_inputs = 3,
                        .hide_inputs = hide,
                        .inputs = {tensor_f32(DIMS(1), 1), op_test_tensor(STRIDER_F32, DIMS(0), "", 0),
                                   op_test_tensor(STRIDER_BOOL, DIMS(0), "", 0)}};
        op_test_expect(&empty, &y);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_becomes_every_type),
        cmocka_unit_test(wide_types_become_wide_types),
        cmocka_unit_test(floats_lose_their_fraction_and_saturate),
        cmocka_unit_test(integers_keep_their_low_bits),
        cmocka_unit_test(long_integers_are_rounded_once),
        cmocka_unit_test(a_bool_is_one_whatever_its_byte),
        cmocka_unit_test(floats_of_few_bits_saturate_where_they_should),
        cmocka_unit_test(powers_of_two_are_rounded_as_round_mode_says),
        cmocka_unit_test(bits_are_kept_where_they_are_as_many),
        cmocka_unit_test(before_opset_6_the_type_is_a_name),
        cmocka_unit_test(types_that_are_not_there_are_refused),
        cmocka_unit_test(unknown_shapes_pass_through_casts),
        cmocka_unit_test(dropout_at_inference_is_the_identity_in_every_opset),
        cmocka_unit_test(dropout_in_training_keeps_all_where_nothing_is_to_be_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
