/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that find something in their inputs, so that their outputs' shapes follow from contents: NonZero,
 * Compress, Unique, NonMaxSuppression. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUTS(...)                                                                                          \
    .inputs = {__VA_ARGS__}, .n_inputs = (int)(sizeof((Tensor[]){__VA_ARGS__}) / sizeof(Tensor))

/* --- NonZero --- */

static void nonzero_finds_coordinates_in_order_in_every_type(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_BOOL; dtype++)
        for (int opset = 9; opset <= 13; opset += 4) {
            OpTest test = {
                .op = "NonZero", .opset = opset, INPUTS(tensor_typed(dtype, DIMS(2, 3), 1, 0, 1, 0, 1, 0))};
            Tensor y = tensor_i64(DIMS(2, 3), 0, 0, 1, 0, 2, 1);
            op_test_expect(&test, &y);
        }
}

static void nonzero_takes_nan_for_something_and_minus_zero_for_nothing(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        OpTest test = {
            .op = "NonZero", .opset = 13, INPUTS(tensor_typed(dtypes[i], DIMS(4), NAN, -0.0, 0, -INFINITY))};
        Tensor y = tensor_i64(DIMS(1, 2), 0, 3);
        op_test_expect(&test, &y);
    }
    uint8_t any[] = {0, 2, 255};
    OpTest bools = {.op = "NonZero", .opset = 13, INPUTS(op_test_tensor(STRIDER_BOOL, DIMS(3), any, 3))};
    Tensor y = tensor_i64(DIMS(1, 2), 1, 2);
    op_test_expect(&bools, &y);
}

static void nonzero_of_scalars_and_of_nothing(void **state) {
    (void)state;
    OpTest scalar = {.op = "NonZero", .opset = 13, INPUTS(tensor_f32(shape_scalar(), 3))};
    Tensor one = tensor_empty(STRIDER_I64, DIMS(0, 1)), none = tensor_empty(STRIDER_I64, DIMS(3, 0));
    op_test_expect(&scalar, &one);
    OpTest empty = {.op = "NonZero", .opset = 13, INPUTS(tensor_empty(STRIDER_F32, DIMS(2, 0, 4)))};
    op_test_expect(&empty, &none);
    OpTest zeros = {.op = "NonZero", .opset = 13, INPUTS(tensor_f32(DIMS(1, 2, 2), 0, 0, 0, 0))};
    op_test_expect(&zeros, &none);
    op_test_expect_type((OpTest){.op = "NonZero", .opset = 13, INPUTS({.type = {STRIDER_F32, DIMS(-7, 3)}})},
                        STRIDER_I64, DIMS(2, DIM_UNKNOWN));
}

/* Each element is looked at by itself. */
static void nonzero_agrees_with_a_search_in_three_dimensions(void **state) {
    (void)state;
    enum { D = 5, H = 7, W = 37, N = D * H * W };
    float x[N];
    int64_t y[3 * N], count = 0;
    fill_random(x, N, 5);
    for (int i = 0; i < N; i++) {
        x[i] = x[i] > 0.3f ? x[i] : 0;
        count += x[i] != 0;
    }
    for (int i = 0, at = 0; i < N; i++)
        if (x[i] != 0) {
            y[at] = i / (H * W);
            y[count + at] = i / W % H;
            y[2 * count + at++] = i % W;
        }
    OpTest test = {
        .op = "NonZero", .opset = 13, INPUTS(op_test_tensor(STRIDER_F32, DIMS(D, H, W), x, sizeof x))};
    Tensor expected = op_test_tensor(STRIDER_I64, DIMS(3, count), y, (size_t)count * 24);
    op_test_expect(&test, &expected);
}

/* --- Compress --- */

#define BOOLS(SHAPE, ...) tensor_typed(STRIDER_BOOL, SHAPE, __VA_ARGS__)

