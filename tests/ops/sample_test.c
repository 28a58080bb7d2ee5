/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that read between elements or from regions: GridSample, AffineGrid, RoiAlign, CropAndResize,
 * MaxRoiPool, DeformConv.  tests/data/ops/sampling.bin holds more of what torch makes of random ones. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INPUTS(...)                                                                                          \
    .inputs = {__VA_ARGS__}, .n_inputs = (int)(sizeof((Tensor[]){__VA_ARGS__}) / sizeof(Tensor))

/* --- GridSample --- */

#define MODE(TEXT) attr_string("mode", TEXT)
#define PADDING(TEXT) attr_string("padding_mode", TEXT)
static const float nine[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
#define NINE op_test_tensor(STRIDER_F32, DIMS(1, 1, 3, 3), (void *)nine, sizeof nine)

static void grid_sample_counts_from_edges_or_from_centres(void **state) {
    (void)state;
    /* The corner, the middle, and half an element right of the middle, by either way of counting. */
    OpTest edges = {.op = "GridSample",
                    .opset = 16,
                    INPUTS(NINE, tensor_f32(DIMS(1, 1, 3, 2), -2.0f / 3, -2.0f / 3, 0, 0, 1.0f / 3, 0))};
    Tensor y = tensor_f32(DIMS(1, 1, 1, 3), 1, 5, 5.5f);
    op_test_expect(&edges, &y);
    OpTest centres = {.op = "GridSample",
                      .opset = 20,
                      .attrs = {attr_int("align_corners", 1)},
                      INPUTS(NINE, tensor_f32(DIMS(1, 1, 3, 2), -1, -1, 0, 0, 0.5f, 0))};
    op_test_expect(&centres, &y);
}

/* Beyond the right edge by 0.5, 1, 1.5 and 3 elements from the last centre, in the middle row 4 5 6. */
static void grid_sample_pads_in_three_ways(void **state) {
    (void)state;
    static const struct {
        const char *padding, *mode;
        bool align;
        float y[4];
    } rows[] = {{"zeros", "bilinear", true, {3, 0, 0, 0}},          {"border", "linear", true, {6, 6, 6, 6}},
                {"reflection", "linear", true, {5.5f, 5, 4.5f, 5}}, /* back at 6: 5 4, then up again */
                {"reflection", "linear", false, {6, 6, 5.5f, 4}},   /* the edge is half an element off */
                {"zeros", "nearest", true, {6, 0, 0, 0}},           /* 2.5 is nearest to 2, the even one */
                {"border", "nearest", true, {6, 6, 6, 6}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const float scale = rows[i].align ? 1 : 2.0f / 3;
        OpTest test = {
            .op = "GridSample",
            .opset = 16,
            .attrs = {PADDING(rows[i].padding), MODE(rows[i].mode), attr_int("align_corners", rows[i].align)},
            INPUTS(NINE, tensor_f32(DIMS(1, 1, 4, 2), scale * 1.5f, 0, scale * 2, 0, scale * 2.5f, 0,
                                    scale * 4, 0))};
        const float *y = rows[i].y;
        Tensor expected = tensor_f32(DIMS(1, 1, 1, 4), y[0], y[1], y[2], y[3]);
        op_test_expect(&test, &expected);
    }
}

/* At half way the weights are -3/32, 19/32, 19/32, -3/32. */
static void grid_sample_weighs_four_elements_for_cubic(void **state) {
    (void)state;
    static const char *const modes[] = {"bicubic", "cubic"};
    for (int i = 0; i < 2; i++) {
        OpTest test = {.op = "GridSample",
                       .opset = i ? 20 : 16,
                       .attrs = {MODE(modes[i]), attr_int("align_corners", 1)},
                       INPUTS(tensor_f32(DIMS(1, 1, 1, 4), 32, 64, 320, 1024),
                              tensor_f32(DIMS(1, 1, 2, 2), 0, 0, -1.0f / 3, 0))};
        Tensor y = tensor_f32(DIMS(1, 1, 1, 2), 19 * (2 + 10) - 3 * (1 + 32), 64);
        op_test_expect(&test, &y);
    }
}

static void grid_sample_has_one_to_three_and_more_dimensions(void **state) {
    (void)state;
    OpTest line = {
        .op = "GridSample",
        .opset = 20,
        .attrs = {attr_int("align_corners", 1)},
        INPUTS(tensor_f32(DIMS(2, 1, 3), 1, 2, 3, 4, 5, 6), tensor_f32(DIMS(2, 1, 1), 0.5f, -0.5f))};
    Tensor y_line = tensor_f32(DIMS(2, 1, 1), 2.5f, 4.5f);
    op_test_expect(&line, &y_line);
    /* The middle of a cube of eight, then x, y and z one after the other: the grid lists x first. */
    OpTest cube = {
        .op = "GridSample",
        .opset = 20,
        .attrs = {attr_int("align_corners", 1)},
        INPUTS(tensor_f32(DIMS(1, 2, 2, 2, 2), 0, 1, 2, 3, 4, 5, 6, 7, 0, 10, 20, 30, 40, 50, 60, 70),
               tensor_f32(DIMS(1, 1, 1, 4, 3), 0, 0, 0, 1, -1, -1, -1, 1, -1, -1, -1, 1))};
    Tensor y_cube = tensor_f32(DIMS(1, 2, 1, 1, 4), 3.5f, 1, 2, 4, 35, 10, 20, 40);
    op_test_expect(&cube, &y_cube);
    OpTest four = {.op = "GridSample",
                   .opset = 20,
                   .attrs = {attr_int("align_corners", 1), MODE("cubic"), PADDING("border")},
                   INPUTS(tensor_f32(DIMS(1, 1, 1, 1, 2, 2), 1, 2, 3, 4),
                          tensor_f32(DIMS(1, 1, 1, 1, 1, 4), 0, 0, 0, 0))};
    Tensor y_four = tensor_f32(DIMS(1, 1, 1, 1, 1, 1), 2.5f);
    op_test_expect(&four, &y_four);
}

static void grid_sample_moves_every_type(void **state) {
    (void)state;
    for (DType dtype = STRIDER_F32; dtype <= STRIDER_BOOL; dtype++) {
        OpTest test = {.op = "GridSample",
                       .opset = 22,
                       .attrs = {MODE("nearest"), attr_int("align_corners", 1)},
                       INPUTS(tensor_typed(dtype, DIMS(1, 1, 1, 3), 0, 1, 1),
                              tensor_typed(STRIDER_F64, DIMS(1, 1, 3, 2), 1, 0, -1, 0, 2, 0))};
        Tensor y = tensor_typed(dtype, DIMS(1, 1, 1, 3), 1, 0, 0);
        op_test_expect(&test, &y);
    }
    const int64_t big = ((int64_t)1 << 62) + 1;
    OpTest exact = {.op = "GridSample",
                    .opset = 16,
                    .attrs = {MODE("nearest")},
                    INPUTS(tensor_i64(DIMS(1, 1, 1, 1), big), tensor_f32(DIMS(1, 1, 1, 2), 0, 0))};
    Tensor y_exact = tensor_i64(DIMS(1, 1, 1, 1), big);
    op_test_expect(&exact, &y_exact);
    static const DType grids[] = {STRIDER_F16, STRIDER_BF16, STRIDER_F64};
    for (size_t i = 0; i < sizeof grids / sizeof *grids; i++) {
        OpTest grid = {.op = "GridSample",
                       .opset = 22,
                       .attrs = {attr_int("align_corners", 1)},
                       INPUTS(tensor_typed(grids[i], DIMS(1, 1, 1, 3), 1, 2, 4),
                              tensor_typed(grids[i], DIMS(1, 1, 1, 2), 0.5, 0))};
        Tensor y = tensor_typed(grids[i], DIMS(1, 1, 1, 1), 3);
        op_test_expect(&grid, &y);
    }
}

static void grid_sample_reads_nothing_outside_for_any_number(void **state) {
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const paddings[] = {"zeros", "border",
                                                                                            "reflection"};
    static const float far[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e19f, -1e10f, 4e9f};
    for (int mode = 0; mode < 3; mode++)
        for (int padding = 0; padding < 3; padding++)
            for (int align = 0; align < 2; align++)
                for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
                    OpTest test = {.op = "GridSample",
                                   .opset = 20,
                                   .attrs = {MODE(modes[mode]), PADDING(paddings[padding]),
                                             attr_int("align_corners", align)},
                                   INPUTS(NINE, tensor_f32(DIMS(1, 1, 1, 2), far[i], 0))};
                    if (op_test_run(&test))
                        fail_msg("%s", test.error.message);
                    const float y = *(const float *)test.outputs[0].data;
                    if (padding == 0 && mode == 0)
                        assert_true(y == 0);
                    else if (padding == 1 && isinf(far[i]) && mode == 0)
                        assert_true(y == (far[i] > 0 ? 6 : 4));
                    else
                        assert_true(isnan(far[i]) && mode > 0 ? isnan(y) : isnan(y) || (y >= -1 && y <= 10));
                    op_test_free(&test);
                }
}

static void grid_sample_of_one_element_and_of_none(void **state) {
    (void)state;
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    for (int i = 0; i < 3; i++)
        for (int align = 0; align < 2; align++) {
            OpTest one = {.op = "GridSample",
                          .opset = 16,
                          .attrs = {PADDING(paddings[i]), attr_int("align_corners", align)},
                          INPUTS(tensor_f32(DIMS(1, 1, 1, 1), 7), tensor_f32(DIMS(1, 1, 2, 2), 0, 0, 9, 0))};
            Tensor y = tensor_f32(DIMS(1, 1, 1, 2), 7, i || align ? 7 : 0);
            op_test_expect(&one, &y);
            OpTest none = {
                .op = "GridSample",
                .opset = 16,
                .attrs = {PADDING(paddings[i]), attr_int("align_corners", align)},
                INPUTS(tensor_empty(STRIDER_F32, DIMS(1, 1, 0, 3)), tensor_f32(DIMS(1, 1, 1, 2), 0, 0))};
            Tensor zero = tensor_f32(DIMS(1, 1, 1, 1), 0);
            op_test_expect(&none, &zero);
        }
    OpTest nothing = {
        .op = "GridSample", .opset = 16, INPUTS(NINE, tensor_empty(STRIDER_F32, DIMS(1, 0, 4, 2)))};
    Tensor empty = tensor_empty(STRIDER_F32, DIMS(1, 1, 0, 4));
    op_test_expect(&nothing, &empty);
}

static void grid_sample_refuses_what_does_not_fit(void **state) {
    (void)state;
    OpTest rank = {.op = "GridSample", .opset = 16, INPUTS(NINE, tensor_f32(DIMS(1, 1, 2), 0, 0))};
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "the input has rank 4, the grid 3");
    OpTest count = {.op = "GridSample", .opset = 16, INPUTS(NINE, tensor_f32(DIMS(1, 1, 1, 3), 0, 0, 0))};
    op_test_expect_error(&count, STRIDER_BAD_MODEL, "3 coordinates for 2 spatial dimensions");
    OpTest images = {.op = "GridSample", .opset = 16, INPUTS(NINE, tensor_f32(DIMS(2, 1, 1, 2), 0, 0, 0, 0))};
    op_test_expect_error(&images, STRIDER_BAD_MODEL, "the input has 1 images, the grid is for 2");
    OpTest mode = {.op = "GridSample",
                   .opset = 16,
                   .attrs = {MODE("trilinear")},
                   INPUTS(NINE, tensor_f32(DIMS(1, 1, 1, 2), 0, 0))};
    op_test_expect_error(&mode, STRIDER_BAD_MODEL, "mode has the unknown value \"trilinear\"");
    OpTest type = {.op = "GridSample", .opset = 16, INPUTS(NINE, tensor_i64(DIMS(1, 1, 1, 2), 0, 0))};
    op_test_expect_error(&type, STRIDER_UNSUPPORTED, "input 1 of type int64");
    const Tensor open_x = {.type = {STRIDER_F16, DIMS(-7, 3, DIM_UNKNOWN, 5)}};
    op_test_expect_type((OpTest){.op = "GridSample",
                                 .opset = 16,
                                 INPUTS(open_x, {.type = {STRIDER_F32, DIMS(-7, -8, 9, 2)}})},
                        STRIDER_F16, DIMS(-7, 3, -8, 9));
    op_test_expect_type(
        (OpTest){.op = "GridSample", .opset = 16, INPUTS(open_x, {.type = {STRIDER_F32, shape_unknown()}})},
        STRIDER_F16, DIMS(-7, 3, DIM_UNKNOWN, DIM_UNKNOWN));
}

