/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, ArgMax and ArgMin. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const DType float_types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};

static void reductions_have_their_known_values_in_every_float_type(void **state) {
    (void)state;
    const struct {
        const char *op;
        double y[2]; /* of [[1, 2, -4], [0, 0, 3]] along axis 1 */
    } rows[] = {
        {"ReduceSum", {-1, 3}},
        {"ReduceMean", {-1 / 3.0, 1}},
        {"ReduceMax", {2, 3}},
        {"ReduceMin", {-4, 0}},
        {"ReduceProd", {-8, 0}},
        {"ReduceL1", {7, 3}},
        {"ReduceL2", {4.58257569495584, 3}},
        {"ReduceSumSquare", {21, 9}},
        {"ReduceLogSum", {NAN, 1.0986122886681098}},
        {"ReduceLogSumExp", {2.315072160665251, 3.0949229564209606}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int t = 0; t < 4; t++)
            for (int keep = 0; keep < 2; keep++) {
                uint64_t expected[2];
                OpTest test = {.op = rows[i].op,
                               .opset = 11,
                               .attrs = {attr_ints("axes", -1), attr_int("keepdims", keep)},
                               .n_inputs = 1,
                               .inputs = {tensor_typed(float_types[t], DIMS(2, 3), 1, 2, -4, 0, 0, 3)}};
                Tensor y =
                    op_test_convert(float_types[t], keep ? DIMS(2, 1) : DIMS(2), expected, rows[i].y, 2);
                op_test_expect(&test, &y);
            }
}

/* Whatever the order of the factors, for few and for many. */
static void products_are_not_lost_on_the_way(void **state) {
    (void)state;
    enum { ROWS = 6, MAX_COUNT = 40 };
    static const float factors[ROWS][4] = {{1e30f, 1e30f, 1e-30f, 1e-30f}, {1e-40f, 1e-40f, 1e38f, 1e38f},
                                           {0, 3e38f, 3e38f, -3e38f},      {INFINITY, 0, 1, 1},
                                           {-INFINITY, 1e-45f, 1, 1},      {NAN, 1e38f, 0, 1}};
    static float x[ROWS * MAX_COUNT];
    static const int counts[] = {8, MAX_COUNT};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const int n = counts[c];
        for (int row = 0; row < ROWS; row++)
            for (int i = 0; i < n; i++)
                x[row * n + i] = factors[row][i * 4 / n];
        OpTest test = {
            .op = "ReduceProd",
            .opset = 13,
            .attrs = {attr_ints("axes", 1), attr_int("keepdims", 0)},
            .n_inputs = 1,
            .inputs = {op_test_tensor(STRIDER_F32, DIMS(ROWS, n), x, (size_t)(ROWS * n) * sizeof *x)}};
        const double second = pow((double)1e-40f * (double)1e38f, n / 2);
        Tensor y = tensor_f32(DIMS(ROWS), (float)pow((double)1e30f * (double)1e-30f, n / 2), (float)second, 0,
                              NAN, n / 4 % 2 ? -INFINITY : INFINITY, NAN);
        op_test_expect(&test, &y);
    }
}

static void axes_are_attributes_first_and_inputs_later(void **state) {
    (void)state;
    static const struct {
        const char *op;
        int opset;
    } rows[] = {{"ReduceSum", 13}, {"ReduceSum", 28}, {"ReduceMax", 18}, {"ReduceMax", 28}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool sum = strcmp(rows[i].op, "ReduceSum") == 0;
        OpTest input = {.op = rows[i].op,
                        .opset = rows[i].opset,
                        .attrs = {attr_int("keepdims", 0)},
                        .n_inputs = 2,
                        .inputs = {tensor_f32(DIMS(2, 2, 1), 1, 2, 3, 4), tensor_i64(DIMS(2), 0, -1)}};
        Tensor y = tensor_f32(DIMS(2), sum ? 4 : 3, sum ? 6 : 4);
        op_test_expect(&input, &y);
        /* contents that only a run knows give the same */
        input.hide_inputs = true;
        op_test_expect(&input, &y);
    }
    OpTest old = {.op = "ReduceMax",
                  .opset = 1,
                  .attrs = {attr_ints("axes", 0, 2), attr_int("keepdims", 0)},
                  .n_inputs = 1,
                  .inputs = {tensor_f32(DIMS(2, 2, 1), 1, 2, 3, 4)}};
    Tensor y_old = tensor_f32(DIMS(2), 3, 4);
    op_test_expect(&old, &y_old);
}

