/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that read between elements or from regions: GridSample, AffineGrid, RoiAlign, DeformConv. */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* --- GridSample --- */

static const char *const paddings[] = {"zeros", "border", "reflection"};

static KernelTest grid_case(const char *mode, const char *padding, bool align, Shape x, Shape grid) {
    return (KernelTest){.op = "GridSample",
                        .opset = 20,
                        .attrs = {attr_string("mode", mode), attr_string("padding_mode", padding),
                                  attr_int("align_corners", align)},
                        .inputs = {x, grid},
                        .n_inputs = 2,
                        .low = -2.5f,
                        .high = 2.5f,
                        .atol = 1e-4,
                        .must_accept = true};
}

static void grid_sample(void **state) {
    (void)state;
    static const char *const modes[] = {"linear", "cubic"};
    for (int mode = 0; mode < 2; mode++)
        for (int padding = 0; padding < 3; padding++)
            for (int align = 0; align < 2; align++) {
                for (int c = 0; c < N_TEST_CHANNELS; c++)
                    kernel_test_check(grid_case(modes[mode], paddings[padding], align,
                                                DIMS(2, test_channels[c], 4, 5), DIMS(2, 3, 7, 2)));
                kernel_test_check(
                    grid_case(modes[mode], paddings[padding], align, DIMS(1, 70, 9, 1), DIMS(1, 13, 29, 2)));
                kernel_test_check(
                    grid_case(modes[mode], paddings[padding], align, DIMS(3, 2, 6), DIMS(3, 131, 1)));
            }
    for (int padding = 0; padding < 3; padding++)
        for (int align = 0; align < 2; align++)
            kernel_test_check(
                grid_case("linear", paddings[padding], align, DIMS(2, 17, 3, 1, 4), DIMS(2, 2, 5, 3, 3)));
}

/* In steps of an eighth of an element, so that nothing is half way in one arithmetic only. */
static void grid_sample_nearest(void **state) {
    (void)state;
    static float grid[2 * 11 * 13 * 2];
    for (int padding = 0; padding < 3; padding++)
        for (int align = 0; align < 2; align++)
            for (int c = 0; c < N_TEST_CHANNELS; c++) {
                KernelTest test =
                    grid_case("nearest", paddings[padding], align,
                              DIMS(2, test_channels[c], align ? 5 : 4, align ? 9 : 8), DIMS(2, 11, 13, 2));
                fill_random(grid, sizeof grid / sizeof *grid, 5 + (uint64_t)c);
                for (size_t i = 0; i < sizeof grid / sizeof *grid; i++)
                    grid[i] = floorf(grid[i] * 80) / 32;
                test.given[1] = op_test_tensor(STRIDER_F32, test.inputs[1], grid, sizeof grid);
                kernel_test_check(test);
            }
}

/* What is outside or NaN, also where the image has infinities and NaN that no tap may meet. */
static void grid_sample_of_any_number(void **state) {
    (void)state;
    static float grid[] = {NAN,  0,    0,    NAN, INFINITY, 0,     -INFINITY, 0.5f, 1e30f, 0,   0,   -1e30f,
                           -1e9, 0.1f, 0.1f, 1e9, 3e4f,     -3e4f, NAN,       NAN,  5,     NAN, NAN, -5};
    static float image[2 * 3 * 4];
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    fill_random(image, 24, 3);
    for (int mode = 0; mode < 3; mode++)
        for (int padding = 0; padding < 2; padding++) /* how reflections of 1e30 end is no matter */
            for (int with_nan = 0; with_nan < 2; with_nan++) {
                KernelTest test =
                    grid_case(modes[mode], paddings[padding], true, DIMS(1, 2, 3, 4), DIMS(1, 1, 12, 2));
                test.given[1] = op_test_tensor(STRIDER_F32, DIMS(1, 1, 12, 2), grid, sizeof grid);
                image[0] = with_nan ? INFINITY : 1;
                image[12] = with_nan ? NAN : 1;
                if (padding == 0)
                    test.given[0] = op_test_tensor(STRIDER_F32, DIMS(1, 2, 3, 4), image, sizeof image);
                kernel_test_check(test);
            }
}