/* --- AffineGrid --- */

static void affine_grid_maps_places(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        /* x' = x + 1, y' = 2 y: of a row of four, whose places are -3/4, -1/4 and so on */
        OpTest test = {.op = "AffineGrid",
                       .opset = 20,
                       INPUTS(tensor_typed(dtypes[i], DIMS(1, 2, 3), 1, 0, 1, 0, 2, 0),
                              tensor_i64(DIMS(4), 1, 5, 2, 4))};
        Tensor y = tensor_typed(dtypes[i], DIMS(1, 2, 4, 2), 0.25, -1, 0.75, -1, 1.25, -1, 1.75, -1, 0.25, 1,
                                0.75, 1, 1.25, 1, 1.75, 1);
        op_test_expect(&test, &y);
    }
    /* Turned by a quarter: x' = y, y' = -x; one row is at 0. */
    OpTest corners = {.op = "AffineGrid",
                      .opset = 20,
                      .attrs = {attr_int("align_corners", 1)},
                      INPUTS(tensor_f32(DIMS(1, 2, 3), 0, 1, 0, -1, 0, 0), tensor_i64(DIMS(4), 1, 1, 1, 3))};
    Tensor y = tensor_f32(DIMS(1, 1, 3, 2), 0, 1, 0, 0, 0, -1);
    op_test_expect(&corners, &y);
    OpTest volume = {.op = "AffineGrid",
                     .opset = 20,
                     .attrs = {attr_int("align_corners", 1)},
                     .hide_inputs = true,
                     INPUTS(tensor_f32(DIMS(2, 3, 4), 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 5, 1, 0, 0, 0, 0, 1, 0,
                                       0, 0, 0, 1, 0),
                            tensor_i64(DIMS(5), 2, 1, 2, 1, 2))};
    Tensor y_volume = tensor_f32(DIMS(2, 2, 1, 2, 3), -1, 0, 4, -1, 0, 6, 1, 0, 4, 1, 0, 6, /* z, y, x + 5 */
                                 -1, 0, -1, 1, 0, -1, -1, 0, 1, 1, 0, 1);
    op_test_expect(&volume, &y_volume);
}

