/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices and what marks or turns parts of tensors: Trilu, EyeLike, OneHot, ReverseSequence, CenterCropPad,
 * Det. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Tensor nothing(DType dtype, Shape shape) {
    return op_test_tensor(dtype, shape, "", 0);
}

/* Types only, with contents unknown. */
static Tensor typed(DType dtype, Shape shape) {
    return (Tensor){.type = {dtype, shape}};
}

static void expect_inferred(OpTest *test, Shape expected) {
    test->infer_only = true;
    if (op_test_run(test))
        fail_msg("%s", test->error.message);
    assert_shape(&test->output_types[0].shape, expected);
    op_test_free(test);
}

/* --- Trilu --- */

static void trilu_keeps_one_side_of_a_diagonal_of_every_type(void **state) {
    (void)state;
    static const double x[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++)
        for (int upper = 0; upper < 2; upper++)
            for (int64_t k = -5; k <= 5; k++) {
                uint64_t in[12] = {0}, out[12] = {0};
                double y[12];
                for (int i = 0; i < 12; i++) { /* two matrices of two rows and three columns */
                    const int64_t row = i / 3 % 2, column = i % 3;
                    y[i] = (upper ? column >= row + k : column <= row + k) ? x[i] : 0;
                }
                OpTest test = {.op = "Trilu",
                               .opset = 14,
                               .attrs = {attr_int("upper", upper)},
                               .n_inputs = 2,
                               .inputs = {op_test_convert(dtype, DIMS(2, 2, 3), in, x, 12),
                                          tensor_i64(shape_scalar(), k)}};
                Tensor expected = op_test_convert(dtype, DIMS(2, 2, 3), out, y, 12);
                op_test_expect(&test, &expected);
            }
}

static void trilu_takes_the_upper_side_of_the_main_diagonal_by_default(void **state) {
    (void)state;
    OpTest test = {.op = "Trilu", .opset = 14, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4)}};
    Tensor y = tensor_f32(DIMS(2, 2), 1, 2, 0, 4);
    op_test_expect(&test, &y);
    OpTest none = {
        .op = "Trilu", .opset = 14, .n_inputs = 1, .inputs = {nothing(STRIDER_F32, DIMS(3, 0, 2))}};
    Tensor empty = nothing(STRIDER_F32, DIMS(3, 0, 2));
    op_test_expect(&none, &empty);
}

static void trilu_bears_any_diagonal_and_refuses_what_is_none(void **state) {
    (void)state;
    const int64_t far[] = {INT64_MIN, INT64_MAX};
    for (int i = 0; i < 2; i++)
        for (int upper = 0; upper < 2; upper++) {
            OpTest test = {.op = "Trilu",
                           .opset = 14,
                           .attrs = {attr_int("upper", upper)},
                           .n_inputs = 2,
                           .inputs = {tensor_f32(DIMS(2, 1), 1, 2), tensor_i64(DIMS(1), far[i])}};
            Tensor all = tensor_f32(DIMS(2, 1), 1, 2), zeros = tensor_f32(DIMS(2, 1), 0, 0);
            op_test_expect(&test, upper == (i == 0) ? &all : &zeros);
        }
    OpTest flat = {.op = "Trilu", .opset = 14, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2), 1, 2)}};
    op_test_expect_error(&flat, STRIDER_BAD_MODEL, "rank 1");
    OpTest two = {.op = "Trilu",
                  .opset = 14,
                  .n_inputs = 2,
                  .inputs = {tensor_f32(DIMS(1, 1), 1), tensor_i64(DIMS(2), 1, 2)}};
    op_test_expect_error(&two, STRIDER_BAD_MODEL, "input 1 must be a scalar");
}

/* --- EyeLike --- */

