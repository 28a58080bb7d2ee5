/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on tensors that devices other than the CPU divide into chunks: more elements than a block has
 * threads, and numbers of them that no power of two divides.  The reference is what they are compared with,
 * so that this says something where STRIDER_TEST_DEVICE is set, and then also that the device has a kernel
 * for each. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/device_case.h"

/* Of at least `min`, in steps that make equals. */
static Tensor filled_in_steps(Shape shape, float min, float step) {
    Tensor tensor = device_case_fill(0, shape);
    float *values = tensor.data;
    for (int64_t i = 0; i < tensor_elements(&tensor); i++)
        values[i] = min + step * floorf((values[i] + 1) / step);
    return tensor;
}

/* --- normalisations --- */

static void batch_normalisation_is_by_channel(void **state) {
    (void)state;
    const Shape shapes[] = {DIMS(3, 5, 13, 17), DIMS(300, 7), DIMS(1, 3, 5, 7, 9), DIMS(301)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t channels = shapes[i].rank < 2 ? 1 : shapes[i].dims[1];
        OpTest test = {.op = "BatchNormalization", .opset = 15, .n_inputs = 5};
        for (int port = 0; port < 5; port++)
            test.inputs[port] = device_case_fill(port, port ? DIMS(channels) : shapes[i]);
        for (int64_t c = 0; c < channels; c++)
            ((float *)test.inputs[4].data)[c] += 1.5f;
        device_case_must_run(&test);
    }
}

static void instances_and_groups_have_means_of_their_own(void **state) {
    (void)state;
    const Shape shapes[] = {DIMS(2, 6, 17, 23), DIMS(3, 6, 129), DIMS(2, 6), DIMS(1, 12, 5, 6, 7)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const Shape channels = DIMS(shapes[i].dims[1]), groups = DIMS(3);
        OpTest instance = {.op = "InstanceNormalization",
                           .opset = 6,
                           .n_inputs = 3,
                           .inputs = {device_case_fill(0, shapes[i]), device_case_fill(1, channels),
                                      device_case_fill(2, channels)}};
        device_case_must_run(&instance);
        for (int opset = 18; opset <= 21; opset += 3) {
            const Shape parameter = opset < 21 ? groups : channels;
            OpTest group = {.op = "GroupNormalization",
                            .opset = opset,
                            .attrs = {attr_int("num_groups", 3)},
                            .n_inputs = 3,
                            .inputs = {device_case_fill(0, shapes[i]), device_case_fill(1, parameter),
                                       device_case_fill(2, parameter)}};
            device_case_must_run(&group);
        }
    }
}