static void affine_grid_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor theta = tensor_f32(DIMS(1, 2, 3), 1, 0, 0, 0, 1, 0);
    static const struct {
        int64_t size[5];
        int count;
        const char *message;
    } rows[] = {{{1, 1, 2}, 3, "size has 3 values, must have 4 or 5"},
                {{1, 1, 2, 2, 2}, 5, "theta maps 2 coordinates, but size has 3 spatial dimensions"},
                {{2, 1, 2, 2}, 4, "there are 1 maps, but size is for 2 images"},
                {{1, 1, -2, 2}, 4, "a size is -2"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int hide = 0; hide < 2; hide++) {
            OpTest test = {.op = "AffineGrid",
                           .opset = 20,
                           .hide_inputs = hide,
                           INPUTS(theta, op_test_tensor(STRIDER_I64, DIMS(rows[i].count),
                                                        (void *)rows[i].size, (size_t)rows[i].count * 8))};
            op_test_expect_error(&test, STRIDER_BAD_MODEL,
                                 hide ? "size does not fit 1 maps of 2 coordinates" : rows[i].message);
        }
    OpTest shape = {.op = "AffineGrid",
                    .opset = 20,
                    INPUTS(tensor_f32(DIMS(1, 2, 2), 1, 0, 0, 1), tensor_i64(DIMS(4), 1, 1, 1, 1))};
    op_test_expect_error(&shape, STRIDER_BAD_MODEL, "theta is [1, 2, 2], must be [N, 2, 3] or [N, 3, 4]");
    op_test_expect_type(
        (OpTest){.op = "AffineGrid",
                 .opset = 20,
                 INPUTS({.type = {STRIDER_F32, DIMS(-7, 3, 4)}}, {.type = {STRIDER_I64, DIMS(5)}})},
        STRIDER_F32, DIMS(-7, DIM_UNKNOWN, DIM_UNKNOWN, DIM_UNKNOWN, 3));
    /* What the sizes ask for is not believed. */
    OpTest large = {.op = "AffineGrid",
                    .opset = 20,
                    INPUTS(theta, tensor_i64(DIMS(4), 1, 1, (int64_t)1 << 40, (int64_t)1 << 40))};
    op_test_expect_error(&large, STRIDER_LIMIT_EXCEEDED, "is too large");
}

