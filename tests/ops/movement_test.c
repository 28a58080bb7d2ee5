/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move, repeat or interpolate elements, in corners: sizes without bounds, numbers that are
 * none, tensors without elements. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static Tensor none(void) {
    return (Tensor){.type = {STRIDER_DTYPE_NONE, shape_unknown()}};
}

static Tensor empty(Shape shape) {
    return op_test_tensor(STRIDER_F32, shape, "", 0);
}

/* --- Pad, Slice, Split --- */

static void a_pad_value_is_one_element(void **state) {
    (void)state;
    Tensor x = tensor_i64(DIMS(2), 1, 2), pads = tensor_i64(DIMS(2), 1, 0);
    OpTest one = {.op = "Pad", .opset = 13, .n_inputs = 3, .inputs = {x, pads, tensor_i64(DIMS(1), 7)}};
    Tensor y = tensor_i64(DIMS(3), 7, 1, 2);
    op_test_expect(&one, &y);
    OpTest no = {.op = "Pad",
                 .opset = 13,
                 .n_inputs = 3,
                 .inputs = {x, pads, op_test_tensor(STRIDER_I64, DIMS(0), "", 0)}};
    op_test_expect_error(&no, STRIDER_BAD_MODEL, "0 elements");
    OpTest two = {.op = "Pad", .opset = 13, .n_inputs = 3, .inputs = {x, pads, tensor_i64(DIMS(2), 7, 8)}};
    op_test_expect_error(&two, STRIDER_BAD_MODEL, "2 elements");
}

static void pads_that_overflow_are_refused(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest large = {.op = "Pad",
                        .opset = 13,
                        .n_inputs = 2,
                        .hide_inputs = hide,
                        .inputs = {empty(DIMS(INT64_MAX, 0)), tensor_i64(DIMS(4), 1, 0, 0, 0)}};
        op_test_expect_error(&large, hide ? STRIDER_BAD_MODEL : STRIDER_LIMIT_EXCEEDED, "dimension 0 of");
        OpTest cropped = {.op = "Pad",
                          .opset = 13,
                          .n_inputs = 2,
                          .hide_inputs = hide,
                          .inputs = {tensor_f32(DIMS(1), 1), tensor_i64(DIMS(2), -1, -1)}};
        op_test_expect_error(&cropped, STRIDER_BAD_MODEL, hide ? "do not fit" : "leave -1");
    }
}

static void a_slice_downwards_from_before_the_first_element_takes_the_first(void **state) {
    (void)state;
    OpTest test = {.op = "Slice",
                   .opset = 13,
                   .n_inputs = 5,
                   .inputs = {tensor_f32(DIMS(3), 1, 2, 3), tensor_i64(DIMS(1), -9), tensor_i64(DIMS(1), -9),
                              tensor_i64(DIMS(1), 0), tensor_i64(DIMS(1), -1)}};
    Tensor y = tensor_f32(DIMS(1), 1);
    op_test_expect(&test, &y);
    OpTest widest = {.op = "Slice",
                     .opset = 13,
                     .n_inputs = 5,
                     .inputs = {tensor_f32(DIMS(3), 1, 2, 3), tensor_i64(DIMS(1), INT64_MAX),
                                tensor_i64(DIMS(1), INT64_MIN), tensor_i64(DIMS(1), 0),
                                tensor_i64(DIMS(1), INT64_MIN)}};
    Tensor y_widest = tensor_f32(DIMS(1), 3);
    op_test_expect(&widest, &y_widest);
}

static void a_split_needs_a_size_for_each_output(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest test = {.op = "Split",
                       .opset = 13,
                       .n_inputs = 2,
                       .n_outputs = 3,
                       .hide_inputs = hide,
                       .inputs = {tensor_f32(DIMS(3), 1, 2, 3), tensor_i64(DIMS(1), 1)}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "number of sizes");
    }
}

/* --- Resize --- */