/* --- AffineGrid --- */

static void affine_grid(void **state) {
    (void)state;
    for (int64_t n = 1; n <= 3; n++)
        for (int64_t size = 1; size <= 41; size += 8)
            for (int align = 0; align < 2; align++) {
                int64_t flat[] = {n, 1, 42 - size, size}, deep[] = {n, 1, 3, size, 5};
                KernelTest test = {.op = "AffineGrid",
                                   .opset = 20,
                                   .attrs = {attr_int("align_corners", align)},
                                   .inputs = {DIMS(n, 2, 3)},
                                   .given = {{0}, op_test_tensor(STRIDER_I64, DIMS(4), flat, sizeof flat)},
                                   .constants = 2,
                                   .n_inputs = 2,
                                   .must_accept = true};
                kernel_test_check(test);
                test.inputs[0] = DIMS(n, 3, 4);
                test.given[1] = op_test_tensor(STRIDER_I64, DIMS(5), deep, sizeof deep);
                kernel_test_check(test);
            }
}

/* --- RoiAlign --- */

enum { MAX_ROIS = 40 };
static const char *const roi_modes[] = {"avg", "max"};

static KernelTest roi_case(const char *mode, int64_t ratio, int opset, Shape x, int64_t rois, float *boxes,
                           void *batches, DType index) {
    const Shape indices = DIMS(rois);
    return (KernelTest){.op = "RoiAlign",
                        .opset = opset,
                        .attrs = {attr_int("output_height", 3), attr_int("output_width", 5),
                                  attr_int("sampling_ratio", ratio), attr_float("spatial_scale", 0.5f),
                                  attr_string("mode", mode)},
                        .inputs = {x},
                        .given = {{0},
                                  op_test_tensor(STRIDER_F32, DIMS(rois, 4), boxes, (size_t)rois * 16),
                                  tensor_view(index, &indices, batches)},
                        .n_inputs = 3,
                        .must_accept = true};
}

/* Boxes inside, beyond the edges, far outside, reversed, small and large. */
static void roi_align(void **state) {
    (void)state;
    static float boxes[4 * MAX_ROIS];
    static int64_t batches[MAX_ROIS];
    static int32_t narrow[MAX_ROIS];
    for (uint64_t seed = 0; seed < 6; seed++) {
        const float scale = seed % 3 == 0 ? 10 : seed % 3 == 1 ? 45 : 400;
        fill_random(boxes, 4 * MAX_ROIS, seed + 1);
        for (int i = 0; i < MAX_ROIS; i++) {
            for (int k = 0; k < 4; k++)
                boxes[4 * i + k] = boxes[4 * i + k] * scale + 20;
            narrow[i] = (int32_t)(batches[i] = i % 2);
        }
        for (int64_t ratio = 0; ratio <= 3; ratio++)
            for (int opset = 10; opset <= 16; opset += 6)
                for (int m = 0; m < 2; m++) {
                    kernel_test_check(roi_case(roi_modes[m], ratio, opset, DIMS(2, 3, 19, 37), MAX_ROIS,
                                               boxes, batches, STRIDER_I64));
                    kernel_test_check(roi_case(roi_modes[m], ratio, opset, DIMS(2, 35, 2, 1), 3, boxes,
                                               narrow, STRIDER_I32));
                }
    }
}