static void no_axes_mean_all_unless_noop_with_empty_axes(void **state) {
    (void)state;
    Tensor all = tensor_f32(DIMS(1, 1), 10), same = tensor_f32(DIMS(2, 2), 1, 2, 3, 4);
    for (int given = 0; given < 2; given++)
        for (int noop = 0; noop < 2; noop++) {
            OpTest test = {
                .op = "ReduceSum",
                .opset = 13,
                .attrs = {attr_int("noop_with_empty_axes", noop)},
                .n_inputs = 1 + given,
                .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), op_test_tensor(STRIDER_I64, DIMS(0), "", 0)}};
            op_test_expect(&test, noop ? &same : &all);
        }
    OpTest squares = {.op = "ReduceSumSquare",
                      .opset = 18,
                      .attrs = {attr_int("noop_with_empty_axes", 1)},
                      .n_inputs = 1,
                      .inputs = {tensor_f32(DIMS(2), 2, -3)}};
    Tensor y_squares = tensor_f32(DIMS(2), 4, 9);
    op_test_expect(&squares, &y_squares);
    OpTest scalar = {
        .op = "ReduceMean", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(shape_scalar(), 3)}};
    Tensor y_scalar = tensor_f32(shape_scalar(), 3);
    op_test_expect(&scalar, &y_scalar);
}

static void reductions_of_nothing_are_their_neutral_element(void **state) {
    (void)state;
    const struct {
        const char *op;
        float y;
    } rows[] = {{"ReduceSum", 0},
                {"ReduceProd", 1},
                {"ReduceMax", -INFINITY},
                {"ReduceMin", INFINITY},
                {"ReduceL1", 0},
                {"ReduceL2", 0},
                {"ReduceSumSquare", 0},
                {"ReduceLogSum", -INFINITY},
                {"ReduceLogSumExp", -INFINITY},
                {"ReduceMean", NAN}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = rows[i].op,
                       .opset = 11,
                       .attrs = {attr_ints("axes", 1)},
                       .n_inputs = 1,
                       .inputs = {op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0)}};
        Tensor y = tensor_f32(DIMS(2, 1), rows[i].y, rows[i].y);
        op_test_expect(&test, &y);
    }
    static const struct {
        DType dtype;
        double low, high;
    } types[] = {{STRIDER_I8, -128, 127},
                 {STRIDER_U8, 0, 255},
                 {STRIDER_I32, -0x1p31, 0x1p31 - 1},
                 {STRIDER_BOOL, 0, 1},
                 {STRIDER_I64, -0x1p63, 0x1p63},
                 {STRIDER_U64, 0, 0x1p64}}; /* 2^63 and 2^64 saturate */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int max = 0; max < 2; max++) {
            OpTest test = {.op = max ? "ReduceMax" : "ReduceMin",
                           .opset = 20,
                           .n_inputs = 1,
                           .inputs = {op_test_tensor(types[i].dtype, DIMS(0), "", 0)}};
            Tensor y = tensor_typed(types[i].dtype, DIMS(1), max ? types[i].low : types[i].high);
            op_test_expect(&test, &y);
        }
    OpTest beside = {.op = "ReduceSum",
                     .opset = 11,
                     .attrs = {attr_ints("axes", 1)},
                     .n_inputs = 1,
                     .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0)}};
    Tensor y_beside = op_test_tensor(STRIDER_F32, DIMS(0, 1), "", 0);
    op_test_expect(&beside, &y_beside);
}

static void nan_and_infinities_come_through(void **state) {
    (void)state;
    static const struct {
        const char *op;
        float x[2], y;
    } rows[] = {{"ReduceMax", {NAN, 1}, NAN},
                {"ReduceMax", {1, NAN}, NAN},
                {"ReduceMin", {1, NAN}, NAN},
                {"ReduceLogSumExp", {NAN, 1}, NAN},
                {"ReduceLogSumExp", {INFINITY, 1}, INFINITY},
                {"ReduceLogSumExp", {-INFINITY, -INFINITY}, -INFINITY},
                {"ReduceLogSumExp", {-INFINITY, 1}, 1},
                {"ReduceLogSumExp", {1000, 1000}, 1000.693147f},
                {"ReduceL2", {3e38f, 0}, 3e38f}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = rows[i].op,
                       .opset = 13,
                       .attrs = {attr_int("keepdims", 0)},
                       .n_inputs = 1,
                       .inputs = {tensor_f32(DIMS(2), rows[i].x[0], rows[i].x[1])}};
        Tensor y = tensor_f32(shape_scalar(), rows[i].y);
        op_test_expect(&test, &y);
    }
}