static void eye_like_has_ones_on_its_diagonal(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_BOOL; dtype++) {
        OpTest test = {.op = "EyeLike",
                       .opset = 22,
                       .attrs = {attr_int("k", 1)},
                       .n_inputs = 1,
                       .inputs = {tensor_typed(dtype, DIMS(3, 2), 9, 9, 9, 9, 9, 9)}};
        Tensor y = tensor_typed(dtype, DIMS(3, 2), 0, 1, 0, 0, 0, 0);
        op_test_expect(&test, &y);
    }
    OpTest cast = {.op = "EyeLike",
                   .opset = 9,
                   .attrs = {attr_int("k", -1), attr_int("dtype", 11)},
                   .n_inputs = 1,
                   .inputs = {tensor_i64(DIMS(2, 2), 5, 6, 7, 8)}};
    Tensor double_y = tensor_typed(STRIDER_F64, DIMS(2, 2), 0, 0, 1, 0);
    op_test_expect(&cast, &double_y);
    const int64_t far[] = {INT64_MIN, INT64_MAX, 2, -2};
    for (int i = 0; i < 4; i++) {
        OpTest outside = {.op = "EyeLike",
                          .opset = 9,
                          .attrs = {attr_int("k", far[i])},
                          .n_inputs = 1,
                          .inputs = {tensor_f32(DIMS(1, 2), 1, 2)}};
        Tensor zeros = tensor_f32(DIMS(1, 2), 0, 0);
        op_test_expect(&outside, &zeros);
    }
}

static void eye_like_refuses_what_is_no_matrix(void **state) {
    (void)state;
    OpTest flat = {.op = "EyeLike", .opset = 9, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2), 1, 2)}};
    op_test_expect_error(&flat, STRIDER_BAD_MODEL, "rank 1, must have 2");
    OpTest type = {.op = "EyeLike",
                   .opset = 9,
                   .attrs = {attr_int("dtype", 99)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1), 1)}};
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "data type 99");
    OpTest open = {.op = "EyeLike", .opset = 9, .n_inputs = 1, .inputs = {typed(STRIDER_F32, DIMS(-7, 3))}};
    expect_inferred(&open, DIMS(-7, 3));
}

/* --- OneHot --- */

#define ONE_HOT(OPSET, AXIS, INDICES, DEPTH, VALUES)                                                         \
    {                                                                                                        \
        .op = "OneHot", .opset = OPSET, .attrs = {attr_int("axis", AXIS)}, .n_inputs = 3, .inputs = {        \
            INDICES,                                                                                         \
            DEPTH,                                                                                           \
            VALUES                                                                                           \
        }                                                                                                    \
    }

static void one_hot_marks_an_index_along_its_axis(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest last = ONE_HOT(11, -1, tensor_i64(DIMS(3), 0, 2, 1), tensor_i64(shape_scalar(), 3),
                              tensor_f32(DIMS(2), 5, 7));
        Tensor y_last = tensor_f32(DIMS(3, 3), 7, 5, 5, 5, 5, 7, 5, 7, 5);
        last.hide_inputs = hide;
        op_test_expect(&last, &y_last);
        OpTest first =
            ONE_HOT(11, 0, tensor_i64(DIMS(1, 2), 1, 0), tensor_i64(DIMS(1), 3), tensor_f32(DIMS(2), 0, 1));
        Tensor y_first = tensor_f32(DIMS(3, 1, 2), 0, 1, 1, 0, 0, 0);
        first.hide_inputs = hide;
        op_test_expect(&first, &y_first);
        OpTest middle =
            ONE_HOT(11, -2, tensor_i64(DIMS(1, 2), 1, 0), tensor_i64(DIMS(1), 2), tensor_f32(DIMS(2), 0, 1));
        Tensor y_middle = tensor_f32(DIMS(1, 2, 2), 0, 1, 1, 0);
        middle.hide_inputs = hide;
        op_test_expect(&middle, &y_middle);
        OpTest scalar =
            ONE_HOT(11, 0, tensor_i64(shape_scalar(), 1), tensor_i64(DIMS(1), 2), tensor_f32(DIMS(2), 0, 1));
        Tensor y_scalar = tensor_f32(DIMS(2), 0, 1);
        scalar.hide_inputs = hide;
        op_test_expect(&scalar, &y_scalar);
    }
}