static void layers_take_parameters_that_broadcast(void **state) {
    (void)state;
    const struct {
        int64_t axis;
        Shape scale, b;
    } rows[] = {{-1, DIMS(201), DIMS(201)},          {2, DIMS(7, 201), DIMS(1, 201)},
                {1, DIMS(5, 7, 201), DIMS(7, 1)},    {0, DIMS(1), DIMS(3, 1, 7, 1)},
                {-2, DIMS(5, 1, 201), DIMS(7, 201)}, {3, DIMS(3, 1, 1, 201), DIMS(201)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int inputs = 2; inputs <= 3; inputs++) {
            OpTest test = {.op = "LayerNormalization",
                           .opset = 17,
                           .attrs = {attr_int("axis", rows[i].axis)},
                           .n_inputs = inputs,
                           .inputs = {device_case_fill(0, DIMS(3, 5, 7, 201)),
                                      device_case_fill(1, rows[i].scale), device_case_fill(2, rows[i].b)}};
            device_case_must_run(&test);
            test.op = "RMSNormalization";
            test.opset = 23;
            if (inputs == 2)
                device_case_must_run(&test);
        }
}

static void lrn_windows_end_with_the_channels(void **state) {
    (void)state;
    const int64_t sizes[] = {1, 2, 5, 8, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        OpTest test = {.op = "LRN",
                       .opset = 13,
                       .attrs = {attr_int("size", sizes[i]), attr_float("alpha", 0.5f)},
                       .n_inputs = 1,
                       .inputs = {device_case_fill(0, DIMS(2, 9, 11, 13))}};
        device_case_must_run(&test);
    }
}

/* --- reductions --- */

static const char *const reductions[] = {"ReduceSum",       "ReduceMean",     "ReduceMax", "ReduceMin",
                                         "ReduceProd",      "ReduceL1",       "ReduceL2",  "ReduceLogSum",
                                         "ReduceLogSumExp", "ReduceSumSquare"};
enum { N_REDUCTIONS = sizeof reductions / sizeof *reductions };

static void reduce(int kind, Tensor x, unsigned mask, bool keepdims) {
    int64_t axes[MAX_RANK];
    int n = 0;
    for (int d = 0; d < x.type.shape.rank; d++)
        if (mask >> d & 1)
            axes[n++] = d;
    OpTest test = {.op = reductions[kind],
                   .opset = 11,
                   .attrs = {{.name = "axes", .kind = ATTR_INTS, .ints = axes, .count = (size_t)n},
                             attr_int("keepdims", keepdims)},
                   .n_inputs = 1,
                   .inputs = {x}};
    device_case_must_run(&test);
}

static void reductions_take_any_axes(void **state) {
    (void)state;
    for (unsigned mask = 1; mask < 1u << 5; mask++)
        reduce((int)mask % N_REDUCTIONS, filled_in_steps(DIMS(3, 5, 1, 7, 19), 0.5f, 0.01f), mask, mask % 2);
}

static void reductions_of_few_or_many_outputs(void **state) {
    (void)state;
    const struct {
        Shape shape;
        unsigned mask;
    } rows[] = {{DIMS(2, 20, 71, 70), 2}, {DIMS(3, 300, 7), 2}, {DIMS(5, 2000), 2},
                {DIMS(400, 33), 1},       {DIMS(129), 1},       {DIMS(5000, 3), 2}};
    for (int kind = 0; kind < N_REDUCTIONS; kind++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            reduce(kind, filled_in_steps(rows[i].shape, 0.5f, 0.01f), rows[i].mask, false);
}

static void reductions_pass_on_what_is_no_number(void **state) {
    (void)state;
    for (int kind = 0; kind < N_REDUCTIONS; kind++) {
        Tensor x = filled_in_steps(DIMS(4, 300), 0.5f, 0.01f);
        float *values = x.data;
        values[290] = NAN;
        values[300 + 150] = INFINITY;
        values[600 + 5] = -INFINITY;
        for (int i = 900; i < 1200; i++)
            values[i] = -INFINITY;
        reduce(kind, x, 2, true);
    }
}

static void the_first_or_the_last_of_equals_in_long_rows(void **state) {
    (void)state;
    const struct {
        Shape shape;
        int64_t axis;
    } rows[] = {{DIMS(3, 300), 1},   {DIMS(2, 21, 71, 70), 1}, {DIMS(1, 1000, 3), -2},
                {DIMS(5000, 4), -1}, {DIMS(7, 5, 3), 0},       {DIMS(1000), 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int variant = 0; variant < 8; variant++) {
            Tensor x = filled_in_steps(rows[i].shape, 0, 0.2f);
            if (variant & 4)
                ((float *)x.data)[77] = ((float *)x.data)[91] = NAN;
            OpTest test = {.op = variant & 1 ? "ArgMin" : "ArgMax",
                           .opset = 13,
                           .attrs = {attr_int("axis", rows[i].axis), attr_int("keepdims", variant & 1),
                                     attr_int("select_last_index", variant >> 1 & 1)},
                           .n_inputs = 1,
                           .inputs = {x}};
            device_case_must_run(&test);
        }
}

/* --- Resize and Pad --- */

static const char *const modes[] = {"nearest", "linear", "cubic"};
static const char *const coordinates[] = {"half_pixel",          "half_pixel_symmetric", "pytorch_half_pixel",
                                          "align_corners",       "asymmetric",           "tf_crop_and_resize",
                                          "tf_half_pixel_for_nn"};

static void resize_has_every_mode(void **state) {
    (void)state;
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    const float scales[][2] = {{2, 2}, {1, 3}, {0.5f, 2}, {1.7f, 0.6f}};
    for (int mode = 0; mode < 3; mode++)
        for (int c = 0; c < 7; c++)
            for (int variant = 0; variant < 4; variant++)
                for (int s = 0; s < 4; s++) {
                    OpTest test = {.op = "Resize",
                                   .opset = 19,
                                   .attrs = {attr_string("mode", modes[mode]),
                                             attr_string("coordinate_transformation_mode", coordinates[c]),
                                             attr_string("nearest_mode", nearest[variant]),
                                             attr_int("exclude_outside", mode == 2 && variant % 2),
                                             attr_int("antialias", mode && variant > 1),
                                             attr_float("extrapolation_value", 10)},
                                   .n_inputs = 3,
                                   .inputs = {device_case_fill(0, DIMS(6, 5, 7)),
                                              tensor_f32(DIMS(6), 0, 0.1f, -0.2f, 1, 0.9f, 1.2f),
                                              tensor_f32(DIMS(3), 1, scales[s][0], scales[s][1])}};
                    device_case_must_run(&test);
                }
}

static void resize_takes_neighbouring_dimensions(void **state) {
    (void)state;
    const struct {
        Shape x, sizes;
    } rows[] = {{DIMS(2, 5, 7, 3), DIMS(2, 9, 13, 3)},
                {DIMS(1, 2, 4, 5, 6), DIMS(1, 2, 8, 3, 9)},
                {DIMS(3, 4, 5), DIMS(2, 7, 5)},
                {DIMS(2, 3, 4), DIMS(2, 3, 4)},
                {DIMS(1, 3, 4, 5, 2, 3), DIMS(1, 3, 7, 5, 5, 3)},
                {DIMS(9), DIMS(31)}};
    for (int mode = 0; mode < 3; mode++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const Shape of_sizes = DIMS(rows[i].sizes.rank);
            OpTest test = {.op = "Resize",
                           .opset = 13,
                           .attrs = {attr_string("mode", modes[mode])},
                           .n_inputs = 4,
                           .inputs = {[0] = device_case_fill(0, rows[i].x),
                                      [3] = tensor_view(STRIDER_I64, &of_sizes, (void *)rows[i].sizes.dims)}};
            device_case_must_run(&test);
        }
    OpTest upsample = {.op = "Upsample",
                       .opset = 9,
                       .n_inputs = 2,
                       .inputs = {device_case_fill(0, DIMS(2, 3, 5, 7)), tensor_f32(DIMS(4), 1, 1, 2, 3)}};
    device_case_must_run(&upsample);
}

static void resize_leaves_out_what_has_no_weight(void **state) {
    (void)state;
    Tensor x = device_case_fill(0, DIMS(1, 1, 4, 5));
    ((float *)x.data)[7] = INFINITY;
    ((float *)x.data)[13] = NAN;
    OpTest test = {.op = "Resize",
                   .opset = 13,
                   .attrs = {attr_string("mode", "linear"),
                             attr_string("coordinate_transformation_mode", "align_corners")},
                   .n_inputs = 4,
                   .inputs = {[0] = x, [3] = tensor_i64(DIMS(4), 1, 1, 7, 9)}};
    device_case_must_run(&test);
}

static void pad_has_every_mode(void **state) {
    (void)state;
    const struct {
        Shape x;
        int64_t pads[12];
    } rows[] = {{DIMS(2, 3, 9, 11), {0, 0, 3, 4, 0, 0, 2, 5}},
                {DIMS(2, 3, 9, 11), {1, 0, -3, 4, 0, 2, 2, -5}},
                {DIMS(4, 5, 6, 3, 4), {1, 1, 0, 2, 3, 0, 2, 1, 0, 2}},
                {DIMS(2, 2, 2, 3, 3, 4), {0, 0, 0, 2, 1, 0, 0, 0, 1, 1, 2, 0}},
                {DIMS(300), {299, 17}}};
    static const char *const pad_modes[] = {"constant", "reflect", "edge", "wrap"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int mode = 0; mode < 4; mode++) {
            const Shape of_pads = DIMS(2 * rows[i].x.rank);
            OpTest test = {.op = "Pad",
                           .opset = 19,
                           .attrs = {attr_string("mode", pad_modes[mode])},
                           .n_inputs = 3,
                           .inputs = {device_case_fill(0, rows[i].x),
                                      tensor_view(STRIDER_I64, &of_pads, (void *)rows[i].pads),
                                      tensor_f32(shape_scalar(), 2.5f)}};
            device_case_must_run(&test);
        }
}

/* Of both widths, and from either end. */
static void gathers_take_every_index(void **state) {
    (void)state;
    const DType widths[] = {STRIDER_I32, STRIDER_I64};
    for (int i = 0; i < 2; i++) {
        OpTest along = {.op = "Gather",
                        .opset = 13,
                        .attrs = {attr_int("axis", 1)},
                        .n_inputs = 2,
                        .inputs = {device_case_fill(0, DIMS(7, 5, 31)),
                                   tensor_typed(widths[i], DIMS(2, 3), 4, -5, 0, -1, 2, 2)}};
        OpTest elements = {.op = "GatherElements",
                           .opset = 13,
                           .attrs = {attr_int("axis", 0)},
                           .n_inputs = 2,
                           .inputs = {device_case_fill(0, DIMS(5, 3)),
                                      tensor_typed(widths[i], DIMS(2, 3), 4, -5, 0, -1, 2, 2)}};
        device_case_must_run(&along);
        device_case_must_run(&elements);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_normalisation_is_by_channel),
        cmocka_unit_test(instances_and_groups_have_means_of_their_own),
        cmocka_unit_test(layers_take_parameters_that_broadcast),
        cmocka_unit_test(lrn_windows_end_with_the_channels),
        cmocka_unit_test(reductions_take_any_axes),
        cmocka_unit_test(reductions_of_few_or_many_outputs),
        cmocka_unit_test(reductions_pass_on_what_is_no_number),
        cmocka_unit_test(the_first_or_the_last_of_equals_in_long_rows),
        cmocka_unit_test(resize_has_every_mode),
        cmocka_unit_test(resize_takes_neighbouring_dimensions),
        cmocka_unit_test(resize_leaves_out_what_has_no_weight),
        cmocka_unit_test(pad_has_every_mode),
        cmocka_unit_test(gathers_take_every_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
