/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of two or more inputs, and Where. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const DType float_types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
static const DType signed_types[] = {STRIDER_I8, STRIDER_I16, STRIDER_I32, STRIDER_I64};
static const DType unsigned_types[] = {STRIDER_U8, STRIDER_U16, STRIDER_U32, STRIDER_U64};

typedef struct Case {
    const char *op;
    int opset;
    Attr attr;
    int n;
    double a[5], b[5], y[5]; /* exact in every type they are used with */
} Case;

static void assert_combines(const Case *row, DType dtype, DType result) {
    uint64_t a[5], b[5], y[5];
    OpTest test = {.op = row->op,
                   .opset = row->opset,
                   .attrs = {row->attr},
                   .n_inputs = 2,
                   .inputs = {op_test_convert(dtype, DIMS(row->n), a, row->a, (size_t)row->n),
                              op_test_convert(dtype, DIMS(row->n), b, row->b, (size_t)row->n)}};
    Tensor expected = op_test_convert(result, DIMS(row->n), y, row->y, (size_t)row->n);
    if (op_test_run(&test))
        fail_msg("%s-%d of %s: %s", row->op, row->opset, dtype_name(dtype), test.error.message);
    assert_tensor_close(&test.outputs[0], &expected, 1e-6, 1e-6);
    op_test_free(&test);
}