/* --- CropAndResize --- */

static OpTest cropping(Tensor x, Tensor rois, Tensor batches, Tensor size) {
    return (OpTest){.op = "CropAndResize",
                    .domain = "com.microsoft",
                    .opset = 1,
                    .n_inputs = 4,
                    .inputs = {x, rois, batches, size}};
}

#define I32(SHAPE, ...) tensor_typed(STRIDER_I32, SHAPE, __VA_ARGS__)

static void crops_lie_between_corners_in_both_modes_and_types(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        OpTest test = cropping(tensor_typed(dtypes[i], DIMS(2, 1, 2, 2), 9, 9, 9, 9, 0, 4, 8, 12),
                               tensor_typed(dtypes[i], DIMS(2, 4), 0, 0, 1, 1, 1, 0.5, 0, 1.5),
                               I32(DIMS(2), 1, 1), I32(DIMS(2), 2, 3));
        test.attrs[0] = attr_float("extrapolation_value", -1);
        /* The second is upside down, from the middle of a row to beyond its end. */
        Tensor y = tensor_typed(dtypes[i], DIMS(2, 1, 2, 3), 0, 2, 4, 8, 10, 12, 10, 12, -1, 2, 4, -1);
        op_test_expect(&test, &y);
        test.attrs[1] = attr_string("mode", "nearest");
        y = tensor_typed(dtypes[i], DIMS(2, 1, 2, 3), 0, 4, 4, 8, 12, 12, 12, 12, -1, 4, 4, -1);
        op_test_expect(&test, &y);
    }
}

static void a_crop_of_one_pixel_lies_in_the_middle(void **state) {
    (void)state;
    OpTest test = cropping(tensor_f32(DIMS(1, 2, 1, 3), 0, 4, 8, 1, 1, 3),
                           tensor_f32(DIMS(1, 4), 0, 0.5f, 0, 1), I32(DIMS(1), 0), I32(DIMS(2), 1, 1));
    Tensor y = tensor_f32(DIMS(1, 2, 1, 1), 6, 2);
    op_test_expect(&test, &y);
    Tensor none = tensor_empty(STRIDER_F32, DIMS(0, 2, 1, 1));
    test = cropping(tensor_f32(DIMS(1, 2, 1, 1), 0, 4), tensor_empty(STRIDER_F32, DIMS(0, 4)),
                    tensor_empty(STRIDER_I32, DIMS(0)), I32(DIMS(2), 1, 1));
    op_test_expect(&test, &none);
}

static void crops_are_refused_where_they_do_not_fit(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(1, 1, 1, 2), 0, 4), roi = tensor_f32(DIMS(1, 4), 0, 0, 1, 1),
                 batch = I32(DIMS(1), 0), size = I32(DIMS(2), 1, 1);
    OpTest test = cropping(x, roi, I32(DIMS(1), 1), size);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "batch index 1 is outside a dimension of 1");
    test = cropping(x, roi, I32(DIMS(1), -1), size);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "batch index -1 is outside a dimension of 1");
    test = cropping(x, roi, I32(DIMS(2), 0, 0), size);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "there are 1 rois, but 2 batch indices");
    test = cropping(x, tensor_f32(DIMS(1, 3), 0, 0, 1), batch, size);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "rois have 3 numbers");
    test = cropping(x, roi, batch, I32(DIMS(2), 1, 0));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "crop_size must be two numbers of at least 1");
    test = cropping(x, roi, batch, I32(DIMS(1), 1));
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "crop_size must be two numbers of at least 1");
    test = cropping(x, roi, batch, tensor_i64(DIMS(2), 1, 1));
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "int64");
    test = cropping(tensor_f32(DIMS(2), 0, 4), roi, batch, size);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "rank");
    test = cropping(x, roi, batch, size);
    test.attrs[0] = attr_string("mode", "cubic");
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "cubic");
    test = cropping(tensor_f32(DIMS(1, 2, 1, 1), 0, 4), roi, batch, I32(DIMS(2), 2147483647, 2147483647));
    op_test_expect_error(&test, STRIDER_LIMIT_EXCEEDED, "too large");
}