static void one_hot_takes_numbers_of_every_type(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++) {
        OpTest test = ONE_HOT(28, -1, tensor_typed(dtype, DIMS(2), 1, 3), tensor_typed(dtype, DIMS(1), 3),
                              tensor_typed(dtype, DIMS(2), 2, 3));
        Tensor y = tensor_typed(dtype, DIMS(2, 3), 2, 3, 2, 2, 2, 2);
        op_test_expect(&test, &y);
    }
    OpTest fraction = ONE_HOT(9, -1, tensor_f32(DIMS(1), 1.9f), tensor_f32(DIMS(1), 2.5f),
                              tensor_typed(STRIDER_BOOL, DIMS(2), 0, 1));
    Tensor y = tensor_typed(STRIDER_BOOL, DIMS(1, 2), 0, 1);
    op_test_expect(&fraction, &y);
}

static void one_hot_counts_negative_indices_from_the_end_since_opset_11(void **state) {
    (void)state;
    for (int opset = 9; opset <= 11; opset += 2) {
        OpTest test = ONE_HOT(opset, -1, tensor_i64(DIMS(5), -1, -3, -4, 3, INT64_MIN),
                              tensor_i64(DIMS(1), 3), tensor_i64(DIMS(2), 0, 1));
        Tensor wrapped = tensor_i64(DIMS(5, 3), 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        Tensor off = tensor_i64(DIMS(5, 3), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        op_test_expect(&test, opset == 11 ? &wrapped : &off);
    }
    OpTest empty =
        ONE_HOT(11, -1, tensor_i64(DIMS(2), 0, 1), tensor_i64(DIMS(1), 0), tensor_i64(DIMS(2), 0, 1));
    Tensor none = nothing(STRIDER_I64, DIMS(2, 0));
    op_test_expect(&empty, &none);
}

static void one_hot_refuses_what_does_not_fit(void **state) {
    (void)state;
    Tensor one = tensor_i64(DIMS(1), 0), two = tensor_i64(DIMS(2), 0, 1);
    OpTest negative = ONE_HOT(11, -1, one, tensor_i64(DIMS(1), -1), two);
    op_test_expect_error(&negative, STRIDER_BAD_MODEL, "depth is -1");
    negative = (OpTest)ONE_HOT(11, -1, one, tensor_i64(DIMS(1), -1), two);
    negative.hide_inputs = true;
    op_test_expect_error(&negative, STRIDER_BAD_MODEL, "depth is -1");
    OpTest depths = ONE_HOT(11, -1, one, two, two);
    op_test_expect_error(&depths, STRIDER_BAD_MODEL, "input 1 must be a scalar");
    OpTest values = ONE_HOT(11, -1, one, one, tensor_i64(DIMS(3), 0, 1, 2));
    op_test_expect_error(&values, STRIDER_BAD_MODEL, "values has 3 elements");
    OpTest axis = ONE_HOT(11, 2, one, one, two);
    op_test_expect_error(&axis, STRIDER_BAD_MODEL, "axis 2 is outside [-2, 2)");
    OpTest deep = ONE_HOT(11, 0, tensor_i64(DIMS(1, 1, 1, 1, 1, 1, 1, 1), 0), one, two);
    op_test_expect_error(&deep, STRIDER_BAD_MODEL, "rank 8");
    OpTest open = ONE_HOT(11, 1, typed(STRIDER_I64, DIMS(-7, 3)), typed(STRIDER_I64, DIMS(1)), two);
    expect_inferred(&open, DIMS(-7, DIM_UNKNOWN, 3));
}

/* --- ReverseSequence --- */

static void reverse_sequence_turns_the_beginnings_of_sequences(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_U64; dtype++) {
        OpTest time_first = {
            .op = "ReverseSequence",
            .opset = 10,
            .attrs = {attr_int("time_axis", 0), attr_int("batch_axis", 1)},
            .n_inputs = 2,
            .inputs = {tensor_typed(dtype, DIMS(3, 2), 0, 3, 1, 4, 2, 5), tensor_i64(DIMS(2), 3, 2)}};
        Tensor y = tensor_typed(dtype, DIMS(3, 2), 2, 4, 1, 3, 0, 5);
        op_test_expect(&time_first, &y);
    }
    OpTest batch_first = {
        .op = "ReverseSequence",
        .opset = 10,
        .attrs = {attr_int("time_axis", 1), attr_int("batch_axis", 0)},
        .n_inputs = 2,
        .inputs = {tensor_f32(DIMS(2, 2, 2), 0, 1, 2, 3, 4, 5, 6, 7), tensor_i64(DIMS(2), 2, 0)}};
    Tensor y = tensor_f32(DIMS(2, 2, 2), 2, 3, 0, 1, 4, 5, 6, 7);
    op_test_expect(&batch_first, &y);
}

static void reverse_sequence_refuses_other_axes_and_lengths(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(2, 1), 1, 2);
    const int64_t axes[][2] = {{0, 0}, {1, 1}, {0, 2}, {-1, 0}};
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        OpTest test = {.op = "ReverseSequence",
                       .opset = 10,
                       .attrs = {attr_int("time_axis", axes[i][0]), attr_int("batch_axis", axes[i][1])},
                       .n_inputs = 2,
                       .inputs = {x, tensor_i64(DIMS(1), 1)}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "must be 0 and 1, or 1 and 0");
    }
    const int64_t lengths[] = {-1, 3, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        OpTest test = {.op = "ReverseSequence",
                       .opset = 10,
                       .n_inputs = 2,
                       .inputs = {x, tensor_i64(DIMS(1), lengths[i])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "of 2 elements");
    }
    OpTest count = {
        .op = "ReverseSequence", .opset = 10, .n_inputs = 2, .inputs = {x, tensor_i64(DIMS(2), 1, 1)}};
    op_test_expect_error(&count, STRIDER_BAD_MODEL, "2 lengths for 1 sequences");
}