static void arithmetic_is_right_in_every_float_type(void **state) {
    (void)state;
    const Case cases[] = {
        {"Add", 14, {0}, 3, {1, -2, INFINITY}, {0.5, 2, 1}, {1.5, 0, INFINITY}},
        {"Sub", 14, {0}, 3, {1, -2, INFINITY}, {0.5, 2, INFINITY}, {0.5, -4, NAN}},
        {"Mul", 14, {0}, 3, {1.5, -2, 0}, {2, 3, INFINITY}, {3, -6, NAN}},
        {"Div", 14, {0}, 4, {3, -2, 1, 0}, {2, 4, 0, 0}, {1.5, -0.5, INFINITY, NAN}},
        {"Pow", 15, {0}, 5, {2, 9, -2, -8, 0}, {3, 0.5, 3, 0.5, 0}, {8, 3, -8, NAN, 1}},
        {"Mod", 28, {0}, 4, {5, -5, 5, -5}, {3, 3, -3, -3}, {2, 1, -1, -2}},
        {"Mod", 13, attr_int("fmod", 1), 4, {5, -5, 5, -5}, {3, 3, -3, -3}, {2, -2, 2, -2}},
        {"Min", 13, {0}, 4, {1, 2, NAN, 1}, {2, 1, 1, NAN}, {1, 1, NAN, NAN}},
        {"Max", 13, {0}, 4, {1, 2, NAN, 1}, {2, 1, 1, NAN}, {2, 2, NAN, NAN}},
        {"Sum", 13, {0}, 2, {1, 2}, {0.5, -2}, {1.5, 0}},
        {"Mean", 13, {0}, 2, {1, 2}, {0.5, -2}, {0.75, 0}},
        {"PRelu", 16, {0}, 4, {-2, 0, 2, -1}, {0.25, 3, 3, -2}, {-0.5, 0, 2, 2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++)
            assert_combines(&cases[i], float_types[t], float_types[t]);
}

static void signed_integers_wrap_around_and_division_never_traps(void **state) {
    (void)state;
    for (int t = 0; t < 4; t++) {
        /* of 64 bits a double holds the lowest, not the highest */
        double low = -ldexp(1, 8 * (int)dtype_size(signed_types[t]) - 1);
        const Case cases[] = {
            {"Add", 14, {0}, 3, {low, -7, low}, {low, 5, 0}, {0, -2, low}},
            {"Sub", 14, {0}, 3, {low, -7, 0}, {low, 5, low}, {0, -12, low}},
            {"Mul", 14, {0}, 3, {low, -7, low}, {2, 5, -1}, {0, -35, low}},
            {"Div", 14, {0}, 5, {low, -7, 7, 5, low}, {-1, 2, -2, 0, 1}, {low, -3, -3, 0, low}},
            {"Mod", 13, {0}, 5, {low, -7, 7, 5, -6}, {-1, 3, -3, 0, 3}, {0, 2, -2, 0, 0}},
            {"Mod", 13, attr_int("fmod", 1), 4, {low, -7, 7, 5}, {-1, 3, -3, 0}, {0, -1, 1, 0}},
            {"Pow", 12, {0}, 5, {2, -3, -1, 2, low}, {3, 3, -3, -1, 2}, {8, -27, -1, 0, 0}},
            {"Min", 12, {0}, 3, {low, 1, -1}, {0, -1, 1}, {low, -1, -1}},
            {"Max", 12, {0}, 3, {low, 1, -1}, {0, -1, 1}, {0, 1, 1}},
            {"BitShift",
             28,
             attr_string("direction", "RIGHT"),
             4,
             {-8, 8, -8, 8},
             {1, 1, 100, 100},
             {-4, 4, -1, 0}},
            {"BitShift", 28, attr_string("direction", "RIGHT"), 2, {-8, 8}, {-1, -1}, {-1, 0}},
            {"BitShift", 28, attr_string("direction", "LEFT"), 3, {-3, 3, 3}, {2, 100, -1}, {-12, 0, 0}},
            {"BitwiseAnd", 18, {0}, 2, {-1, 6}, {low, 3}, {low, 2}},
            {"BitwiseOr", 18, {0}, 2, {-1, 6}, {low, 3}, {-1, 7}},
            {"BitwiseXor", 18, {0}, 2, {-1, 6}, {-1, 3}, {0, 5}},
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            assert_combines(&cases[i], signed_types[t], signed_types[t]);
    }
}

static void unsigned_integers_wrap_around(void **state) {
    (void)state;
    for (int t = 0; t < 4; t++) {
        double half = ldexp(1, 8 * (int)dtype_size(unsigned_types[t]) - 1);
        const Case cases[] = {
            {"Add", 14, {0}, 2, {half, 7}, {half, 5}, {0, 12}},
            {"Sub", 14, {0}, 2, {0, 7}, {half, 5}, {half, 2}},
            {"Mul", 14, {0}, 2, {half, 7}, {2, 5}, {0, 35}},
            {"Div", 14, {0}, 3, {half, 7, 7}, {2, 2, 0}, {half / 2, 3, 0}},
            {"Mod", 13, {0}, 3, {half, 7, 7}, {3, 3, 0}, {fmod(half, 3), 1, 0}},
            {"Min", 12, {0}, 2, {half, 1}, {1, 0}, {1, 0}},
            {"Max", 12, {0}, 2, {half, 1}, {1, 0}, {half, 1}},
            {"BitShift",
             11,
             attr_string("direction", "RIGHT"),
             3,
             {half, 9, 9},
             {1, 1, 64},
             {half / 2, 4, 0}},
            {"BitShift", 11, attr_string("direction", "LEFT"), 3, {half, 9, 9}, {1, 1, 64}, {0, 18, 0}},
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            assert_combines(&cases[i], unsigned_types[t], unsigned_types[t]);
    }
}

static void sixty_four_bits_are_exact(void **state) {
    (void)state;
    const int64_t odd = ((int64_t)1 << 62) + 1;
    static const struct {
        const char *op;
        int64_t y[2];
    } rows[] = {{"Add", {((int64_t)1 << 62) + 3, -((int64_t)1 << 62) + 1}},
                {"Sub", {((int64_t)1 << 62) - 1, -((int64_t)1 << 62) - 3}},
                {"Min", {2, -((int64_t)1 << 62) - 1}},
                {"Max", {((int64_t)1 << 62) + 1, 2}},
                {"Div", {(int64_t)1 << 61, -((int64_t)1 << 61)}},
                {"Mod", {1, 1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = rows[i].op,
                       .opset = 14,
                       .n_inputs = 2,
                       .inputs = {tensor_i64(DIMS(2), odd, -odd), tensor_i64(DIMS(1), 2)}};
        Tensor y = tensor_i64(DIMS(2), rows[i].y[0], rows[i].y[1]);
        op_test_expect(&test, &y);
    }
}

/* Equal numbers, which only their signs tell apart. */
static void a_remainder_of_zero_has_the_divisors_sign(void **state) {
    (void)state;
    const double x[] = {0.0, -0.0, 0.0, -0.0, 6, -6}, by[] = {-2, 2, 2, -2, -3, 3};
    for (int fmod_sign = 0; fmod_sign < 2; fmod_sign++)
        for (int t = 0; t < 4; t++) {
            uint64_t a[6], b[6];
            OpTest test = {.op = "Mod",
                           .opset = 28,
                           .attrs = {attr_int("fmod", fmod_sign)},
                           .n_inputs = 2,
                           .inputs = {op_test_convert(float_types[t], DIMS(6), a, x, 6),
                                      op_test_convert(float_types[t], DIMS(6), b, by, 6)}};
            assert_int_equal(op_test_run(&test), STRIDER_OK);
            for (int i = 0; i < 6; i++) {
                const double rest = tensor_get_f64(&test.outputs[0], i);
                assert_true(rest == 0 && !signbit(rest) == !signbit(fmod_sign ? x[i] : by[i]));
            }
            op_test_free(&test);
        }
}

static void comparisons_give_bool_for_every_type(void **state) {
    (void)state;
    const Case cases[] = {
        {"Equal", 19, {0}, 3, {1, 2, 3}, {2, 2, 2}, {0, 1, 0}},
        {"Greater", 13, {0}, 3, {1, 2, 3}, {2, 2, 2}, {0, 0, 1}},
        {"GreaterOrEqual", 16, {0}, 3, {1, 2, 3}, {2, 2, 2}, {0, 1, 1}},
        {"Less", 13, {0}, 3, {1, 2, 3}, {2, 2, 2}, {1, 0, 0}},
        {"LessOrEqual", 16, {0}, 3, {1, 2, 3}, {2, 2, 2}, {1, 1, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++) {
            assert_combines(&cases[i], float_types[t], STRIDER_BOOL);
            assert_combines(&cases[i], signed_types[t], STRIDER_BOOL);
            assert_combines(&cases[i], unsigned_types[t], STRIDER_BOOL);
        }
    const Case nan[] = {
        {"Equal", 19, {0}, 3, {NAN, 1, NAN}, {NAN, NAN, 1}, {0, 0, 0}},
        {"GreaterOrEqual", 16, {0}, 3, {NAN, 1, NAN}, {NAN, NAN, 1}, {0, 0, 0}},
        {"LessOrEqual", 16, {0}, 3, {NAN, 1, NAN}, {NAN, NAN, 1}, {0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof nan / sizeof *nan; i++)
        assert_combines(&nan[i], STRIDER_F32, STRIDER_BOOL);
    /* neighbours that a double cannot tell apart */
    const int64_t big = (int64_t)1 << 53;
    OpTest exact = {.op = "Less",
                    .opset = 13,
                    .n_inputs = 2,
                    .inputs = {tensor_i64(DIMS(1), big), tensor_i64(DIMS(1), big + 1)}};
    Tensor y = tensor_typed(STRIDER_BOOL, DIMS(1), 1);
    op_test_expect(&exact, &y);
    uint64_t high[] = {UINT64_MAX}, one[] = {1};
    OpTest wide = {.op = "Greater",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {op_test_tensor(STRIDER_U64, DIMS(1), high, 8),
                              op_test_tensor(STRIDER_U64, DIMS(1), one, 8)}};
    op_test_expect(&wide, &y);
}

static void logic_is_right_whatever_byte_stands_for_true(void **state) {
    (void)state;
    const Case cases[] = {
        {"And", 7, {0}, 4, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 0, 0, 1}},
        {"Or", 7, {0}, 4, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 1, 1, 1}},
        {"Xor", 7, {0}, 4, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 1, 1, 0}},
        {"Equal", 7, {0}, 4, {0, 0, 1, 1}, {0, 1, 0, 1}, {1, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_combines(&cases[i], STRIDER_BOOL, STRIDER_BOOL);
    uint8_t two[] = {2}, four[] = {4};
    OpTest odd = {.op = "And",
                  .opset = 7,
                  .n_inputs = 2,
                  .inputs = {op_test_tensor(STRIDER_BOOL, DIMS(1), two, 1),
                             op_test_tensor(STRIDER_BOOL, DIMS(1), four, 1)}};
    Tensor y = tensor_typed(STRIDER_BOOL, DIMS(1), 1);
    op_test_expect(&odd, &y);
}

static void pow_takes_an_exponent_of_another_type(void **state) {
    (void)state;
    OpTest by_integer = {.op = "Pow",
                         .opset = 15,
                         .n_inputs = 2,
                         .inputs = {tensor_f32(DIMS(3), 1.5f, -2, 4), tensor_i64(shape_scalar(), 3)}};
    Tensor y_by_integer = tensor_f32(DIMS(3), 3.375f, -8, 64);
    op_test_expect(&by_integer, &y_by_integer);
    OpTest of_integer = {.op = "Pow",
                         .opset = 15,
                         .n_inputs = 2,
                         .inputs = {tensor_i64(DIMS(3), 4, 2, 9), tensor_f32(DIMS(3), 0.5f, -1, 2)}};
    Tensor y_of_integer = tensor_i64(DIMS(3), 2, 0, 81);
    op_test_expect(&of_integer, &y_of_integer);
}

/* --- broadcasting --- */

static void inputs_broadcast_both_ways(void **state) {
    (void)state;
    OpTest both = {.op = "Add",
                   .opset = 7,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(2, 1), 10, 20), tensor_f32(DIMS(3), 1, 2, 3)}};
    Tensor y_both = tensor_f32(DIMS(2, 3), 11, 12, 13, 21, 22, 23);
    op_test_expect(&both, &y_both);
    OpTest middle = {.op = "Sub",
                     .opset = 7,
                     .n_inputs = 2,
                     .inputs = {tensor_f32(DIMS(2, 1, 2), 1, 2, 3, 4), tensor_f32(DIMS(1, 2, 1), 10, 20)}};
    Tensor y_middle = tensor_f32(DIMS(2, 2, 2), -9, -8, -19, -18, -7, -6, -17, -16);
    op_test_expect(&middle, &y_middle);
    OpTest scalar = {.op = "Mul",
                     .opset = 7,
                     .n_inputs = 2,
                     .inputs = {tensor_f32(shape_scalar(), 2), tensor_f32(DIMS(1, 2), 1, 2)}};
    Tensor y_scalar = tensor_f32(DIMS(1, 2), 2, 4);
    op_test_expect(&scalar, &y_scalar);
    OpTest scalars = {.op = "Mul",
                      .opset = 7,
                      .n_inputs = 2,
                      .inputs = {tensor_f32(shape_scalar(), 2), tensor_f32(shape_scalar(), 3)}};
    Tensor y_scalars = tensor_f32(shape_scalar(), 6);
    op_test_expect(&scalars, &y_scalars);
}

static void empty_dimensions_broadcast_with_ones_only(void **state) {
    (void)state;
    OpTest empty = {.op = "Add",
                    .opset = 7,
                    .n_inputs = 2,
                    .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 1), "", 0), tensor_f32(DIMS(3), 1, 2, 3)}};
    Tensor y_empty = op_test_tensor(STRIDER_F32, DIMS(0, 3), "", 0);
    op_test_expect(&empty, &y_empty);
    OpTest one = {.op = "Add",
                  .opset = 7,
                  .n_inputs = 2,
                  .inputs = {tensor_f32(DIMS(2, 1), 1, 2), op_test_tensor(STRIDER_F32, DIMS(0), "", 0)}};
    Tensor y_one = op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0);
    op_test_expect(&one, &y_one);
    OpTest misfit = {.op = "Add",
                     .opset = 7,
                     .n_inputs = 2,
                     .inputs = {op_test_tensor(STRIDER_F32, DIMS(0), "", 0), tensor_f32(DIMS(2), 1, 2)}};
    op_test_expect_error(&misfit, STRIDER_BAD_MODEL, "dimensions 0 and 2 do not broadcast");
}

static void any_number_of_inputs_broadcasts_together(void **state) {
    (void)state;
    static const struct {
        const char *op;
        float y[4];
    } rows[] = {{"Sum", {10, 12, 20, 22}},
                {"Mean", {10 / 3.0f, 4, 20 / 3.0f, 22 / 3.0f}},
                {"Min", {1, 1, 1, 1}},
                {"Max", {8, 8, 18, 18}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = rows[i].op,
                       .opset = 8,
                       .n_inputs = 3,
                       .inputs = {tensor_f32(DIMS(2), 1, 3), tensor_f32(DIMS(2, 1), 8, 18),
                                  tensor_f32(DIMS(1, 1, 1), 1)}};
        Tensor y = tensor_f32(DIMS(1, 2, 2), rows[i].y[0], rows[i].y[1], rows[i].y[2], rows[i].y[3]);
        op_test_expect(&test, &y);
        OpTest alone = {.op = rows[i].op, .opset = 8, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2), 1, -3)}};
        Tensor y_alone = tensor_f32(DIMS(2), 1, -3);
        op_test_expect(&alone, &y_alone);
    }
}

