/* SPDX-License-Identifier: Apache-2.0 */
/* Operators of detection and recurrent layers, on tensors that devices other than the CPU divide into chunks;
 * see team_test.c. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "support/device_case.h"

/* --- between elements --- */

/* Coordinates that reach beyond both ends. */
static Tensor grid_of(Shape shape) {
    Tensor grid = device_case_fill(1, shape);
    for (int64_t i = 0; i < tensor_elements(&grid); i++)
        ((float *)grid.data)[i] *= 1.6f;
    return grid;
}

static void grid_sample_has_every_mode(void **state) {
    (void)state;
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const paddings[] = {"zeros", "border",
                                                                                            "reflection"};
    const Shape shapes[][2] = {{DIMS(2, 7, 9), DIMS(2, 301, 1)},
                               {DIMS(2, 5, 6, 7), DIMS(2, 17, 19, 2)},
                               {DIMS(1, 3, 4, 5, 6), DIMS(1, 3, 11, 9, 3)}};
    for (int mode = 0; mode < 3; mode++)
        for (int padding = 0; padding < 3; padding++)
            for (int k = 0; k < 6; k++) {
                OpTest test = {.op = "GridSample",
                               .opset = 20,
                               .attrs = {attr_string("mode", modes[mode]),
                                         attr_string("padding_mode", paddings[padding]),
                                         attr_int("align_corners", k % 2)},
                               .n_inputs = 2,
                               .inputs = {device_case_fill(0, shapes[k / 2][0]), grid_of(shapes[k / 2][1])}};
                ((float *)test.inputs[1].data)[5] = NAN;
                device_case_must_run_twice(&test);
            }
}

/* Offsets and coordinates of any size read nothing that is not there. */
static void positions_may_be_any_number(void **state) {
    (void)state;
    static const float far[] = {INFINITY, -INFINITY, 3e38f, -3e38f, 1e19f, -1e10f, 4e9f, NAN};
    static const char *const modes[] = {"nearest", "linear", "cubic"}, *const paddings[] = {"zeros",
                                                                                            "border"};
    for (int variant = 0; variant < 6; variant++) {
        OpTest grid = {.op = "GridSample",
                       .opset = 20,
                       .attrs = {attr_string("mode", modes[variant / 2]),
                                 attr_string("padding_mode", paddings[variant % 2])},
                       .n_inputs = 2,
                       .inputs = {device_case_fill(0, DIMS(1, 5, 6, 7)), grid_of(DIMS(1, 4, 5, 2))}};
        for (int i = 0; i < 8; i++)
            ((float *)grid.inputs[1].data)[3 * i] = far[i];
        device_case_must_run_twice(&grid);
    }
    OpTest deform = {.op = "DeformConv",
                     .opset = 19,
                     .n_inputs = 3,
                     .inputs = {device_case_fill(0, DIMS(1, 3, 5, 6)), device_case_fill(1, DIMS(2, 3, 2, 2)),
                                device_case_fill(2, DIMS(1, 8, 4, 5))}};
    for (int i = 0; i < 7; i++)
        ((float *)deform.inputs[2].data)[11 * i] = far[i];
    device_case_must_run_twice(&deform);
}

static void affine_grids_have_two_or_three_dimensions(void **state) {
    (void)state;
    for (int align = 0; align < 2; align++) {
        OpTest flat = {.op = "AffineGrid",
                       .opset = 20,
                       .attrs = {attr_int("align_corners", align)},
                       .n_inputs = 2,
                       .inputs = {device_case_fill(0, DIMS(3, 2, 3)), tensor_i64(DIMS(4), 3, 2, 17, 19)}};
        OpTest deep = {.op = "AffineGrid",
                       .opset = 20,
                       .attrs = {attr_int("align_corners", align)},
                       .n_inputs = 2,
                       .inputs = {device_case_fill(0, DIMS(2, 3, 4)), tensor_i64(DIMS(5), 2, 2, 5, 1, 70)}};
        device_case_must_run(&flat);
        device_case_must_run(&deep);
    }
}

static void deformable_convolutions_have_groups(void **state) {
    (void)state;
    const struct {
        Shape x, w;
        int64_t group, offset_group, out[3];
    } rows[] = {{DIMS(2, 12, 11, 13), DIMS(8, 6, 3, 3), 2, 3, {11, 13}},
                {DIMS(1, 10, 40), DIMS(3, 10, 5), 1, 1, {38}},
                {DIMS(2, 2, 4, 5, 6), DIMS(4, 1, 3, 3, 3), 2, 2, {4, 5, 6}}};
    for (int i = 0; i < 6; i++) {
        const int r = i / 2, rank = rows[r].x.rank;
        int64_t taps = rows[r].offset_group;
        Shape offset = rows[r].x, mask;
        for (int d = 2; d < rank; d++) {
            taps *= rows[r].w.dims[d];
            offset.dims[d] = rows[r].out[d - 2];
        }
        mask = offset;
        offset.dims[1] = taps * (rank - 2);
        mask.dims[1] = taps;
        const int64_t ones[] = {1, 1, 1, 1, 1, 1};
        OpTest test = {
            .op = "DeformConv",
            .opset = 19,
            .attrs = {attr_int("group", rows[r].group),
                      attr_int("offset_group", rows[r].offset_group),
                      {.name = "pads", .kind = ATTR_INTS, .ints = ones, .count = (size_t)rank * 2 - 4}},
            .n_inputs = i % 2 ? 5 : 3,
            .inputs = {device_case_fill(0, rows[r].x), device_case_fill(1, rows[r].w),
                       device_case_fill(2, offset)}};
        if (i % 2) {
            test.inputs[3] = device_case_fill(3, DIMS(rows[r].w.dims[0]));
            test.inputs[4] = device_case_fill(4, mask);
        }
        device_case_must_run_twice(&test);
    }
}