/* --- CenterCropPad --- */

static void center_crop_pad_keeps_the_middle(void **state) {
    (void)state;
    static const struct {
        int64_t length;
        float y[6];
    } rows[] = {{4, {1, 2, 3, 4}},      {1, {2}}, {2, {2, 3}}, {3, {1, 2, 3}}, {5, {1, 2, 3, 4, 0}},
                {6, {0, 1, 2, 3, 4, 0}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {.op = "CenterCropPad",
                           .opset = 18,
                           .n_inputs = 2,
                           .hide_inputs = hide,
                           .inputs = {tensor_f32(DIMS(4), 1, 2, 3, 4), tensor_i64(DIMS(1), rows[i].length)}};
            float y[6];
            memcpy(y, rows[i].y, sizeof y);
            Tensor expected =
                op_test_tensor(STRIDER_F32, DIMS(rows[i].length), y, (size_t)rows[i].length * sizeof *y);
            op_test_expect(&test, &expected);
        }
}

static void center_crop_pad_may_take_some_axes(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_U64; dtype++) {
        OpTest test = {.op = "CenterCropPad",
                       .opset = 18,
                       .attrs = {attr_ints("axes", -1, 0)},
                       .n_inputs = 2,
                       .inputs = {tensor_typed(dtype, DIMS(1, 2, 3), 1, 2, 3, 4, 5, 6),
                                  tensor_typed(STRIDER_I32, DIMS(2), 1, 2)}};
        Tensor y = tensor_typed(dtype, DIMS(2, 2, 1), 2, 5, 0, 0);
        op_test_expect(&test, &y);
    }
    OpTest open = {.op = "CenterCropPad",
                   .opset = 18,
                   .attrs = {attr_ints("axes", 1)},
                   .n_inputs = 2,
                   .inputs = {typed(STRIDER_F32, DIMS(-7, 3)), typed(STRIDER_I64, DIMS(1))}};
    expect_inferred(&open, DIMS(-7, DIM_UNKNOWN));
}