static void roi_align_of_any_region(void **state) {
    (void)state;
    static const float any[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0, 1e10f, 2};
    enum { N = sizeof any / sizeof *any };
    static float boxes[4 * N * N];
    static int64_t batches[N * N];
    for (int i = 0; i < N * N; i++) {
        boxes[4 * i] = boxes[4 * i + 1] = any[i / N];
        boxes[4 * i + 2] = boxes[4 * i + 3] = any[i % N];
    }
    for (int64_t ratio = 0; ratio <= 2; ratio++)
        for (int opset = 10; opset <= 16; opset += 6)
            for (int m = 0; m < 2; m++)
                kernel_test_check(roi_case(roi_modes[m], ratio, opset, DIMS(1, 2, 5, 7), N * N, boxes,
                                           batches, STRIDER_I64));
}

/* A maximum of negative pixels and of NaN. */
static void roi_align_of_any_image(void **state) {
    (void)state;
    static float boxes[] = {1, 2, 9, 11, 0, 0, 14, 30, -3, -4, 70, 5};
    static int64_t batches[3];
    for (int m = 0; m < 2; m++)
        for (int with_nan = 0; with_nan < 2; with_nan++) {
            KernelTest test =
                roi_case(roi_modes[m], 2, 16, DIMS(1, 4, 19, 37), 3, boxes, batches, STRIDER_I64);
            static float image[4 * 19 * 37];
            fill_random(image, sizeof image / sizeof *image, 9);
            for (size_t i = 0; i < sizeof image / sizeof *image; i++)
                image[i] = with_nan && i % 97 == 0 ? NAN : image[i] - 1.5f;
            test.given[0] = op_test_tensor(STRIDER_F32, DIMS(1, 4, 19, 37), image, sizeof image);
            kernel_test_check(test);
        }
}

/* --- MaxRoiPool --- */

static void max_roi_pool(void **state) {
    (void)state;
    static float rois[5 * MAX_ROIS];
    for (uint64_t seed = 0; seed < 6; seed++) {
        const float scale = seed % 3 == 0 ? 10 : seed % 3 == 1 ? 45 : 400;
        fill_random(rois, 5 * MAX_ROIS, seed + 1);
        for (int i = 0; i < 5 * MAX_ROIS; i++)
            rois[i] = i % 5 == 0 ? (float)(i % 2) : rois[i] * scale + 20;
        for (unsigned with_nan = 0; with_nan < 2; with_nan++)
            kernel_test_check((KernelTest){
                .op = "MaxRoiPool",
                .opset = 1,
                .attrs = {attr_ints("pooled_shape", 3, 5), attr_float("spatial_scale", 0.5f)},
                .inputs = {DIMS(2, seed < 3 ? 3 : 35, 19, 37)},
                .given = {{0}, op_test_tensor(STRIDER_F32, DIMS(MAX_ROIS, 5), rois, sizeof rois)},
                .n_inputs = 2,
                .with_nan = with_nan,
                .must_accept = true});
    }
}

/* --- DeformConv --- */

typedef struct DeformCase {
    int64_t batch, in, out, height, width, kernel[2], strides[2], dilations[2], pads[4], group, offset_group;
    bool mask, bias;
} DeformCase;

static KernelTest deform_case(const DeformCase *c) {
    int64_t size[2];
    const int64_t in[] = {c->height, c->width}, taps = c->offset_group * c->kernel[0] * c->kernel[1];
    for (int i = 0; i < 2; i++)
        size[i] =
            (in[i] + c->pads[i] + c->pads[2 + i] - c->dilations[i] * (c->kernel[i] - 1) - 1) / c->strides[i] +
            1;
    return (KernelTest){.op = "DeformConv",
                        .opset = 19,
                        .attrs = {{.name = "strides", .kind = ATTR_INTS, .ints = c->strides, .count = 2},
                                  {.name = "dilations", .kind = ATTR_INTS, .ints = c->dilations, .count = 2},
                                  {.name = "pads", .kind = ATTR_INTS, .ints = c->pads, .count = 4},
                                  attr_int("group", c->group),
                                  attr_int("offset_group", c->offset_group)},
                        .inputs = {DIMS(c->batch, c->in, c->height, c->width),
                                   DIMS(c->out, c->in / c->group, c->kernel[0], c->kernel[1]),
                                   DIMS(c->batch, 2 * taps, size[0], size[1]), DIMS(c->out),
                                   DIMS(c->batch, taps, size[0], size[1])},
                        .n_inputs = 5,
                        .absent = (c->bias ? 0 : 1u << 3) | (c->mask ? 0 : 1u << 4),
                        .constants = 1u << 1,
                        .varying = 1u << 1,
                        .low = -1.5f,
                        .high = 1.5f,
                        .atol = 3e-4,
                        .must_accept = true};
}