#define RESIZE(X, ROI, SCALES, SIZES, ...)                                                                   \
    {                                                                                                        \
        .op = "Resize", .opset = 19, .n_inputs = 4, .inputs = {X, ROI, SCALES, SIZES}, .attrs = {            \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }

static void scaled_sizes_are_counted_in_float32(void **state) {
    (void)state;
    static const struct {
        int64_t in;
        float scale;
        int64_t out;
    } rows[] = {{10, 0.7f, 7}, {5, 2.6f, 13}, {10, 0.3f, 3}, {(1 << 24) + 1, 1, (1 << 24) + 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Tensor x = {.type = {STRIDER_F32, DIMS(rows[i].in)}};
        OpTest test = RESIZE(x, none(), tensor_f32(DIMS(1), rows[i].scale), none(), {0});
        test.infer_only = true;
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        assert_shape(&test.output_types[0].shape, DIMS(rows[i].out));
        op_test_free(&test);
    }
}

static void what_cannot_be_a_size_is_refused(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(4), 1, 2, 3, 4), wide = {.type = {STRIDER_F32, DIMS(1, 1 << 24)}};
    const float scales[] = {NAN, INFINITY, -1, 0, 1e30f};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        OpTest test = RESIZE(x, none(), tensor_f32(DIMS(1), scales[i]), none(), {0});
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "scale");
    }
    OpTest aspect = RESIZE(wide, none(), none(), tensor_i64(DIMS(2), (int64_t)1 << 40, 1),
                           attr_string("keep_aspect_ratio_policy", "not_smaller"));
    op_test_expect_error(&aspect, STRIDER_BAD_MODEL, "too large");
    OpTest filter = RESIZE(x, tensor_f32(DIMS(2), 0, 1e20f), tensor_f32(DIMS(1), 1e-20f), none(),
                           attr_string("mode", "linear"), attr_int("antialias", 1),
                           attr_string("coordinate_transformation_mode", "tf_crop_and_resize"));
    op_test_expect_error(&filter, STRIDER_BAD_MODEL, "too small");
}

static void what_lies_outside_or_nowhere_is_extrapolated(void **state) {
    (void)state;
    const float ends[] = {NAN, INFINITY, 1e30f, 1.5f};
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    for (size_t i = 0; i < 3 * sizeof ends / sizeof *ends; i++) {
        OpTest test = RESIZE(tensor_f32(DIMS(2), 1, 2), tensor_f32(DIMS(2), 0, ends[i / 3]), none(),
                             tensor_i64(DIMS(1), 2), attr_string("mode", modes[i % 3]),
                             attr_float("extrapolation_value", 9),
                             attr_string("coordinate_transformation_mode", "tf_crop_and_resize"));
        Tensor y = tensor_f32(DIMS(2), 1, 9);
        if (!isfinite(ends[i / 3])) /* 0 times infinity is no place either */
            ((float *)y.data)[0] = 9;
        op_test_expect(&test, &y);
    }
}

/* More taps than are kept. */
static void a_wide_filter_weighs_all_that_it_covers(void **state) {
    (void)state;
    enum { N = 64 };
    static float x[N];
    double sum = 0, weights = 0;
    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 7);
    for (int i = -N; i < 2 * N; i++) {
        const double weight = fmax(0, 1 - fabs(i - (N / 2.0 - 0.5)) / N);
        sum += weight * (double)x[i < 0 ? 0 : i >= N ? N - 1 : i];
        weights += weight;
    }
    OpTest test = RESIZE(op_test_tensor(STRIDER_F32, DIMS(N), x, sizeof x), none(), none(),
                         tensor_i64(DIMS(1), 1), attr_string("mode", "linear"), attr_int("antialias", 1));
    Tensor y = tensor_f32(DIMS(1), (float)(sum / weights));
    op_test_expect(&test, &y);
}

/* --- others --- */

static void updates_of_integers_wrap_around_as_their_type(void **state) {
    (void)state;
    static const struct {
        DType dtype;
        const char *reduction;
        double data, update, expected;
    } rows[] = {{STRIDER_U8, "add", 200, 100, 44},      {STRIDER_I8, "add", 100, 100, -56},
                {STRIDER_I8, "mul", -128, -1, -128},    {STRIDER_U64, "max", 0x1p63, 1, 0x1p63},
                {STRIDER_U64, "min", 0x1p63, 1, 1},     {STRIDER_I32, "min", -5, 3, -5},
                {STRIDER_U64, "add", 0x1p63, 0x1p63, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "ScatterElements",
                       .opset = 18,
                       .attrs = {attr_string("reduction", rows[i].reduction)},
                       .n_inputs = 3,
                       .inputs = {tensor_typed(rows[i].dtype, DIMS(1), rows[i].data), tensor_i64(DIMS(1), 0),
                                  tensor_typed(rows[i].dtype, DIMS(1), rows[i].update)}};
        Tensor y = tensor_typed(rows[i].dtype, DIMS(1), rows[i].expected);
        op_test_expect(&test, &y);
    }
}