/* --- RoiAlign --- */

#define ROI_ATTRS(HEIGHT, WIDTH, RATIO)                                                                      \
    attr_int("output_height", HEIGHT), attr_int("output_width", WIDTH), attr_int("sampling_ratio", RATIO)

/* A plane 0 to 15 in rows of four, on which every mean of samples is the value in the middle. */
static const float plane[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#define PLANE op_test_tensor(STRIDER_F32, DIMS(1, 1, 4, 4), (void *)plane, sizeof plane)

static void roi_align_takes_means_in_every_float_type(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (int ratio = 0; ratio < 4; ratio++) {
            double values[16];
            uint64_t memory[16];
            for (int v = 0; v < 16; v++)
                values[v] = v;
            OpTest test = {.op = "RoiAlign",
                           .opset = 10,
                           .attrs = {ROI_ATTRS(2, 2, ratio)},
                           INPUTS(op_test_convert(dtypes[i], DIMS(1, 1, 4, 4), memory, values, 16),
                                  tensor_typed(dtypes[i], DIMS(1, 4), 0, 0, 2, 2), tensor_i64(DIMS(1), 0))};
            /* The bins' middles are at 0.5 and 1.5. */
            Tensor y = tensor_typed(dtypes[i], DIMS(1, 1, 2, 2), 2.5, 3.5, 6.5, 7.5);
            op_test_expect(&test, &y);
        }
}

static void roi_align_counts_from_centres_from_opset_16_on(void **state) {
    (void)state;
    const Tensor roi = tensor_f32(DIMS(1, 4), 2, 2, 6, 6), batch = tensor_i64(DIMS(1), 0);
    for (int opset = 10; opset <= 22; opset += 6) {
        OpTest test = {.op = "RoiAlign",
                       .opset = opset,
                       .attrs = {ROI_ATTRS(1, 2, 2), attr_float("spatial_scale", 0.5f)},
                       INPUTS(PLANE, roi, batch)};
        /* The region is [1, 3] or, half a pixel less, [0.5, 2.5]. */
        Tensor corners = tensor_f32(DIMS(1, 1, 1, 2), 9.5f, 10.5f),
               centres = tensor_f32(DIMS(1, 1, 1, 2), 7, 8);
        op_test_expect(&test, opset < 16 ? &corners : &centres);
        test.attrs[4] =
            attr_string("coordinate_transformation_mode", opset < 16 ? "half_pixel" : "output_half_pixel");
        op_test_expect(&test, opset < 16 ? &centres : &corners);
    }
}

/* Of two samples a side the larger; each is its nearest pixel times the largest of its weights here. */
static void roi_align_takes_the_largest_weighted_pixel(void **state) {
    (void)state;
    OpTest test = {
        .op = "RoiAlign",
        .opset = 16,
        .attrs = {ROI_ATTRS(1, 1, 1), attr_string("mode", "max")},
        INPUTS(PLANE, tensor_f32(DIMS(2, 4), 2, 2, 3.5f, 3.5f, -9, -9, -8, -8), tensor_i64(DIMS(2), 0, 0))};
    /* At 2.25: 10 * 0.75 * 0.75, 11 * 0.75 * 0.25, and so on. */
    Tensor y = tensor_f32(DIMS(2, 1, 1, 1), 10 * 0.75f * 0.75f, 0);
    op_test_expect(&test, &y);
}

static void roi_align_ends_for_any_region(void **state) {
    (void)state;
    static const float any[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0, 1e10f, 2};
    enum { N = sizeof any / sizeof *any };
    for (int mode = 0; mode < 2; mode++)
        for (int ratio = 0; ratio <= 128; ratio += 128)
            for (int opset = 10; opset <= 16; opset += 6)
                for (int i = 0; i < N * N; i++) {
                    OpTest test = {
                        .op = "RoiAlign",
                        .opset = opset,
                        .attrs = {ROI_ATTRS(1, 1, ratio), attr_string("mode", mode ? "max" : "avg")},
                        INPUTS(PLANE, tensor_f32(DIMS(1, 4), any[i / N], 0, any[i % N], 3),
                               tensor_i64(DIMS(1), 0))};
                    if (op_test_run(&test))
                        fail_msg("%s", test.error.message);
                    const float y = *(const float *)test.outputs[0].data;
                    assert_true(y >= 0 && y <= 15);
                    op_test_free(&test);
                }
    /* 1e10 pixels of which four are there, a millionth of a millionth of all samples each way. */
    OpTest wide = {.op = "RoiAlign",
                   .opset = 10,
                   .attrs = {ROI_ATTRS(1, 1, 0)},
                   INPUTS(PLANE, tensor_f32(DIMS(1, 4), 0, 0, 8, 1e10f), tensor_i64(DIMS(1), 0))};
    Tensor nearly_none = tensor_f32(DIMS(1, 1, 1, 1), 0);
    op_test_expect(&wide, &nearly_none);
    /* A region of no size has all of its samples in one place. */
    OpTest point = {.op = "RoiAlign",
                    .opset = 16,
                    .attrs = {ROI_ATTRS(1, 1, 3)},
                    INPUTS(PLANE, tensor_f32(DIMS(1, 4), 1.5f, 1.5f, 1.5f, 1.5f), tensor_i64(DIMS(1), 0))};
    Tensor y_point = tensor_f32(DIMS(1, 1, 1, 1), 5);
    op_test_expect(&point, &y_point);
}

static void roi_align_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor roi = tensor_f32(DIMS(1, 4), 0, 0, 1, 1);
    for (int64_t wrong = -1; wrong <= 1; wrong += 2) {
        OpTest batch = {.op = "RoiAlign", .opset = 16, INPUTS(PLANE, roi, tensor_i64(DIMS(1), wrong))};
        op_test_expect_error(&batch, STRIDER_BAD_MODEL,
                             wrong < 0 ? "of image -1, but there are 1" : "of image 1");
    }
    OpTest counts = {.op = "RoiAlign", .opset = 16, INPUTS(PLANE, roi, tensor_i64(DIMS(2), 0, 0))};
    op_test_expect_error(&counts, STRIDER_BAD_MODEL, "there are 1 rois, but 2 batch indices");
    OpTest numbers = {.op = "RoiAlign",
                      .opset = 16,
                      INPUTS(PLANE, tensor_f32(DIMS(1, 5), 0, 0, 0, 1, 1), tensor_i64(DIMS(1), 0))};
    op_test_expect_error(&numbers, STRIDER_BAD_MODEL, "rois have 5 numbers, must have 4");
    static const struct {
        int64_t height, ratio;
        Status status;
        const char *message;
    } rows[] = {{0, 0, STRIDER_BAD_MODEL, "the output is 0 x 1 bins"},
                {1, -1, STRIDER_BAD_MODEL, "sampling_ratio is -1"},
                {1, 129, STRIDER_LIMIT_EXCEEDED, "sampling_ratio is 129, must be at most 128"},
                {INT64_MAX, 0, STRIDER_LIMIT_EXCEEDED, "is too large"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "RoiAlign",
                       .opset = 16,
                       .attrs = {ROI_ATTRS(rows[i].height, 1, rows[i].ratio)},
                       INPUTS(PLANE, roi, tensor_i64(DIMS(1), 0))};
        op_test_expect_error(&test, rows[i].status, rows[i].message);
    }
    op_test_expect_type(
        (OpTest){.op = "RoiAlign",
                 .opset = 16,
                 .attrs = {ROI_ATTRS(7, 5, 2)},
                 INPUTS({.type = {STRIDER_F32, DIMS(1, 256, -7, -8)}},
                        {.type = {STRIDER_F32, DIMS(DIM_UNKNOWN, 4)}}, {.type = {STRIDER_I64, DIMS(-9)}})},
        STRIDER_F32, DIMS(-9, 256, 7, 5));
    OpTest none = {.op = "RoiAlign",
                   .opset = 16,
                   INPUTS(PLANE, tensor_empty(STRIDER_F32, DIMS(0, 4)), tensor_empty(STRIDER_I64, DIMS(0)))};
    Tensor y = tensor_empty(STRIDER_F32, DIMS(0, 1, 1, 1));
    op_test_expect(&none, &y);
}