static void compress_takes_slices_along_an_axis_in_every_type(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_BOOL; dtype++) {
        const Tensor x = tensor_typed(dtype, DIMS(3, 2), 1, 0, 0, 1, 1, 1);
        OpTest rows = {
            .op = "Compress", .opset = 9, .attrs = {attr_int("axis", 0)}, INPUTS(x, BOOLS(DIMS(3), 0, 1, 1))};
        Tensor y_rows = tensor_typed(dtype, DIMS(2, 2), 0, 1, 1, 1);
        op_test_expect(&rows, &y_rows);
        OpTest columns = {
            .op = "Compress", .opset = 11, .attrs = {attr_int("axis", -1)}, INPUTS(x, BOOLS(DIMS(2), 0, 1))};
        Tensor y_columns = tensor_typed(dtype, DIMS(3, 1), 0, 1, 1);
        op_test_expect(&columns, &y_columns);
        OpTest flat = {.op = "Compress", .opset = 28, INPUTS(x, BOOLS(DIMS(5), 0, 1, 0, 0, 1))};
        Tensor y_flat = tensor_typed(dtype, DIMS(2), 0, 1);
        op_test_expect(&flat, &y_flat);
    }
}

static void compress_takes_runs_of_larger_slices(void **state) {
    (void)state;
    OpTest test = {.op = "Compress",
                   .opset = 11,
                   .attrs = {attr_int("axis", 1)},
                   INPUTS(tensor_f32(DIMS(2, 4, 2), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                          BOOLS(DIMS(4), 1, 0, 1, 1))};
    Tensor y = tensor_f32(DIMS(2, 3, 2), 0, 1, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15);
    op_test_expect(&test, &y);
}

static void compress_takes_nothing_where_nothing_is_true(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(2, 2), 1, 2, 3, 4);
    OpTest none = {
        .op = "Compress", .opset = 11, .attrs = {attr_int("axis", 1)}, INPUTS(x, BOOLS(DIMS(2), 0, 0))};
    Tensor y = tensor_empty(STRIDER_F32, DIMS(2, 0));
    op_test_expect(&none, &y);
    OpTest empty = {.op = "Compress", .opset = 11, INPUTS(x, tensor_empty(STRIDER_BOOL, DIMS(0)))};
    Tensor y_empty = tensor_empty(STRIDER_F32, DIMS(0));
    op_test_expect(&empty, &y_empty);
}

static void compress_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(2, 2), 1, 2, 3, 4);
    OpTest beyond = {
        .op = "Compress", .opset = 11, .attrs = {attr_int("axis", 0)}, INPUTS(x, BOOLS(DIMS(3), 0, 0, 1))};
    op_test_expect_error(&beyond, STRIDER_BAD_MODEL, "takes 2 of what has only 2");
    OpTest longer = {
        .op = "Compress", .opset = 11, .attrs = {attr_int("axis", 0)}, INPUTS(x, BOOLS(DIMS(3), 0, 1, 0))};
    Tensor y = tensor_f32(DIMS(1, 2), 3, 4);
    op_test_expect(&longer, &y);
    OpTest axis = {
        .op = "Compress", .opset = 11, .attrs = {attr_int("axis", 2)}, INPUTS(x, BOOLS(DIMS(1), 1))};
    op_test_expect_error(&axis, STRIDER_BAD_MODEL, "axis 2 is outside [-2, 2)");
    OpTest rank = {.op = "Compress", .opset = 11, INPUTS(x, BOOLS(DIMS(1, 1), 1))};
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "input 1 has rank 2, must have 1");
    OpTest type = {.op = "Compress", .opset = 11, INPUTS(x, tensor_f32(DIMS(1), 1))};
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "input 1 of type float32");
    op_test_expect_type(
        (OpTest){.op = "Compress",
                 .opset = 11,
                 .attrs = {attr_int("axis", 1)},
                 INPUTS({.type = {STRIDER_I8, DIMS(-7, 3)}}, {.type = {STRIDER_BOOL, DIMS(3)}})},
        STRIDER_I8, DIMS(-7, DIM_UNKNOWN));
}

/* --- Unique --- */

typedef struct UniqueOutputs {
    Tensor y, first, inverse, counts;
} UniqueOutputs;

static void expect_unique(OpTest test, UniqueOutputs expected) {
    const Tensor *const all[] = {&expected.y, &expected.first, &expected.inverse, &expected.counts};
    test.op = "Unique";
    test.opset = test.opset ? test.opset : 11;
    test.n_outputs = 4;
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    for (int i = 0; i < 4; i++)
        assert_tensor_close(&test.outputs[i], all[i], 0, 0);
    op_test_free(&test);
}