static void before_opset_7_the_second_input_stands_at_an_axis(void **state) {
    (void)state;
    for (int opset = 1; opset <= 6; opset += 5) {
        OpTest middle = {.op = "Add",
                         .opset = opset,
                         .attrs = {attr_int("broadcast", 1), attr_int("axis", 0)},
                         .n_inputs = 2,
                         .inputs = {tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), tensor_f32(DIMS(2), 10, 20)}};
        Tensor y_middle = tensor_f32(DIMS(2, 3), 11, 12, 13, 24, 25, 26);
        op_test_expect(&middle, &y_middle);
        OpTest end = {.op = "Add",
                      .opset = opset,
                      .attrs = {attr_int("broadcast", 1)},
                      .n_inputs = 2,
                      .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_f32(DIMS(2), 10, 20)}};
        Tensor y_end = tensor_f32(DIMS(2, 2), 11, 22, 13, 24);
        op_test_expect(&end, &y_end);
    }
    OpTest greater = {.op = "Greater",
                      .opset = 1,
                      .attrs = {attr_int("broadcast", 1), attr_int("axis", 0)},
                      .n_inputs = 2,
                      .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_f32(DIMS(2), 1, 3)}};
    Tensor y_greater = tensor_typed(STRIDER_BOOL, DIMS(2, 2), 0, 1, 0, 1);
    op_test_expect(&greater, &y_greater);
}