static void integers_are_exact_and_wrap_around(void **state) {
    (void)state;
    const int64_t odd = ((int64_t)1 << 62) + 1;
    static const struct {
        const char *op;
        int64_t y;
    } rows[] = {{"ReduceSum", INT64_MIN + 2},          {"ReduceProd", INT64_MIN + 1}, /* 2^124 + 2^63 + 1 */
                {"ReduceMax", ((int64_t)1 << 62) + 1}, {"ReduceMin", ((int64_t)1 << 62) + 1},
                {"ReduceL1", INT64_MIN + 2},           {"ReduceSumSquare", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {
            .op = rows[i].op, .opset = 11, .n_inputs = 1, .inputs = {tensor_i64(DIMS(2), odd, odd)}};
        Tensor y = tensor_i64(DIMS(1), rows[i].y);
        op_test_expect(&test, &y);
    }
    uint64_t high[] = {UINT64_MAX, UINT64_MAX - 1}, sum[] = {UINT64_MAX - 2};
    static const char *const ops[] = {"ReduceMax", "ReduceMin", "ReduceSum"};
    const uint64_t *const ys[] = {&high[0], &high[1], &sum[0]};
    for (int i = 0; i < 3; i++) {
        OpTest test = {.op = ops[i],
                       .opset = 12,
                       .n_inputs = 1,
                       .inputs = {op_test_tensor(STRIDER_U64, DIMS(2), high, 16)}};
        uint64_t y = *ys[i];
        Tensor expected = op_test_tensor(STRIDER_U64, DIMS(1), &y, 8);
        op_test_expect(&test, &expected);
    }
    OpTest narrow = {.op = "ReduceSum",
                     .opset = 11,
                     .n_inputs = 1,
                     .inputs = {tensor_typed(STRIDER_I32, DIMS(2), 0x1p31 - 1, 1)}};
    Tensor y_narrow = tensor_typed(STRIDER_I32, DIMS(1), -0x1p31);
    op_test_expect(&narrow, &y_narrow);
    OpTest mean = {.op = "ReduceMean", .opset = 11, .n_inputs = 1, .inputs = {tensor_i64(DIMS(2), 2, 5)}};
    Tensor y_mean = tensor_i64(DIMS(1), 3);
    op_test_expect(&mean, &y_mean);
}

/* A sum in f16 itself stops growing at 2048. */
static void many_small_terms_are_not_lost(void **state) {
    (void)state;
    enum { N = 5000 };
    static uint16_t ones[N];
    for (int i = 0; i < N; i++)
        ones[i] = f32_to_f16(1);
    OpTest test = {.op = "ReduceSum",
                   .opset = 13,
                   .n_inputs = 1,
                   .inputs = {op_test_tensor(STRIDER_F16, DIMS(N), ones, 2 * N)}};
    Tensor y = tensor_typed(STRIDER_F16, DIMS(1), N);
    op_test_expect(&test, &y);
}

static void axes_that_are_not_distinct_axes_are_refused(void **state) {
    (void)state;
    const int64_t wrong[][2] = {{0, 0}, {0, -2}, {0, 2}, {0, -3}, {INT64_MIN, 0}, {INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {
                .op = "ReduceSum",
                .opset = 13,
                .n_inputs = 2,
                .hide_inputs = hide,
                .inputs = {tensor_f32(DIMS(1, 2), 1, 2), tensor_i64(DIMS(2), wrong[i][0], wrong[i][1])}};
            op_test_expect_error(&test, STRIDER_BAD_MODEL, "not distinct axes of an input of rank 2");
        }
    OpTest type = {.op = "ReduceSum",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(DIMS(1), 0)}};
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "float32");
    OpTest bools = {
        .op = "ReduceSum", .opset = 13, .n_inputs = 1, .inputs = {tensor_typed(STRIDER_BOOL, DIMS(1), 1)}};
    op_test_expect_error(&bools, STRIDER_UNSUPPORTED, "bool");
}

static void unknown_dimensions_and_axes_stay_unknown(void **state) {
    (void)state;
    OpTest test = {.op = "ReduceMean",
                   .opset = 13,
                   .attrs = {attr_ints("axes", 2, -1)},
                   .n_inputs = 1,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, 3, DIM_UNKNOWN, 5)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(-7, 3, 1, 1));
    op_test_free(&test);
    OpTest axes = {.op = "ReduceMean",
                   .opset = 18,
                   .n_inputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(2, 3)}}, {.type = {STRIDER_I64, DIMS(1)}}}};
    assert_int_equal(op_test_run(&axes), STRIDER_OK);
    assert_shape(&axes.output_types[0].shape, DIMS(DIM_UNKNOWN, DIM_UNKNOWN));
    op_test_free(&axes);
    axes.attrs[0] = attr_int("keepdims", 0);
    assert_int_equal(op_test_run(&axes), STRIDER_OK);
    assert_int_equal(axes.output_types[0].shape.rank, RANK_UNKNOWN);
    op_test_free(&axes);
}