static void columns_fold_into_images(void **state) {
    (void)state;
    OpTest flat = {
        .op = "Col2Im",
        .opset = 18,
        .attrs = {attr_ints("pads", 1, 0, 2, 1), attr_ints("dilations", 1, 2), attr_ints("strides", 2, 1)},
        .n_inputs = 3,
        .inputs = {device_case_fill(0, DIMS(2, 5 * 6, 6 * 14)), tensor_i64(DIMS(2), 11, 15),
                   tensor_i64(DIMS(2), 3, 2)}};
    OpTest large_block = {.op = "Col2Im",
                          .opset = 18,
                          .n_inputs = 3,
                          .inputs = {device_case_fill(0, DIMS(1, 3 * 19, 3)), tensor_i64(DIMS(1), 21),
                                     tensor_i64(DIMS(1), 19)}};
    device_case_must_run(&flat);
    device_case_must_run(&large_block);
}

/* --- regions --- */

/* In and around an image of 20 x 24; some are far too large. */
static Tensor regions(int count) {
    Tensor rois = device_case_fill(1, DIMS(count, 4));
    float *values = rois.data;
    for (int i = 0; i < 4 * count; i++)
        values[i] = values[i] * 12 + (i % 4 < 2 ? 4.3f : 18.7f);
    static const float far[] = {3e38f, INFINITY, -1e19f, NAN, 5e9f, -INFINITY};
    for (int i = 0; i < 6; i++)
        values[5 * i + 1] = far[i];
    return rois;
}

static void regions_have_means_and_maxima(void **state) {
    (void)state;
    static const char *const modes[] = {"avg", "max"}, *const coordinates[] = {"half_pixel",
                                                                               "output_half_pixel"};
    for (int variant = 0; variant < 8; variant++) {
        OpTest test = {.op = "RoiAlign",
                       .opset = 16,
                       .attrs = {attr_string("mode", modes[variant & 1]),
                                 attr_string("coordinate_transformation_mode", coordinates[variant >> 1 & 1]),
                                 attr_int("sampling_ratio", variant >> 2 ? 3 : 0),
                                 attr_int("output_height", 3), attr_int("output_width", 5),
                                 attr_float("spatial_scale", 0.9f)},
                       .n_inputs = 3,
                       .inputs = {device_case_fill(0, DIMS(3, 4, 20, 24)), regions(23),
                                  device_case_integers(STRIDER_I64, 23, 3)}};
        device_case_must_run_twice(&test);
    }
}

/* --- recurrent layers --- */

typedef struct LayerCase {
    const char *op;
    int gates, outputs;
    int64_t hidden, batch, steps;
    bool has_lengths, batch_first, flag; /* input_forget, linear_before_reset */
} LayerCase;

enum { LAYER_INPUTS = 10, DIRECTIONS = 2 };

/* With every input there is; lengths, which are other numbers for each row, at port 4. */
static OpTest layer_of(const LayerCase *c) {
    const bool is_lstm = c->gates == 4;
    const int64_t rows = c->gates * c->hidden;
    const Shape states =
        c->batch_first ? DIMS(c->batch, DIRECTIONS, c->hidden) : DIMS(DIRECTIONS, c->batch, c->hidden);
    OpTest test = {.op = c->op,
                   .opset = 14,
                   .attrs = {attr_string("direction", "bidirectional"), attr_int("hidden_size", c->hidden),
                             attr_int("layout", c->batch_first), attr_float("clip", 0.9f)},
                   .n_inputs = is_lstm ? 8 : 6,
                   .n_outputs = is_lstm ? 3 : 2,
                   .inputs = {device_case_fill(0, c->batch_first ? DIMS(c->batch, c->steps, LAYER_INPUTS)
                                                                 : DIMS(c->steps, c->batch, LAYER_INPUTS)),
                              device_case_fill(1, DIMS(DIRECTIONS, rows, LAYER_INPUTS)),
                              device_case_fill(2, DIMS(DIRECTIONS, rows, c->hidden)),
                              device_case_fill(3, DIMS(DIRECTIONS, 2 * rows))}};
    /* Sums stay small, so that functions keep to where they change. */
    for (int64_t i = 0; i < tensor_elements(&test.inputs[2]); i++)
        ((float *)test.inputs[2].data)[i] *= 2 / (float)c->hidden;
    if (c->has_lengths)
        test.inputs[4] = device_case_integers(STRIDER_I32, c->batch, (int)c->steps + 1);
    test.inputs[5] = device_case_fill(5, states);
    if (is_lstm) {
        test.inputs[6] = device_case_fill(6, states);
        test.inputs[7] = device_case_fill(7, DIMS(DIRECTIONS, 3 * c->hidden));
    }
    if (c->flag)
        test.attrs[4] = attr_int(is_lstm ? "input_forget" : "linear_before_reset", 1);
    return test;
}