static void an_axis_that_no_input_fits_is_refused(void **state) {
    (void)state;
    const int64_t axes[] = {1, 2, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        OpTest test = {.op = "Add",
                       .opset = 6,
                       .attrs = {attr_int("broadcast", 1), attr_int("axis", axes[i])},
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_f32(DIMS(2, 1), 10, 20)}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "does not stand at axis");
    }
}

/* Sum never had the attributes; reading them would shape its output one way and its walk another. */
static void variadic_operators_ignore_the_legacy_attributes(void **state) {
    (void)state;
    static const char *const ops[] = {"Sum", "Mean", "Min", "Max"};
    for (int i = 0; i < 4; i++) {
        OpTest test = {.op = ops[i],
                       .opset = 6,
                       .attrs = {attr_int("broadcast", 1), attr_int("axis", 0)},
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), tensor_f32(DIMS(2), 10, 20)}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "do not broadcast");
    }
}

static void prelu_slopes_belong_to_channels_before_opset_7_and_broadcast_since(void **state) {
    (void)state;
    for (int opset = 1; opset <= 6; opset += 5) {
        OpTest channels = {.op = "PRelu",
                           .opset = opset,
                           .n_inputs = 2,
                           .inputs = {tensor_f32(DIMS(1, 2, 2), -1, -2, -3, 4), tensor_f32(DIMS(2), 2, 10)}};
        Tensor y_channels = tensor_f32(DIMS(1, 2, 2), -2, -4, -30, 4);
        op_test_expect(&channels, &y_channels);
        OpTest one = {.op = "PRelu",
                      .opset = opset,
                      .n_inputs = 2,
                      .inputs = {tensor_f32(DIMS(1, 2, 2), -1, -2, -3, 4), tensor_f32(DIMS(1), 2)}};
        Tensor y_one = tensor_f32(DIMS(1, 2, 2), -2, -4, -6, 4);
        op_test_expect(&one, &y_one);
    }
    OpTest last = {.op = "PRelu",
                   .opset = 7,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 2, 2), -1, -2, -3, 4), tensor_f32(DIMS(2), 2, 10)}};
    Tensor y_last = tensor_f32(DIMS(1, 2, 2), -2, -20, -6, 4);
    op_test_expect(&last, &y_last);
    OpTest square = {.op = "PRelu",
                     .opset = 9,
                     .n_inputs = 2,
                     .inputs = {tensor_f32(DIMS(1, 2, 1, 2), -1, -2, -3, 4), tensor_f32(DIMS(2), 2, 10)}};
    Tensor y_square = tensor_f32(DIMS(1, 2, 1, 2), -2, -20, -6, 4);
    op_test_expect(&square, &y_square);
    OpTest wide = {.op = "PRelu",
                   .opset = 16,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1), -1), tensor_f32(DIMS(2, 2), 1, 2, 3, 4)}};
    op_test_expect_error(&wide, STRIDER_BAD_MODEL, "slope");
}