static void center_crop_pad_refuses_what_does_not_fit(void **state) {
    (void)state;
    static const struct {
        int64_t axes[2], lengths[2];
        const char *message;
    } rows[] = {{{0, 0}, {1, 1}, "not distinct axes"},
                {{0, 2}, {1, 1}, "not distinct axes"},
                {{1, -1}, {1, 1}, "not distinct axes"},
                {{0, 1}, {1, -1}, "a length is negative"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {.op = "CenterCropPad",
                           .opset = 18,
                           .attrs = {attr_ints("axes", rows[i].axes[0], rows[i].axes[1])},
                           .n_inputs = 2,
                           .hide_inputs = hide,
                           .inputs = {tensor_f32(DIMS(1, 1), 1),
                                      tensor_i64(DIMS(2), rows[i].lengths[0], rows[i].lengths[1])}};
            op_test_expect_error(&test, STRIDER_BAD_MODEL, rows[i].message);
        }
    OpTest count = {.op = "CenterCropPad",
                    .opset = 18,
                    .n_inputs = 2,
                    .inputs = {tensor_f32(DIMS(1, 1), 1), tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&count, STRIDER_BAD_MODEL, "number of lengths");
}

/* --- Det --- */

static void det_of_small_matrices_of_every_type(void **state) {
    (void)state;
    const DType types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (int i = 0; i < 4; i++) {
        OpTest test = {.op = "Det",
                       .opset = 22,
                       .n_inputs = 1,
                       .inputs = {tensor_typed(types[i], DIMS(3, 2, 2), 1, 2, 3, 4, 0, 1, 1, 0, 1, 2, 2, 4)}};
        Tensor y = tensor_typed(types[i], DIMS(3), -2, -1, 0);
        op_test_expect(&test, &y);
    }
    OpTest one = {.op = "Det",
                  .opset = 11,
                  .n_inputs = 1,
                  .inputs = {tensor_f32(DIMS(3, 3), 0, 2, 1, 3, 0, 2, 1, 4, 0)}};
    Tensor y_one = tensor_f32(shape_scalar(), 16);
    op_test_expect(&one, &y_one);
}

/* By expansion along the first row. */
static double cofactor_det(const float *x, int n, unsigned columns, int row) {
    double sum = 0, sign = 1;
    if (row == n)
        return 1;
    for (int c = 0; c < n; c++)
        if (columns >> c & 1) {
            sum += sign * (double)x[row * n + c] * cofactor_det(x, n, columns & ~(1u << c), row + 1);
            sign = -sign;
        }
    return sum;
}

static void det_is_that_of_the_expansion(void **state) {
    (void)state;
    for (int n = 1; n <= 7; n++) {
        float x[49], y;
        fill_random(x, (size_t)(n * n), (uint64_t)n);
        y = (float)cofactor_det(x, n, (1u << n) - 1, 0);
        OpTest test = {.op = "Det",
                       .opset = 11,
                       .n_inputs = 1,
                       .inputs = {op_test_tensor(STRIDER_F32, DIMS(n, n), x, (size_t)(n * n) * sizeof *x)}};
        Tensor expected = op_test_tensor(STRIDER_F32, shape_scalar(), &y, sizeof y);
        op_test_expect(&test, &expected);
    }
}

static void det_of_nothing_is_one_and_of_nan_is_nan(void **state) {
    (void)state;
    OpTest none = {.op = "Det", .opset = 11, .n_inputs = 1, .inputs = {nothing(STRIDER_F32, DIMS(2, 0, 0))}};
    Tensor ones = tensor_f32(DIMS(2), 1, 1);
    op_test_expect(&none, &ones);
    OpTest column = {
        .op = "Det", .opset = 11, .n_inputs = 1, .inputs = {tensor_f32(DIMS(2, 2), 1, 2, NAN, 1)}};
    Tensor y = tensor_f32(shape_scalar(), NAN);
    op_test_expect(&column, &y);
    OpTest wide = {.op = "Det", .opset = 11, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1, 2), 1, 2)}};
    op_test_expect_error(&wide, STRIDER_BAD_MODEL, "no square matrix");
    OpTest type = {.op = "Det", .opset = 11, .n_inputs = 1, .inputs = {tensor_i64(DIMS(1, 1), 1)}};
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "int64");
}