/* --- MaxRoiPool --- */

static void max_roi_pool_takes_the_largest_of_whole_pixels(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    double values[16];
    uint64_t memory[16];
    for (int v = 0; v < 16; v++)
        values[v] = v;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        /* Three by three pixels from (1, 1): bins of two by two that share the middle. */
        OpTest test = {.op = "MaxRoiPool",
                       .opset = i == 3 ? 22 : 1,
                       .attrs = {attr_ints("pooled_shape", 2, 2), attr_float("spatial_scale", 0.5f)},
                       INPUTS(op_test_convert(dtypes[i], DIMS(1, 1, 4, 4), memory, values, 16),
                              tensor_typed(dtypes[i], DIMS(2, 5), 0, 2, 2, 6, 6, 0, 2, 2, 2, 2))};
        Tensor y = tensor_typed(dtypes[i], DIMS(2, 1, 2, 2), 10, 11, 14, 15, 5, 5, 5, 5);
        op_test_expect(&test, &y);
    }
}

static void max_roi_pool_of_what_is_outside_is_zero(void **state) {
    (void)state;
    OpTest test = {
        .op = "MaxRoiPool",
        .opset = 22,
        .attrs = {attr_ints("pooled_shape", 1, 2)},
        INPUTS(tensor_f32(DIMS(1, 2, 1, 2), -1, -2, NAN, 3),
               tensor_f32(DIMS(3, 5), 0, -2, 0, 1, 0, 0, 9, 9, 9, 9, 0, -3e38f, NAN, INFINITY, 0))};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    const float *y = test.outputs[0].data;
    assert_true(y[0] == 0 && y[1] == -1 && y[2] == 0 && isnan(y[3]));
    assert_true(y[4] == 0 && y[5] == 0 && y[6] == 0 && y[7] == 0);
    op_test_free(&test);
}