/* As ONNX's reference implementation has it; there is nothing that such a slope could broadcast to. */
static void prelu_slopes_that_cannot_broadcast_belong_to_channels(void **state) {
    (void)state;
    static const int opsets[] = {7, 9, 16};
    for (int i = 0; i < 3; i++) {
        OpTest image = {.op = "PRelu",
                        .opset = opsets[i],
                        .n_inputs = 2,
                        .inputs = {tensor_f32(DIMS(2, 2, 1, 3), -1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12),
                                   tensor_f32(DIMS(2), 2, 10)}};
        Tensor y_image = tensor_f32(DIMS(2, 2, 1, 3), -2, -4, 3, -40, 5, -60, 7, -16, 9, -100, 11, -120);
        op_test_expect(&image, &y_image);
        OpTest of_batch = {
            .op = "PRelu",
            .opset = opsets[i],
            .n_inputs = 2,
            .inputs = {tensor_f32(DIMS(2, 1, 3), -1, -2, 3, -4, 5, -6), tensor_f32(DIMS(2), 2, 10)}};
        op_test_expect_error(&of_batch, STRIDER_BAD_MODEL, "do not broadcast");
        OpTest of_wide = {.op = "PRelu",
                          .opset = opsets[i],
                          .n_inputs = 2,
                          .inputs = {tensor_f32(DIMS(1, 2, 1), -1, -2), tensor_f32(DIMS(2), 2, 10)}};
        Tensor y_wide = tensor_f32(DIMS(1, 2, 1), -2, -20);
        op_test_expect(&of_wide, &y_wide);
    }
}