static void deform_conv(void **state) {
    (void)state;
    static const DeformCase cases[] = {
        {1, 1, 1, 3, 3, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 1, 1, false, false},
        {2, 3, 5, 7, 9, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 1, 1, true, true},
        {1, 6, 4, 8, 6, {3, 2}, {2, 1}, {1, 2}, {2, 1, 0, 2}, 2, 3, true, false},
        {2, 8, 40, 11, 13, {3, 3}, {1, 2}, {1, 1}, {1, 1, 1, 1}, 4, 2, false, true},
        {1, 6, 6, 5, 17, {1, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 6, 2, true, true},
        {1, 32, 64, 14, 15, {3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}, 1, 4, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kernel_test_check(deform_case(&cases[i]));
}

static void deform_conv_in_one_and_three_dimensions(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "DeformConv",
                                   .opset = 22,
                                   .attrs = {attr_ints("pads", 1, 2)},
                                   .inputs = {DIMS(2, 3, 20), DIMS(4, 3, 3), DIMS(2, 3, 21)},
                                   .n_inputs = 3,
                                   .constants = 2,
                                   .atol = 1e-4,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "DeformConv",
                                   .opset = 22,
                                   .inputs = {DIMS(1, 2, 4, 5, 6), DIMS(3, 2, 2, 2, 2), DIMS(1, 24, 3, 4, 5),
                                              DIMS(3), DIMS(1, 8, 3, 4, 5)},
                                   .n_inputs = 5,
                                   .low = -2,
                                   .high = 2,
                                   .atol = 3e-4,
                                   .must_accept = true});
}

int sample_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_sample),
        cmocka_unit_test(grid_sample_nearest),
        cmocka_unit_test(grid_sample_of_any_number),
        cmocka_unit_test(affine_grid),
        cmocka_unit_test(roi_align),
        cmocka_unit_test(roi_align_of_any_region),
        cmocka_unit_test(roi_align_of_any_image),
        cmocka_unit_test(max_roi_pool),
        cmocka_unit_test(deform_conv),
        cmocka_unit_test(deform_conv_in_one_and_three_dimensions),
    };
    return cmocka_run_group_tests_name("kernels that read between elements", tests, NULL, NULL);
}

void sample_kernel_times(void) {
    static float boxes[400];
    static int64_t batches[100];
    static const DeformCase layer = {1,      128,          128, 28, 28,   {3, 3}, {1, 1},
                                     {1, 1}, {1, 1, 1, 1}, 1,   1,  true, true};
    fill_random(boxes, 400, 1);
    for (int i = 0; i < 400; i++)
        boxes[i] = boxes[i] * 20 + (i % 4 < 2 ? 30 : 70);
    kernel_test_time(grid_case("linear", "zeros", false, DIMS(1, 64, 64, 64), DIMS(1, 64, 64, 2)),
                     "linear 64x64x64");
    kernel_test_time(grid_case("cubic", "border", false, DIMS(1, 64, 64, 64), DIMS(1, 64, 64, 2)),
                     "cubic 64x64x64");
    kernel_test_time(roi_case("avg", 2, 16, DIMS(1, 256, 50, 50), 100, boxes, batches, STRIDER_I64),
                     "100 rois of 256x50x50");
    kernel_test_time(deform_case(&layer), "128x28x28, 3x3");
}