static void unique_elements_are_sorted_or_stand_as_they_came(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype < STRIDER_BOOL; dtype++)
        for (int opset = 11; opset <= 28; opset += 17) {
            const Tensor x = tensor_typed(dtype, DIMS(2, 3), 2, 1, 1, 3, 4, 3);
            expect_unique(
                (OpTest){.opset = opset, INPUTS(x)},
                (UniqueOutputs){tensor_typed(dtype, DIMS(4), 1, 2, 3, 4), tensor_i64(DIMS(4), 1, 0, 3, 4),
                                tensor_i64(DIMS(6), 1, 0, 0, 2, 3, 2), tensor_i64(DIMS(4), 2, 1, 2, 1)});
            expect_unique(
                (OpTest){.opset = opset, .attrs = {attr_int("sorted", 0)}, INPUTS(x)},
                (UniqueOutputs){tensor_typed(dtype, DIMS(4), 2, 1, 3, 4), tensor_i64(DIMS(4), 0, 1, 3, 4),
                                tensor_i64(DIMS(6), 0, 1, 1, 2, 3, 2), tensor_i64(DIMS(4), 1, 2, 2, 1)});
        }
}

static void unique_slices_are_sorted_by_what_differs_first(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(2, 4, 2), 1, 1, 0, 1, 2, 1, 0, 1, 1, 1, 0, 1, 2, 1, 0, 1);
    for (int64_t axis = -2; axis <= 1; axis += 3) {
        expect_unique((OpTest){.attrs = {attr_int("axis", axis)}, INPUTS(x)},
                      (UniqueOutputs){tensor_f32(DIMS(2, 3, 2), 0, 1, 1, 1, 2, 1, 0, 1, 1, 1, 2, 1),
                                      tensor_i64(DIMS(3), 1, 0, 2), tensor_i64(DIMS(4), 1, 0, 2, 0),
                                      tensor_i64(DIMS(3), 2, 1, 1)});
        expect_unique((OpTest){.attrs = {attr_int("axis", axis), attr_int("sorted", 0)}, INPUTS(x)},
                      (UniqueOutputs){tensor_f32(DIMS(2, 3, 2), 1, 1, 0, 1, 2, 1, 1, 1, 0, 1, 2, 1),
                                      tensor_i64(DIMS(3), 0, 1, 2), tensor_i64(DIMS(4), 0, 1, 2, 1),
                                      tensor_i64(DIMS(3), 1, 2, 1)});
    }
    expect_unique(
        (OpTest){.attrs = {attr_int("axis", 0)}, INPUTS(tensor_i64(DIMS(3, 3), 1, 0, 0, 1, 0, 0, 2, 3, 4))},
        (UniqueOutputs){tensor_i64(DIMS(2, 3), 1, 0, 0, 2, 3, 4), tensor_i64(DIMS(2), 0, 2),
                        tensor_i64(DIMS(3), 0, 0, 1), tensor_i64(DIMS(2), 2, 1)});
}

static void unique_takes_all_nan_for_one_and_both_zeros(void **state) {
    (void)state;
    expect_unique((OpTest){INPUTS(tensor_f32(DIMS(6), NAN, -0.0f, INFINITY, 0, NAN, -INFINITY))},
                  (UniqueOutputs){tensor_f32(DIMS(4), -INFINITY, -0.0f, INFINITY, NAN),
                                  tensor_i64(DIMS(4), 5, 1, 2, 0), tensor_i64(DIMS(6), 3, 1, 2, 1, 3, 0),
                                  tensor_i64(DIMS(4), 1, 2, 1, 2)});
    const int64_t big = (int64_t)1 << 53;
    expect_unique((OpTest){INPUTS(tensor_i64(DIMS(3), big + 1, big, INT64_MIN))},
                  (UniqueOutputs){tensor_i64(DIMS(3), INT64_MIN, big, big + 1), tensor_i64(DIMS(3), 2, 1, 0),
                                  tensor_i64(DIMS(3), 2, 1, 0), tensor_i64(DIMS(3), 1, 1, 1)});
    expect_unique((OpTest){INPUTS(BOOLS(DIMS(3), 1, 0, 1))},
                  (UniqueOutputs){BOOLS(DIMS(2), 0, 1), tensor_i64(DIMS(2), 1, 0),
                                  tensor_i64(DIMS(3), 1, 0, 1), tensor_i64(DIMS(2), 1, 2)});
}