/* Which of both a slope means may depend on a width that is not known yet. */
static void prelu_keeps_its_shape_where_the_slopes_place_is_unclear(void **state) {
    (void)state;
    static const Shape slope = {1, {6}}, input = {4, {-7, 6, 3, DIM_UNKNOWN}};
    OpTest test = {.op = "PRelu",
                   .opset = 9,
                   .n_inputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, input}}, {.type = {STRIDER_F32, slope}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_true(shape_equal(&test.output_types[0].shape, &input));
    op_test_free(&test);
}

static void unknown_dimensions_broadcast_as_far_as_they_are_known(void **state) {
    (void)state;
    OpTest test = {.op = "Add",
                   .opset = 14,
                   .n_inputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, DIM_UNKNOWN, 1, 5)}},
                              {.type = {STRIDER_F32, DIMS(3, -9, DIM_UNKNOWN)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    const Shape *y = &test.output_types[0].shape;
    assert_int_equal(y->rank, 4);
    assert_int_equal(y->dims[0], -7);
    assert_int_equal(y->dims[1], 3);
    assert_int_equal(y->dims[2], -9);
    assert_int_equal(y->dims[3], 5);
    op_test_free(&test);
    OpTest rank = {.op = "Where",
                   .opset = 16,
                   .n_inputs = 3,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_BOOL, shape_unknown()}},
                              {.type = {STRIDER_F32, DIMS(2)}},
                              {.type = {STRIDER_F32, DIMS(2)}}}};
    assert_int_equal(op_test_run(&rank), STRIDER_OK);
    assert_int_equal(rank.output_types[0].shape.rank, RANK_UNKNOWN);
    op_test_free(&rank);
}