static void blocks_larger_than_the_number_of_windows_add_up(void **state) {
    (void)state;
    OpTest test = {.op = "Col2Im",
                   .opset = 18,
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(1, 4, 2), 1, 2, 3, 4, 5, 6, 7, 8), tensor_i64(DIMS(1), 5),
                              tensor_i64(DIMS(1), 4)}};
    Tensor y = tensor_f32(DIMS(1, 1, 5), 1, 5, 9, 13, 8);
    op_test_expect(&test, &y);
}

/* Loops over the dimension that is huge would not end. */
static void tensors_without_elements_take_no_time(void **state) {
    (void)state;
    const int64_t huge = (int64_t)1 << 50;
    const Shape shape = DIMS(huge, 3, 0);
    static const char *const ops[] = {"Softmax", "LpNormalization", "ReduceSum", "Relu", "Transpose"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        OpTest test = {.op = ops[i], .opset = 13, .n_inputs = 1, .inputs = {empty(shape)}};
        if (i == 2)
            test.attrs[0] = attr_int("keepdims", 0);
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        op_test_free(&test);
    }
    OpTest axis = {.op = "ArgMax", .opset = 13, .attrs = {attr_int("axis", 1)}, .n_inputs = 1};
    axis.inputs[0] = empty(shape);
    assert_int_equal(op_test_run(&axis), STRIDER_OK);
    op_test_free(&axis);
    OpTest gather = {.op = "Gather", .opset = 13, .attrs = {attr_int("axis", 1)}, .n_inputs = 2};
    gather.inputs[0] = empty(shape);
    gather.inputs[1] = tensor_i64(DIMS(1), 0);
    assert_int_equal(op_test_run(&gather), STRIDER_OK);
    op_test_free(&gather);
    OpTest depth = {.op = "DepthToSpace",
                    .opset = 13,
                    .attrs = {attr_int("blocksize", 1 << 28)},
                    .n_inputs = 1,
                    .inputs = {empty(DIMS(1, 0, 8, 8))}};
    assert_int_equal(op_test_run(&depth), STRIDER_OK);
    op_test_free(&depth);
}

/* --- every type --- */

/* What moves elements asks only for their size. */
static void elements_of_every_type_are_moved(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_STRING; dtype++) {
        const double zero = dtype == STRIDER_F8E8M0 ? 0.5 : 0; /* which has no 0 */
        const Tensor x = tensor_typed(dtype, DIMS(2, 2), 1, zero, zero, 1);
        Tensor row = tensor_typed(dtype, DIMS(2), zero, 1),
               flat = tensor_typed(dtype, DIMS(4), 1, zero, zero, 1),
               wide = tensor_typed(dtype, DIMS(2, 3), 1, zero, 1, zero, 1, 1);
        OpTest turned = {
            .op = "Transpose", .opset = 25, .attrs = {attr_ints("perm", 1, 0)}, .n_inputs = 1, .inputs = {x}};
        op_test_expect(&turned, &x);
        OpTest reshaped = {
            .op = "Reshape", .opset = 25, .n_inputs = 2, .inputs = {x, tensor_i64(DIMS(1), -1)}};
        op_test_expect(&reshaped, &flat);
        OpTest one = {
            .op = "Gather", .opset = 13, .n_inputs = 2, .inputs = {x, tensor_i64(shape_scalar(), 1)}};
        op_test_expect(&one, &row);
        OpTest padded = {
            .op = "Pad",
            .opset = 25,
            .n_inputs = 3,
            .inputs = {x, tensor_i64(DIMS(4), 0, 0, 0, 1), tensor_typed(dtype, shape_scalar(), 1)}};
        op_test_expect(&padded, &wide);
        OpTest joined = {
            .op = "Concat", .opset = 13, .attrs = {attr_int("axis", 0)}, .n_inputs = 2, .inputs = {row, row}};
        Tensor twice = tensor_typed(dtype, DIMS(4), zero, 1, zero, 1);
        op_test_expect(&joined, &twice);
        OpTest filled = {.op = "ConstantOfShape",
                         .opset = 25,
                         .attrs = {{.name = "value", .kind = ATTR_TENSOR}},
                         .n_inputs = 1,
                         .inputs = {tensor_i64(DIMS(1), 2)}};
        Tensor value = tensor_typed(dtype, DIMS(1), 1), ones = tensor_typed(dtype, DIMS(2), 1, 1);
        filled.attrs[0].tensor = &value;
        op_test_expect(&filled, &ones);
    }
}