static void max_roi_pool_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor rois = tensor_f32(DIMS(1, 5), 1, 0, 0, 1, 1);
    OpTest image = {
        .op = "MaxRoiPool", .opset = 1, .attrs = {attr_ints("pooled_shape", 1, 1)}, INPUTS(PLANE, rois)};
    op_test_expect_error(&image, STRIDER_BAD_MODEL, "roi 0 is of image 1, but there are 1");
    OpTest no_shape = {.op = "MaxRoiPool", .opset = 1, INPUTS(PLANE, rois)};
    op_test_expect_error(&no_shape, STRIDER_BAD_MODEL, "pooled_shape");
    OpTest zero = {
        .op = "MaxRoiPool", .opset = 1, .attrs = {attr_ints("pooled_shape", 1, 0)}, INPUTS(PLANE, rois)};
    op_test_expect_error(&zero, STRIDER_BAD_MODEL, "pooled_shape must be two positive numbers");
    OpTest numbers = {.op = "MaxRoiPool",
                      .opset = 1,
                      .attrs = {attr_ints("pooled_shape", 1, 1)},
                      INPUTS(PLANE, tensor_f32(DIMS(1, 4), 0, 0, 1, 1))};
    op_test_expect_error(&numbers, STRIDER_BAD_MODEL, "rois have 4 numbers, must have 5");
    op_test_expect_type(
        (OpTest){.op = "MaxRoiPool",
                 .opset = 1,
                 .attrs = {attr_ints("pooled_shape", 6, 7)},
                 INPUTS({.type = {STRIDER_F32, shape_unknown()}}, {.type = {STRIDER_F32, DIMS(-7, 5)}})},
        STRIDER_F32, DIMS(-7, DIM_UNKNOWN, 6, 7));
}

/* --- DeformConv --- */

static void deform_conv_without_offsets_is_conv(void **state) {
    (void)state;
    static float x[2 * 4 * 7 * 6], w[6 * 2 * 9], b[6], offset[2 * 2 * 18 * 4 * 3];
    fill_random(x, sizeof x / 4, 1);
    fill_random(w, sizeof w / 4, 2);
    fill_random(b, 6, 3);
    const Tensor x_tensor = op_test_tensor(STRIDER_F32, DIMS(2, 4, 7, 6), x, sizeof x);
    const Tensor w_tensor = op_test_tensor(STRIDER_F32, DIMS(6, 2, 3, 3), w, sizeof w);
    const Tensor b_tensor = op_test_tensor(STRIDER_F32, DIMS(6), b, sizeof b);
#define WINDOW                                                                                               \
    attr_ints("pads", 2, 1, 1, 2), attr_ints("strides", 2, 2), attr_ints("dilations", 1, 2),                 \
        attr_int("group", 2)
    OpTest conv = {.op = "Conv", .opset = 22, .attrs = {WINDOW}, INPUTS(x_tensor, w_tensor, b_tensor)};
    assert_int_equal(op_test_run(&conv), STRIDER_OK);
    assert_shape(&conv.outputs[0].type.shape, DIMS(2, 6, 4, 3));
    for (int opset = 19; opset <= 22; opset += 3) {
        OpTest test = {.op = "DeformConv",
                       .opset = opset,
                       .attrs = {WINDOW, attr_int("offset_group", 2)},
                       INPUTS(x_tensor, w_tensor,
                              op_test_tensor(STRIDER_F32, DIMS(2, 36, 4, 3), offset, sizeof offset),
                              b_tensor)};
        op_test_expect(&test, &conv.outputs[0]);
    }
    op_test_free(&conv);
}

/* One tap, moved by (1, 0.5), (-0.5, -2), and out of the input, with a mask; bias 100. */
static void deform_conv_moves_taps_and_masks_them(void **state) {
    (void)state;
    static const DType dtypes[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        OpTest test = {.op = "DeformConv",
                       .opset = i == 3 ? 22 : 19,
                       INPUTS(tensor_typed(dtypes[i], DIMS(1, 1, 2, 3), 1, 2, 3, 4, 5, 6),
                              tensor_typed(dtypes[i], DIMS(1, 1, 1, 1), 2),
                              tensor_typed(dtypes[i], DIMS(1, 2, 2, 3), 1, 0, -0.5, 0, 0, 9, /* y */
                                           0.5, 0, -2, 0, 0, 0),                             /* x */
                              tensor_typed(dtypes[i], DIMS(1), 100),
                              tensor_typed(dtypes[i], DIMS(1, 1, 2, 3), 1, 0.5, 4, 0, -1, 1))};
        Tensor y = tensor_typed(dtypes[i], DIMS(1, 1, 2, 3), 109, 102, 104, 100, 90, 100);
        op_test_expect(&test, &y);
    }
}

static void deform_conv_has_one_and_three_dimensions(void **state) {
    (void)state;
    OpTest line = {.op = "DeformConv",
                   .opset = 19,
                   .attrs = {attr_ints("kernel_shape", 2)},
                   INPUTS(tensor_f32(DIMS(1, 1, 3), 1, 2, 4), tensor_f32(DIMS(1, 1, 2), 1, 10),
                          tensor_f32(DIMS(1, 2, 2), 0, 0.5f, 0, -1))};
    Tensor y_line = tensor_f32(DIMS(1, 1, 2), 21, 3 + 20);
    op_test_expect(&line, &y_line);
    OpTest volume = {.op = "DeformConv",
                     .opset = 19,
                     INPUTS(tensor_f32(DIMS(1, 1, 2, 1, 2), 1, 2, 3, 4), tensor_f32(DIMS(1, 1, 1, 1, 1), 1),
                            tensor_f32(DIMS(1, 3, 2, 1, 2), 0.5f, 1, 0, -1, 0, 0, 0, 0.5f, 0, -1, 1, 0))};
    Tensor y_volume = tensor_f32(DIMS(1, 1, 2, 1, 2), 2, 3, 4, 1);
    op_test_expect(&volume, &y_volume);
}