/* --- Inverse --- */

static OpTest inverse_of(Tensor x) {
    return (OpTest){.op = "Inverse", .domain = "com.microsoft", .opset = 1, .n_inputs = 1, .inputs = {x}};
}

static void inverse_of_small_matrices_of_every_type(void **state) {
    (void)state;
    const DType types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (int i = 0; i < 4; i++) {
        OpTest test = inverse_of(tensor_typed(types[i], DIMS(2, 2, 2), 0, 2, 1, 0, 4, 7, 2, 4));
        Tensor y = tensor_typed(types[i], DIMS(2, 2, 2), 0, 1, 0.5, 0, 2, -3.5, -1, 2);
        op_test_expect(&test, &y);
    }
}

static void a_matrix_times_its_inverse_is_the_identity(void **state) {
    (void)state;
    for (int n = 1; n <= 9; n++) {
        double x[81], product;
        float values[81];
        fill_random(values, (size_t)(n * n), (uint64_t)n);
        for (int i = 0; i < n * n; i++)
            x[i] = (double)values[i] + (i % (n + 1) == 0 ? 3 : 0);
        OpTest test = inverse_of(op_test_tensor(STRIDER_F64, DIMS(n, n), x, (size_t)(n * n) * sizeof *x));
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        for (int i = 0; i < n * n; i++) {
            product = 0;
            for (int k = 0; k < n; k++)
                product += x[i / n * n + k] * tensor_get_f64(&test.outputs[0], k * n + i % n);
            assert_true(fabs(product - (i % (n + 1) == 0)) < 1e-12);
        }
        op_test_free(&test);
    }
}

static void a_matrix_without_inverse_gives_nothing_finite(void **state) {
    (void)state;
    OpTest singular = inverse_of(tensor_f32(DIMS(1, 1), 0));
    Tensor y = tensor_f32(DIMS(1, 1), INFINITY);
    op_test_expect(&singular, &y);
    OpTest none = inverse_of(nothing(STRIDER_F32, DIMS(2, 0, 0)));
    Tensor empty = nothing(STRIDER_F32, DIMS(2, 0, 0));
    op_test_expect(&none, &empty);
    OpTest wide = inverse_of(tensor_f32(DIMS(1, 2), 1, 2));
    op_test_expect_error(&wide, STRIDER_BAD_MODEL, "no square matrix");
    OpTest type = inverse_of(tensor_i64(DIMS(1, 1), 1));
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "int64");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trilu_keeps_one_side_of_a_diagonal_of_every_type),
        cmocka_unit_test(trilu_takes_the_upper_side_of_the_main_diagonal_by_default),
        cmocka_unit_test(trilu_bears_any_diagonal_and_refuses_what_is_none),
        cmocka_unit_test(eye_like_has_ones_on_its_diagonal),
        cmocka_unit_test(eye_like_refuses_what_is_no_matrix),
        cmocka_unit_test(one_hot_marks_an_index_along_its_axis),
        cmocka_unit_test(one_hot_takes_numbers_of_every_type),
        cmocka_unit_test(one_hot_counts_negative_indices_from_the_end_since_opset_11),
        cmocka_unit_test(one_hot_refuses_what_does_not_fit),
        cmocka_unit_test(reverse_sequence_turns_the_beginnings_of_sequences),
        cmocka_unit_test(reverse_sequence_refuses_other_axes_and_lengths),
        cmocka_unit_test(center_crop_pad_keeps_the_middle),
        cmocka_unit_test(center_crop_pad_may_take_some_axes),
        cmocka_unit_test(center_crop_pad_refuses_what_does_not_fit),
        cmocka_unit_test(det_of_small_matrices_of_every_type),
        cmocka_unit_test(det_is_that_of_the_expansion),
        cmocka_unit_test(det_of_nothing_is_one_and_of_nan_is_nan),
        cmocka_unit_test(inverse_of_small_matrices_of_every_type),
        cmocka_unit_test(a_matrix_times_its_inverse_is_the_identity),
        cmocka_unit_test(a_matrix_without_inverse_gives_nothing_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