static void unique_of_nothing_and_of_slices_without_elements(void **state) {
    (void)state;
    const Tensor none = tensor_empty(STRIDER_I64, DIMS(0));
    expect_unique((OpTest){INPUTS(tensor_empty(STRIDER_F32, DIMS(0, 3)))},
                  (UniqueOutputs){tensor_empty(STRIDER_F32, DIMS(0)), none, none, none});
    expect_unique((OpTest){.attrs = {attr_int("axis", 1)}, INPUTS(tensor_empty(STRIDER_F32, DIMS(0, 3)))},
                  (UniqueOutputs){tensor_empty(STRIDER_F32, DIMS(0, 1)), tensor_i64(DIMS(1), 0),
                                  tensor_i64(DIMS(3), 0, 0, 0), tensor_i64(DIMS(1), 3)});
    expect_unique((OpTest){INPUTS(tensor_f32(shape_scalar(), 7))},
                  (UniqueOutputs){tensor_f32(DIMS(1), 7), tensor_i64(DIMS(1), 0), tensor_i64(DIMS(1), 0),
                                  tensor_i64(DIMS(1), 1)});
    OpTest axis = {
        .op = "Unique", .opset = 11, .attrs = {attr_int("axis", 1)}, INPUTS(tensor_f32(DIMS(1), 1))};
    op_test_expect_error(&axis, STRIDER_BAD_MODEL, "axis 1 is outside [-1, 1)");
    op_test_expect_type((OpTest){.op = "Unique",
                                 .opset = 11,
                                 .attrs = {attr_int("axis", 0)},
                                 .n_outputs = 4,
                                 INPUTS({.type = {STRIDER_F32, DIMS(-7, 3)}})},
                        STRIDER_F32, DIMS(DIM_UNKNOWN, 3));
}