static void deform_conv_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor x = {.type = {STRIDER_F32, DIMS(1, 4, 5, 5)}}, w = {.type = {STRIDER_F32, DIMS(6, 2, 3, 3)}},
                 offset = {.type = {STRIDER_F32, DIMS(1, 18, 3, 3)}}, none = {0};
    static const struct {
        int port;
        int64_t dims[4], group, offset_group;
        const char *message;
    } rows[] = {{2, {1, 17, 3, 3}, 2, 1, "input 2 has 17 in dimension 1, must have 18"},
                {2, {1, 18, 3, 4}, 2, 1, "input 2 has 4 in dimension 3, must have 3"},
                {2, {2, 18, 3, 3}, 2, 1, "input 2 has 2 in dimension 0, must have 1"},
                {2, {1, 18, 3, 3}, 2, 2, "input 2 has 18 in dimension 1, must have 36"},
                {2, {1, 54, 3, 3}, 2, 3, "offset groups of 3"},
                {1, {6, 2, 3, 3}, 4, 1, "are not whole groups of 4"},
                {1, {6, 4, 3, 3}, 2, 1, "input 1 has 4 in dimension 1, must have 2"},
                {1, {6, 2, 0, 3}, 2, 1, "no elements in dimension 2"},
                {1, {6, 2, 9, 3}, 2, 1, "larger than the padded input"},
                {4, {1, 18, 3, 3}, 2, 1, "input 4 has 18 in dimension 1, must have 9"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {
            .op = "DeformConv",
            .opset = 19,
            .infer_only = true,
            .attrs = {attr_int("group", rows[i].group), attr_int("offset_group", rows[i].offset_group)},
            INPUTS(x, w, offset, none, none)};
        test.inputs[rows[i].port].type = type_of(STRIDER_F32, shape_make(4, rows[i].dims));
        op_test_expect_error(&test, STRIDER_BAD_MODEL, rows[i].message);
    }
    OpTest bias = {.op = "DeformConv",
                   .opset = 19,
                   .infer_only = true,
                   .attrs = {attr_int("group", 2)},
                   INPUTS(x, w, offset, {.type = {STRIDER_F32, DIMS(5)}})};
    op_test_expect_error(&bias, STRIDER_BAD_MODEL, "input 3 has 5 in dimension 0, must have 6");
    OpTest group = {.op = "DeformConv",
                    .opset = 19,
                    .infer_only = true,
                    .attrs = {attr_int("group", 0)},
                    INPUTS(x, w, offset)};
    op_test_expect_error(&group, STRIDER_BAD_MODEL, "group is 0 and offset_group 1");
    OpTest rank = {.op = "DeformConv",
                   .opset = 19,
                   .infer_only = true,
                   INPUTS(x, w, {.type = {STRIDER_F32, DIMS(1, 18, 3)}})};
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "input 2 has rank 3, others have 4");
    op_test_expect_type((OpTest){.op = "DeformConv",
                                 .opset = 19,
                                 .attrs = {attr_int("group", 2)},
                                 INPUTS({.type = {STRIDER_F32, DIMS(-7, 4, DIM_UNKNOWN, 5)}}, w,
                                        {.type = {STRIDER_F32, DIMS(-7, 18, -8, 3)}})},
                        STRIDER_F32, DIMS(-7, 6, -8, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_sample_counts_from_edges_or_from_centres),
        cmocka_unit_test(grid_sample_pads_in_three_ways),
        cmocka_unit_test(grid_sample_weighs_four_elements_for_cubic),
        cmocka_unit_test(grid_sample_has_one_to_three_and_more_dimensions),
        cmocka_unit_test(grid_sample_moves_every_type),
        cmocka_unit_test(grid_sample_reads_nothing_outside_for_any_number),
        cmocka_unit_test(grid_sample_of_one_element_and_of_none),
        cmocka_unit_test(grid_sample_refuses_what_does_not_fit),
        cmocka_unit_test(affine_grid_maps_places),
        cmocka_unit_test(affine_grid_refuses_what_does_not_fit),
        cmocka_unit_test(crops_lie_between_corners_in_both_modes_and_types),
        cmocka_unit_test(a_crop_of_one_pixel_lies_in_the_middle),
        cmocka_unit_test(crops_are_refused_where_they_do_not_fit),
        cmocka_unit_test(roi_align_takes_means_in_every_float_type),
        cmocka_unit_test(roi_align_counts_from_centres_from_opset_16_on),
        cmocka_unit_test(roi_align_takes_the_largest_weighted_pixel),
        cmocka_unit_test(roi_align_ends_for_any_region),
        cmocka_unit_test(roi_align_refuses_what_does_not_fit),
        cmocka_unit_test(max_roi_pool_takes_the_largest_of_whole_pixels),
        cmocka_unit_test(max_roi_pool_of_what_is_outside_is_zero),
        cmocka_unit_test(max_roi_pool_refuses_what_does_not_fit),
        cmocka_unit_test(deform_conv_without_offsets_is_conv),
        cmocka_unit_test(deform_conv_moves_taps_and_masks_them),
        cmocka_unit_test(deform_conv_has_one_and_three_dimensions),
        cmocka_unit_test(deform_conv_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