static void what_joins_elements_takes_types_that_it_computes_with(void **state) {
    (void)state;
    OpTest test = {.op = "ScatterElements",
                   .opset = 18,
                   .attrs = {attr_string("reduction", "add")},
                   .n_inputs = 3,
                   .inputs = {tensor_typed(STRIDER_F8E5M2, DIMS(2), 1, 2), tensor_i64(DIMS(1), 0),
                              tensor_typed(STRIDER_F8E5M2, DIMS(1), 1)}};
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "float8_e5m2");
    test.attrs[0] = (Attr){0};
    Tensor y = tensor_typed(STRIDER_F8E5M2, DIMS(2), 1, 2);
    op_test_expect(&test, &y);
}

/* As onnxruntime 1.32 has it with allowzero; a 0 that is copied from the input means the same. */
static void reshape_finds_a_dimension_where_there_are_no_elements(void **state) {
    (void)state;
    struct {
        Shape x, y;
        int64_t wanted[MAX_RANK];
    } rows[] = {{DIMS(0, 384, 8, 8), DIMS(0, 8, 48, 64), {0, -1, 48, 64}},
                {DIMS(0, 256, 144), DIMS(0, 256, 3, 4, 12), {0, 256, 3, 4, -1}},
                {DIMS(0, 5), DIMS(0, 5), {0, -1}},
                {DIMS(0, 5), DIMS(0), {-1}},
                {DIMS(0, 6), DIMS(0, 4), {-1, 4}},
                {DIMS(3, 0), DIMS(3, 0), {3, -1}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int allowzero = 0; allowzero < 2; allowzero++) {
            const int rank = rows[i].y.rank;
            OpTest test = {.op = "Reshape",
                           .opset = 14,
                           .attrs = {attr_int("allowzero", allowzero)},
                           .n_inputs = 2,
                           .infer_only = true,
                           .inputs = {{.type = {STRIDER_F32, rows[i].x}},
                                      op_test_tensor(STRIDER_I64, DIMS(rank), rows[i].wanted,
                                                     (size_t)rank * sizeof(int64_t))}};
            if (op_test_run(&test))
                fail_msg("%zu: %s", i, test.error.message);
            assert_shape(&test.output_types[0].shape, rows[i].y);
            op_test_free(&test);
        }
    OpTest uneven = {.op = "Reshape",
                     .opset = 14,
                     .n_inputs = 2,
                     .inputs = {{.type = {STRIDER_F32, DIMS(0, 5)}}, tensor_i64(DIMS(3), 0, -1, 3)}};
    op_test_expect_error(&uneven, STRIDER_BAD_MODEL, "does not divide");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_of_every_type_are_moved),
        cmocka_unit_test(what_joins_elements_takes_types_that_it_computes_with),
        cmocka_unit_test(a_pad_value_is_one_element),
        cmocka_unit_test(pads_that_overflow_are_refused),
        cmocka_unit_test(a_slice_downwards_from_before_the_first_element_takes_the_first),
        cmocka_unit_test(a_split_needs_a_size_for_each_output),
        cmocka_unit_test(scaled_sizes_are_counted_in_float32),
        cmocka_unit_test(what_cannot_be_a_size_is_refused),
        cmocka_unit_test(what_lies_outside_or_nowhere_is_extrapolated),
        cmocka_unit_test(a_wide_filter_weighs_all_that_it_covers),
        cmocka_unit_test(updates_of_integers_wrap_around_as_their_type),
        cmocka_unit_test(blocks_larger_than_the_number_of_windows_add_up),
        cmocka_unit_test(tensors_without_elements_take_no_time),
        cmocka_unit_test(reshape_finds_a_dimension_where_there_are_no_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