static int by_value(const void *a, const void *b) {
    const int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static void unique_agrees_with_sorting_many(void **state) {
    (void)state;
    enum { N = 1000 };
    float random[N];
    int64_t x[N], sorted[N], counts[N] = {0}, n_unique = 0;
    fill_random(random, N, 11);
    for (int i = 0; i < N; i++)
        sorted[i] = x[i] = (int64_t)(random[i] * 150);
    qsort(sorted, N, sizeof *sorted, by_value);
    for (int i = 0; i < N; i++) {
        if (!i || sorted[i] != sorted[n_unique - 1])
            sorted[n_unique++] = sorted[i];
        counts[n_unique - 1]++;
    }
    OpTest test = {.op = "Unique",
                   .opset = 11,
                   .n_outputs = 4,
                   INPUTS(op_test_tensor(STRIDER_I64, DIMS(N), x, sizeof x))};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_int_equal(test.outputs[0].type.shape.dims[0], n_unique);
    for (int64_t i = 0; i < n_unique; i++) {
        const int64_t first = tensor_get_i64(&test.outputs[1], i);
        assert_int_equal(tensor_get_i64(&test.outputs[0], i), sorted[i]);
        assert_int_equal(tensor_get_i64(&test.outputs[3], i), counts[i]);
        assert_int_equal(x[first], sorted[i]);
        for (int64_t before = 0; before < first; before++)
            assert_int_not_equal(x[before], sorted[i]);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(sorted[tensor_get_i64(&test.outputs[2], i)], x[i]);
    op_test_free(&test);
}

/* --- NonMaxSuppression --- */

#define SCALAR_I64(VALUE) tensor_i64(shape_scalar(), VALUE)
#define SCALAR_F32(VALUE) tensor_f32(shape_scalar(), VALUE)
/* Pairs of neighbours: 0 and 1 overlap by 0.8182, 3 and 4 likewise, 2 and 5 are the first moved by a
 * hundredth and far off. */
static const float six_boxes[] = {0, 0,  1, 1,  0, 0.1f,  1, 1.1f,  0, -0.1f, 1, 0.9f,
                                  0, 10, 1, 11, 0, 10.1f, 1, 11.1f, 0, 100,   1, 101};
#define BOXES(COUNT, VALUES) op_test_tensor(STRIDER_F32, DIMS(1, COUNT, 4), (void *)(VALUES), sizeof(VALUES))
#define SIX_SCORES tensor_f32(DIMS(1, 1, 6), 0.9f, 0.75f, 0.6f, 0.95f, 0.5f, 0.3f)

static void nms_takes_the_best_of_boxes_that_overlap(void **state) {
    (void)state;
    for (int opset = 10; opset <= 11; opset++) {
        OpTest test = {.op = "NonMaxSuppression",
                       .opset = opset,
                       INPUTS(BOXES(6, six_boxes), SIX_SCORES, SCALAR_I64(INT64_MAX), SCALAR_F32(0.5f))};
        Tensor y = tensor_i64(DIMS(3, 3), 0, 0, 3, 0, 0, 0, 0, 0, 5);
        op_test_expect(&test, &y);
        test.inputs[4] = SCALAR_F32(0.4f);
        test.n_inputs = 5;
        Tensor above = tensor_i64(DIMS(2, 3), 0, 0, 3, 0, 0, 0);
        op_test_expect(&test, &above);
        test.inputs[2] = SCALAR_I64(1);
        Tensor one = tensor_i64(DIMS(1, 3), 0, 0, 3);
        op_test_expect(&test, &one);
    }
}

static void nms_takes_nothing_unless_a_number_is_given(void **state) {
    (void)state;
    Tensor none = tensor_empty(STRIDER_I64, DIMS(0, 3));
    OpTest absent = {.op = "NonMaxSuppression", .opset = 11, INPUTS(BOXES(6, six_boxes), SIX_SCORES)};
    op_test_expect(&absent, &none);
    for (int64_t most = -1; most <= 0; most++) {
        OpTest zero = {.op = "NonMaxSuppression",
                       .opset = 11,
                       INPUTS(BOXES(6, six_boxes), SIX_SCORES, SCALAR_I64(most))};
        op_test_expect(&zero, &none);
    }
    OpTest no_boxes = {.op = "NonMaxSuppression",
                       .opset = 11,
                       INPUTS(tensor_empty(STRIDER_F32, DIMS(1, 0, 4)),
                              tensor_empty(STRIDER_F32, DIMS(1, 1, 0)), tensor_i64(DIMS(1), 5))};
    op_test_expect(&no_boxes, &none);
}

/* Without iou_threshold any overlap is too much; boxes that only touch do not overlap. */
static void nms_thresholds_are_strict(void **state) {
    (void)state;
    const float touching[] = {0, 0, 1, 1, 0, 1, 1, 2, 0, 0.5f, 1, 1.5f};
    const Tensor boxes = BOXES(3, touching), scores = tensor_f32(DIMS(1, 1, 3), 0.5f, 0.25f, 0.125f);
    OpTest any = {.op = "NonMaxSuppression", .opset = 11, INPUTS(boxes, scores, SCALAR_I64(9))};
    Tensor two = tensor_i64(DIMS(2, 3), 0, 0, 0, 0, 0, 1);
    op_test_expect(&any, &two);
    /* The third covers half of each: 0.5 / 1.5, of which float32 is the same number. */
    OpTest equal = {.op = "NonMaxSuppression",
                    .opset = 11,
                    INPUTS(boxes, scores, SCALAR_I64(9), SCALAR_F32(0.5f / 1.5f))};
    Tensor three = tensor_i64(DIMS(3, 3), 0, 0, 0, 0, 0, 1, 0, 0, 2);
    op_test_expect(&equal, &three);
    OpTest less = equal;
    less.inputs[3] = SCALAR_F32(0.33f);
    op_test_expect(&less, &two);
    OpTest score = {.op = "NonMaxSuppression",
                    .opset = 11,
                    INPUTS(boxes, scores, SCALAR_I64(9), SCALAR_F32(1), SCALAR_F32(0.25f))};
    Tensor first = tensor_i64(DIMS(1, 3), 0, 0, 0);
    op_test_expect(&score, &first);
}

static void nms_knows_both_kinds_of_boxes_and_corners_in_any_order(void **state) {
    (void)state;
    const float centers[] = {0.5f, 0.5f, 1, 1, 0.5f, 0.6f, 1, 1, 0.5f, 10.5f, 1, 1};
    const float flipped[] = {1, 1, 0, 0, 0, 1.1f, 1, 0.1f, 1, 10, 0, 11};
    const Tensor scores = tensor_f32(DIMS(1, 1, 3), 0.5f, 0.75f, 0.25f);
    Tensor y = tensor_i64(DIMS(2, 3), 0, 0, 1, 0, 0, 2);
    OpTest center = {.op = "NonMaxSuppression",
                     .opset = 11,
                     .attrs = {attr_int("center_point_box", 1)},
                     INPUTS(BOXES(3, centers), scores, SCALAR_I64(3), SCALAR_F32(0.5f))};
    op_test_expect(&center, &y);
    OpTest corners = {.op = "NonMaxSuppression",
                      .opset = 11,
                      INPUTS(BOXES(3, flipped), scores, SCALAR_I64(3), SCALAR_F32(0.5f))};
    op_test_expect(&corners, &y);
}

static void nms_goes_class_by_class_and_keeps_equals_in_order(void **state) {
    (void)state;
    const float apart[] = {0, 0, 1, 1, 5, 5, 6, 6, 0, 0, 1, 1, 5, 5, 6, 6};
    OpTest test = {.op = "NonMaxSuppression",
                   .opset = 11,
                   INPUTS(op_test_tensor(STRIDER_F32, DIMS(2, 2, 4), (void *)apart, sizeof apart),
                          tensor_f32(DIMS(2, 2, 2), 0.5f, 0.5f, -2, -1, 0, -0.0f, -INFINITY, INFINITY),
                          SCALAR_I64(2))};
    Tensor y = tensor_i64(DIMS(8, 3), 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0);
    op_test_expect(&test, &y);
    OpTest nan = {.op = "NonMaxSuppression",
                  .opset = 11,
                  INPUTS(op_test_tensor(STRIDER_F32, DIMS(1, 2, 4), (void *)apart, 32),
                         tensor_f32(DIMS(1, 1, 2), NAN, 1), SCALAR_I64(2))};
    Tensor one = tensor_i64(DIMS(1, 3), 0, 0, 1);
    op_test_expect(&nan, &one);
}

/* Boxes are searched for by the definition, one after the other. */
static void nms_of_many_boxes_agrees_with_its_definition(void **state) {
    (void)state;
    enum { N = 500 };
    static float boxes[4 * N], scores[N];
    int64_t y[3 * N], count = 0;
    bool gone[N] = {0};
    fill_random(boxes, 4 * N, 3);
    fill_random(scores, N, 4);
    for (int i = 0; i < N; i++) {
        scores[i] = floorf(scores[i] * 100) / 100;
        boxes[4 * i + 2] = boxes[4 * i] + 0.3f;
        boxes[4 * i + 3] = boxes[4 * i + 1] + 0.3f;
    }
    for (;;) {
        int best = -1;
        for (int i = 0; i < N; i++)
            if (!gone[i] && (best < 0 || scores[i] > scores[best]))
                best = i;
        if (best < 0)
            break;
        y[3 * count] = y[3 * count + 1] = 0;
        y[3 * count++ + 2] = best;
        const float *a = boxes + 4 * best;
        gone[best] = true;
        for (int i = 0; i < N; i++) {
            const float *b = boxes + 4 * i;
            const double height = fmax(fmin(a[2], b[2]) - (double)fmaxf(a[0], b[0]), 0);
            const double width = fmax(fmin(a[3], b[3]) - (double)fmaxf(a[1], b[1]), 0);
            gone[i] |= height * width / (2 * 0.09 - height * width) > 0.4;
        }
    }
    OpTest test = {.op = "NonMaxSuppression",
                   .opset = 11,
                   INPUTS(op_test_tensor(STRIDER_F32, DIMS(1, N, 4), boxes, sizeof boxes),
                          op_test_tensor(STRIDER_F32, DIMS(1, 1, N), scores, sizeof scores), SCALAR_I64(N),
                          SCALAR_F32(0.4f))};
    Tensor expected = op_test_tensor(STRIDER_I64, DIMS(count, 3), y, (size_t)count * 24);
    assert_in_range(count, 50, 200);
    op_test_expect(&test, &expected);
}

static void nms_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor boxes = BOXES(6, six_boxes), scores = SIX_SCORES;
    OpTest iou = {
        .op = "NonMaxSuppression", .opset = 11, INPUTS(boxes, scores, SCALAR_I64(1), SCALAR_F32(1.5f))};
    op_test_expect_error(&iou, STRIDER_BAD_MODEL, "iou_threshold is 1.5, must be from 0 to 1");
    iou.inputs[3] = SCALAR_F32(NAN);
    op_test_expect_error(&iou, STRIDER_BAD_MODEL, "must be from 0 to 1");
    OpTest places = {.op = "NonMaxSuppression", .opset = 11, INPUTS(boxes, tensor_f32(DIMS(1, 1, 2), 1, 2))};
    op_test_expect_error(&places, STRIDER_BAD_MODEL, "boxes of 6 places, and scores of 2");
    OpTest batches = {
        .op = "NonMaxSuppression", .opset = 11, INPUTS(boxes, tensor_empty(STRIDER_F32, DIMS(0, 1, 6)))};
    op_test_expect_error(&batches, STRIDER_BAD_MODEL, "boxes of 1 batches, and scores of 0");
    OpTest numbers = {
        .op = "NonMaxSuppression",
        .opset = 11,
        INPUTS(op_test_tensor(STRIDER_F32, DIMS(1, 8, 3), (void *)six_boxes, sizeof six_boxes), scores)};
    op_test_expect_error(&numbers, STRIDER_BAD_MODEL, "boxes have 3 numbers, must have 4");
    OpTest several = {
        .op = "NonMaxSuppression", .opset = 11, INPUTS(boxes, scores, tensor_i64(DIMS(2), 1, 2))};
    op_test_expect_error(&several, STRIDER_BAD_MODEL, "input 2 has 2 values, must have one");
    OpTest center = {.op = "NonMaxSuppression",
                     .opset = 11,
                     .attrs = {attr_int("center_point_box", 2)},
                     INPUTS(boxes, scores)};
    op_test_expect_error(&center, STRIDER_BAD_MODEL, "center_point_box is 2, must be 0 or 1");
    op_test_expect_type(
        (OpTest){.op = "NonMaxSuppression",
                 .opset = 11,
                 INPUTS({.type = {STRIDER_F32, DIMS(-7, -8, 4)}}, {.type = {STRIDER_F32, shape_unknown()}})},
        STRIDER_I64, DIMS(DIM_UNKNOWN, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonzero_finds_coordinates_in_order_in_every_type),
        cmocka_unit_test(nonzero_takes_nan_for_something_and_minus_zero_for_nothing),
        cmocka_unit_test(nonzero_of_scalars_and_of_nothing),
        cmocka_unit_test(nonzero_agrees_with_a_search_in_three_dimensions),
        cmocka_unit_test(compress_takes_slices_along_an_axis_in_every_type),
        cmocka_unit_test(compress_takes_runs_of_larger_slices),
        cmocka_unit_test(compress_takes_nothing_where_nothing_is_true),
        cmocka_unit_test(compress_refuses_what_does_not_fit),
        cmocka_unit_test(unique_elements_are_sorted_or_stand_as_they_came),
        cmocka_unit_test(unique_slices_are_sorted_by_what_differs_first),
        cmocka_unit_test(unique_takes_all_nan_for_one_and_both_zeros),
        cmocka_unit_test(unique_of_nothing_and_of_slices_without_elements),
        cmocka_unit_test(unique_agrees_with_sorting_many),
        cmocka_unit_test(nms_takes_the_best_of_boxes_that_overlap),
        cmocka_unit_test(nms_takes_nothing_unless_a_number_is_given),
        cmocka_unit_test(nms_thresholds_are_strict),
        cmocka_unit_test(nms_knows_both_kinds_of_boxes_and_corners_in_any_order),
        cmocka_unit_test(nms_goes_class_by_class_and_keeps_equals_in_order),
        cmocka_unit_test(nms_of_many_boxes_agrees_with_its_definition),
        cmocka_unit_test(nms_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