/* --- ArgMax, ArgMin --- */

static void arg_max_gives_the_first_or_the_last_of_equals(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++)
        for (int last = 0; last < 2; last++) {
            OpTest largest = {.op = "ArgMax",
                              .opset = 13,
                              .attrs = {attr_int("axis", 1), attr_int("select_last_index", last)},
                              .n_inputs = 1,
                              .inputs = {tensor_typed(dtype, DIMS(2, 3), 1, 7, 7, 2, 1, 0)}};
            Tensor y_largest = tensor_i64(DIMS(2, 1), last ? 2 : 1, 0);
            op_test_expect(&largest, &y_largest);
            OpTest smallest = {
                .op = "ArgMin",
                .opset = 13,
                .attrs = {attr_int("axis", -2), attr_int("select_last_index", last), attr_int("keepdims", 0)},
                .n_inputs = 1,
                .inputs = {tensor_typed(dtype, DIMS(2, 3), 1, 7, 7, 1, 1, 9)}};
            Tensor y_smallest = tensor_i64(DIMS(3), last ? 1 : 0, 1, 0);
            op_test_expect(&smallest, &y_smallest);
        }
}

static void arg_max_tells_neighbours_of_64_bits_apart_and_finds_nan(void **state) {
    (void)state;
    const int64_t big = (int64_t)1 << 53;
    OpTest exact = {
        .op = "ArgMax", .opset = 13, .n_inputs = 1, .inputs = {tensor_i64(DIMS(2), big, big + 1)}};
    Tensor one = tensor_i64(DIMS(1), 1);
    op_test_expect(&exact, &one);
    uint64_t high[] = {UINT64_MAX - 1, UINT64_MAX};
    OpTest wide = {.op = "ArgMax",
                   .opset = 13,
                   .n_inputs = 1,
                   .inputs = {op_test_tensor(STRIDER_U64, DIMS(2), high, 16)}};
    op_test_expect(&wide, &one);
    static const char *const ops[] = {"ArgMax", "ArgMin"};
    for (int i = 0; i < 2; i++) {
        OpTest nan = {
            .op = ops[i], .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(DIMS(4), 1, NAN, NAN, 2)}};
        op_test_expect(&nan, &one);
    }
}

static void arg_max_refuses_what_has_no_maximum(void **state) {
    (void)state;
    OpTest empty = {.op = "ArgMax",
                    .opset = 13,
                    .n_inputs = 1,
                    .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0)}};
    op_test_expect_error(&empty, STRIDER_BAD_MODEL, "axis 0 is empty");
    OpTest beside = {.op = "ArgMax",
                     .opset = 13,
                     .attrs = {attr_int("axis", 1)},
                     .n_inputs = 1,
                     .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0)}};
    Tensor y_beside = op_test_tensor(STRIDER_I64, DIMS(0, 1), "", 0);
    op_test_expect(&beside, &y_beside);
    OpTest axis = {.op = "ArgMax",
                   .opset = 13,
                   .attrs = {attr_int("axis", 2)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1), 1)}};
    op_test_expect_error(&axis, STRIDER_BAD_MODEL, "axis 2 is outside [-2, 2)");
    OpTest scalar = {.op = "ArgMax", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(shape_scalar(), 1)}};
    op_test_expect_error(&scalar, STRIDER_BAD_MODEL, "axis 0 is outside");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_have_their_known_values_in_every_float_type),
        cmocka_unit_test(products_are_not_lost_on_the_way),
        cmocka_unit_test(axes_are_attributes_first_and_inputs_later),
        cmocka_unit_test(no_axes_mean_all_unless_noop_with_empty_axes),
        cmocka_unit_test(reductions_of_nothing_are_their_neutral_element),
        cmocka_unit_test(nan_and_infinities_come_through),
        cmocka_unit_test(integers_are_exact_and_wrap_around),
        cmocka_unit_test(many_small_terms_are_not_lost),
        cmocka_unit_test(axes_that_are_not_distinct_axes_are_refused),
        cmocka_unit_test(unknown_dimensions_and_axes_stay_unknown),
        cmocka_unit_test(arg_max_gives_the_first_or_the_last_of_equals),
        cmocka_unit_test(arg_max_tells_neighbours_of_64_bits_apart_and_finds_nan),
        cmocka_unit_test(arg_max_refuses_what_has_no_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