static void wrong_shapes_types_and_attributes_are_refused(void **state) {
    (void)state;
    OpTest shapes = {.op = "Add",
                     .opset = 14,
                     .n_inputs = 2,
                     .inputs = {tensor_f32(DIMS(2), 1, 2), tensor_f32(DIMS(3), 1, 2, 3)}};
    op_test_expect_error(&shapes, STRIDER_BAD_MODEL, "dimensions 2 and 3 do not broadcast");
    OpTest types = {
        .op = "Add", .opset = 14, .n_inputs = 2, .inputs = {tensor_f32(DIMS(1), 1), tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&types, STRIDER_BAD_MODEL, "input 0 is float32 and input 1 is int64");
    OpTest logic = {
        .op = "And", .opset = 7, .n_inputs = 2, .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&logic, STRIDER_UNSUPPORTED, "float32");
    OpTest sums = {
        .op = "Sum", .opset = 13, .n_inputs = 2, .inputs = {tensor_i64(DIMS(1), 1), tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&sums, STRIDER_UNSUPPORTED, "int64");
    OpTest direction = {
        .op = "BitShift",
        .opset = 11,
        .n_inputs = 2,
        .inputs = {tensor_typed(STRIDER_U8, DIMS(1), 1), tensor_typed(STRIDER_U8, DIMS(1), 1)}};
    op_test_expect_error(&direction, STRIDER_BAD_MODEL, "direction");
    direction.attrs[0] = attr_string("direction", "UP");
    op_test_expect_error(&direction, STRIDER_BAD_MODEL, "UP");
}

/* --- where --- */

static void where_chooses_for_every_type_with_three_way_broadcast(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_STRING; dtype++) {
        OpTest test = {.op = "Where",
                       .opset = 16,
                       .n_inputs = 3,
                       .inputs = {tensor_typed(STRIDER_BOOL, DIMS(2, 1), 1, 0),
                                  tensor_typed(dtype, DIMS(1, 2), 1, 0),
                                  tensor_typed(dtype, shape_scalar(), 1)}};
        Tensor y = tensor_typed(dtype, DIMS(2, 2), 1, 0, 1, 1);
        op_test_expect(&test, &y);
    }
}

static void where_refuses_conditions_that_are_no_bools_and_mixed_types(void **state) {
    (void)state;
    OpTest condition = {.op = "Where",
                        .opset = 9,
                        .n_inputs = 3,
                        .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(DIMS(1), 1), tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&condition, STRIDER_UNSUPPORTED, "float32");
    OpTest mixed = {
        .op = "Where",
        .opset = 9,
        .n_inputs = 3,
        .inputs = {tensor_typed(STRIDER_BOOL, DIMS(1), 1), tensor_f32(DIMS(1), 1), tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&mixed, STRIDER_BAD_MODEL, "one type");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_right_in_every_float_type),
        cmocka_unit_test(signed_integers_wrap_around_and_division_never_traps),
        cmocka_unit_test(unsigned_integers_wrap_around),
        cmocka_unit_test(sixty_four_bits_are_exact),
        cmocka_unit_test(a_remainder_of_zero_has_the_divisors_sign),
        cmocka_unit_test(comparisons_give_bool_for_every_type),
        cmocka_unit_test(logic_is_right_whatever_byte_stands_for_true),
        cmocka_unit_test(pow_takes_an_exponent_of_another_type),
        cmocka_unit_test(inputs_broadcast_both_ways),
        cmocka_unit_test(empty_dimensions_broadcast_with_ones_only),
        cmocka_unit_test(any_number_of_inputs_broadcasts_together),
        cmocka_unit_test(before_opset_7_the_second_input_stands_at_an_axis),
        cmocka_unit_test(an_axis_that_no_input_fits_is_refused),
        cmocka_unit_test(variadic_operators_ignore_the_legacy_attributes),
        cmocka_unit_test(prelu_slopes_belong_to_channels_before_opset_7_and_broadcast_since),
        cmocka_unit_test(prelu_slopes_that_cannot_broadcast_belong_to_channels),
        cmocka_unit_test(prelu_keeps_its_shape_where_the_slopes_place_is_unclear),
        cmocka_unit_test(unknown_dimensions_broadcast_as_far_as_they_are_known),
        cmocka_unit_test(wrong_shapes_types_and_attributes_are_refused),
        cmocka_unit_test(where_chooses_for_every_type_with_three_way_broadcast),
        cmocka_unit_test(where_refuses_conditions_that_are_no_bools_and_mixed_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