static void recurrent_layers_take_their_steps(void **state) {
    (void)state;
    static const LayerCase cases[] = {
        {"LSTM", 4, 3, 20, 3, 7, true, false, false},   {"LSTM", 4, 3, 33, 5, 4, true, true, true},
        {"LSTM", 4, 3, 129, 1, 3, false, false, false}, {"GRU", 3, 2, 20, 9, 8, true, false, false},
        {"GRU", 3, 2, 31, 2, 5, false, true, true},     {"GRU", 3, 2, 147, 1, 3, true, true, false},
        {"RNN", 1, 2, 20, 3, 7, true, false, false},    {"RNN", 1, 2, 300, 2, 3, false, true, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest whole = layer_of(&cases[i]), least = layer_of(&cases[i]);
        device_case_must_run_twice(&whole);
        least.n_inputs = 3;
        least.n_outputs = 1;
        device_case_must_run_twice(&least);
    }
}

/* --- lines and matrices --- */

static void products_of_lines_begin_with_one(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        OpTest test = {.op = "CumProd",
                       .opset = 26,
                       .attrs = {attr_int("exclusive", variant & 1), attr_int("reverse", variant >> 1)},
                       .n_inputs = 2,
                       .inputs = {device_case_fill(0, DIMS(3, 301, 2)), tensor_i64(DIMS(1), 1)}};
        for (int64_t i = 0; i < tensor_elements(&test.inputs[0]); i++)
            ((float *)test.inputs[0].data)[i] = 1 + 0.1f * ((float *)test.inputs[0].data)[i];
        device_case_must_run(&test);
    }
}

static void the_first_maximum_is_one(void **state) {
    (void)state;
    for (int axis = 0; axis < 3; axis++) {
        OpTest test = {.op = "Hardmax",
                       .opset = 13,
                       .attrs = {attr_int("axis", axis)},
                       .n_inputs = 1,
                       .inputs = {device_case_fill(0, DIMS(7, 40, 11))}};
        float *x = test.inputs[0].data;
        for (int i = 0; i < 7 * 40 * 11; i++) /* in steps that make equals */
            x[i] = floorf(x[i] * 3);
        device_case_must_run_twice(&test);
    }
}

static void triangles_have_any_diagonal(void **state) {
    (void)state;
    static const int64_t diagonals[] = {0, 3, -2, INT64_MAX, INT64_MIN};
    for (int i = 0; i < 10; i++) {
        OpTest floats = {
            .op = "Trilu",
            .opset = 14,
            .attrs = {attr_int("upper", i % 2)},
            .n_inputs = 2,
            .inputs = {device_case_fill(0, DIMS(3, 17, 23)), tensor_i64(shape_scalar(), diagonals[i / 2])}};
        OpTest chosen = floats;
        chosen.inputs[0] = device_case_bools(DIMS(5, 7));
        device_case_must_run(&floats);
        device_case_must_run(&chosen);
    }
}

/* --- indices that nobody knows before a run --- */

static void gathers_check_their_indices(void **state) {
    (void)state;
    static const char *const operators[] = {"Gather", "GatherElements", "GatherND"};
    const DType widths[] = {STRIDER_I32, STRIDER_I64};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < (i < 2 ? 2 : 1); k++) {
            const DType dtype = i < 2 ? widths[k] : STRIDER_I64;
            OpTest test = {.op = operators[i],
                           .opset = 13,
                           .n_inputs = 2,
                           .inputs = {device_case_fill(0, DIMS(5, 3)),
                                      tensor_typed(dtype, DIMS(3, 2), 2, -3, 0, -1, 1, 2)}};
            device_case_must_run_twice(&test);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_sample_has_every_mode),
        cmocka_unit_test(positions_may_be_any_number),
        cmocka_unit_test(affine_grids_have_two_or_three_dimensions),
        cmocka_unit_test(deformable_convolutions_have_groups),
        cmocka_unit_test(columns_fold_into_images),
        cmocka_unit_test(regions_have_means_and_maxima),
        cmocka_unit_test(recurrent_layers_take_their_steps),
        cmocka_unit_test(products_of_lines_begin_with_one),
        cmocka_unit_test(the_first_maximum_is_one),
        cmocka_unit_test(triangles_have_any_diagonal),
        cmocka_unit_test(gathers_check_their_indices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
