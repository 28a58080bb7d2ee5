/* SPDX-License-Identifier: Apache-2.0 */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void max_pool_never_lets_padding_win(void **state) {
    (void)state;
    OpTest test = {.op = "MaxPool",
                   .opset = 8,
                   .attrs = {attr_ints("kernel_shape", 3), attr_ints("pads", 1, 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 3), -5, -7, -6)}};
    Tensor y = tensor_f32(DIMS(1, 1, 3), -5, -5, -6);
    op_test_expect(&test, &y);
}

static void max_pool_indices_are_flat_and_of_the_first_maximum(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        OpTest test = {
            .op = "MaxPool",
            .opset = 12,
            .attrs = {attr_ints("kernel_shape", 2, 2), attr_ints("strides", 1, 2),
                      attr_int("storage_order", order)},
            .n_inputs = 1,
            .n_outputs = 2,
            .inputs = {tensor_f32(DIMS(1, 2, 2, 4), 1, 9, 9, 4, 5, 6, 7, 9, 0, 0, 0, 0, 0, 0, 0, 1)}};
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        Tensor y = tensor_f32(DIMS(1, 2, 1, 2), 9, 9, 0, 1);
        Tensor rows = tensor_i64(DIMS(1, 2, 1, 2), 1, 2, 8, 15);
        Tensor columns = tensor_i64(DIMS(1, 2, 1, 2), 2, 4, 8, 15);
        assert_tensor_close(&test.outputs[0], &y, 0, 0);
        assert_tensor_close(&test.outputs[1], order ? &columns : &rows, 0, 0);
        op_test_free(&test);
    }
}

/* Windows that overlap, with holes, beyond both edges, and one without elements, whose index is 0. */
static void max_pool_indices_follow_dilations_pads_and_ceil_mode(void **state) {
    (void)state;
    for (int order = 0; order < 2; order++) {
        OpTest test = {.op = "MaxPool",
                       .opset = 12,
                       .attrs = {attr_ints("kernel_shape", 2, 2), attr_ints("strides", 1, 2),
                                 attr_ints("dilations", 1, 2), attr_ints("pads", 0, 1, 0, 1),
                                 attr_int("ceil_mode", 1), attr_int("storage_order", order)},
                       .n_inputs = 1,
                       .n_outputs = 2,
                       .inputs = {tensor_f32(DIMS(1, 2, 2, 4), 4, NAN, 9, 4, 5, 9, 9, -INFINITY, 0, 1, 0, 2,
                                             0, 1, 0, 3)}};
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        Tensor y = tensor_f32(DIMS(1, 2, 1, 3), NAN, NAN, 4, 1, 3, 3);
        Tensor rows = tensor_i64(DIMS(1, 2, 1, 3), 1, 1, 3, 9, 15, 15);
        Tensor columns = tensor_i64(DIMS(1, 2, 1, 3), 2, 2, 6, 10, 15, 15);
        assert_tensor_close(&test.outputs[0], &y, 0, 0);
        assert_tensor_close(&test.outputs[1], order ? &columns : &rows, 0, 0);
        op_test_free(&test);
    }
    OpTest outside = {
        .op = "MaxPool",
        .opset = 12,
        .attrs = {attr_ints("kernel_shape", 2), attr_ints("dilations", 2), attr_ints("pads", 1, 1)},
        .n_inputs = 1,
        .n_outputs = 2,
        .inputs = {tensor_f32(DIMS(1, 2, 1), -7, 3)}};
    assert_int_equal(op_test_run(&outside), STRIDER_OK);
    Tensor y = tensor_f32(DIMS(1, 2, 1), -INFINITY, -INFINITY), indices = tensor_i64(DIMS(1, 2, 1), 0, 1);
    assert_tensor_close(&outside.outputs[0], &y, 0, 0);
    assert_tensor_close(&outside.outputs[1], &indices, 0, 0);
    op_test_free(&outside);
}

static void max_pool_keeps_nan(void **state) {
    (void)state;
    OpTest test = {.op = "MaxPool",
                   .opset = 12,
                   .attrs = {attr_ints("kernel_shape", 2)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 4), NAN, 7, 3, -INFINITY)}};
    Tensor y = tensor_f32(DIMS(1, 1, 3), NAN, 7, 3);
    op_test_expect(&test, &y);
}

static void max_pool_takes_small_integers(void **state) {
    (void)state;
    OpTest test = {
        .op = "MaxPool",
        .opset = 12,
        .attrs = {attr_ints("kernel_shape", 2), attr_ints("dilations", 2), attr_ints("pads", 2, 0)},
        .n_inputs = 1,
        .inputs = {op_test_tensor(STRIDER_I8, DIMS(1, 1, 3), (int8_t[]){-128, -3, -4}, 3)}};
    Tensor y = op_test_tensor(STRIDER_I8, DIMS(1, 1, 3), (int8_t[]){-128, -3, -4}, 3);
    op_test_expect(&test, &y);
}

static void ceil_mode_drops_a_window_that_starts_after_the_input(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 1, 4), 1, 2, 3, 4);
    /* ceil((4 - 1)/2) + 1 = 3, and the third would start at 4 */
    OpTest dropped = {
        .op = "MaxPool",
        .opset = 10,
        .attrs = {attr_ints("kernel_shape", 1), attr_ints("strides", 2), attr_int("ceil_mode", 1)},
        .n_inputs = 1,
        .inputs = {x}};
    Tensor y_dropped = tensor_f32(DIMS(1, 1, 2), 1, 3);
    op_test_expect(&dropped, &y_dropped);
    OpTest kept = {.op = "MaxPool",
                   .opset = 10,
                   .attrs = {attr_ints("kernel_shape", 3), attr_ints("strides", 3), attr_int("ceil_mode", 1)},
                   .n_inputs = 1,
                   .inputs = {x}};
    Tensor y_kept = tensor_f32(DIMS(1, 1, 2), 3, 4);
    op_test_expect(&kept, &y_kept);
}

static void average_pool_divides_by_what_counts(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 1, 6), 1, 2, 3, 4, 5, 6);
    /* the last window holds 6, one pad, and a cell beyond the padding, which never counts */
    const struct {
        int64_t include;
        Tensor y;
    } cases[] = {{0, tensor_f32(DIMS(1, 1, 4), 1.5f, 3, 5, 6)}, {1, tensor_f32(DIMS(1, 1, 4), 1, 3, 5, 3)}};
    for (size_t i = 0; i < 2; i++) {
        OpTest test = {.op = "AveragePool",
                       .opset = 10,
                       .attrs = {attr_ints("kernel_shape", 3), attr_ints("strides", 2),
                                 attr_ints("pads", 1, 1), attr_int("ceil_mode", 1),
                                 attr_int("count_include_pad", cases[i].include)},
                       .n_inputs = 1,
                       .inputs = {x}};
        op_test_expect(&test, &cases[i].y);
    }
}

static void average_pool_dilates(void **state) {
    (void)state;
    OpTest test = {.op = "AveragePool",
                   .opset = 19,
                   .attrs = {attr_ints("kernel_shape", 2, 1, 1), attr_ints("dilations", 2, 1, 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 4, 1, 1), 1, 2, 3, 5)}};
    Tensor y = tensor_f32(DIMS(1, 1, 2, 1, 1), 2, 3.5f);
    op_test_expect(&test, &y);
}

static void windows_far_larger_than_the_input_cost_no_more_than_it(void **state) {
    (void)state;
    OpTest average = {.op = "AveragePool",
                      .opset = 19,
                      .attrs = {attr_ints("kernel_shape", 1 << 29), attr_ints("strides", 1 << 30),
                                attr_ints("pads", (1 << 29) - 1, (1 << 29) - 1),
                                attr_int("count_include_pad", 1)},
                      .n_inputs = 1,
                      .inputs = {tensor_f32(DIMS(1, 1, 2), 1, 2)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1), 0);
    op_test_expect(&average, &y);
}

/* Dilated windows, of which the middle one has its taps on both sides of the input. */
static void windows_on_padding_see_nothing(void **state) {
    (void)state;
    const struct {
        const char *op;
        Tensor x, y;
    } cases[] = {
        {"MaxPool", tensor_f32(DIMS(1, 1, 2), 1, 2), tensor_f32(DIMS(1, 1, 5), 1, 2, -INFINITY, 1, 2)},
        {"MaxPool", tensor_typed(STRIDER_I8, DIMS(1, 1, 2), 1, 2),
         tensor_typed(STRIDER_I8, DIMS(1, 1, 5), 1, 2, -128, 1, 2)},
        {"MaxPool", tensor_typed(STRIDER_U8, DIMS(1, 1, 2), 1, 2),
         tensor_typed(STRIDER_U8, DIMS(1, 1, 5), 1, 2, 0, 1, 2)},
        {"AveragePool", tensor_f32(DIMS(1, 1, 2), 1, 2), tensor_f32(DIMS(1, 1, 5), 1, 2, 0, 1, 2)},
        {"LpPool", tensor_f32(DIMS(1, 1, 2), 3, 4), tensor_f32(DIMS(1, 1, 5), 3, 4, 0, 3, 4)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = cases[i].op,
            .opset = 22,
            .attrs = {attr_ints("kernel_shape", 2), attr_ints("dilations", 3), attr_ints("pads", 3, 3)},
            .n_inputs = 1,
            .inputs = {cases[i].x}};
        op_test_expect(&test, &cases[i].y);
    }
}

/* As many as anybody asks for, and none of them sees the input. */
static void pads_as_large_as_a_window_are_refused(void **state) {
    (void)state;
    static const char *const ops[] = {"MaxPool", "AveragePool", "LpPool"};
    for (int i = 0; i < 3; i++)
        for (int64_t pad = 5; pad < 1 << 30; pad *= 5) {
            OpTest test = {.op = ops[i],
                           .opset = 22,
                           .attrs = {attr_ints("kernel_shape", 3), attr_ints("dilations", 2),
                                     attr_ints("pads", i % 2 ? pad : 4, i % 2 ? 0 : pad)},
                           .n_inputs = 1,
                           .inputs = {tensor_f32(DIMS(1, 1, 2), 1, 2)}};
            op_test_expect_error(&test, STRIDER_UNSUPPORTED, "lets windows of 5 elements see nothing");
        }
}

/* 2^90 elements count for each average. */
static void counts_of_padding_do_not_overflow(void **state) {
    (void)state;
    enum { PAD = 1 << 29 };
    OpTest test = {.op = "AveragePool",
                   .opset = 22,
                   .attrs = {attr_ints("kernel_shape", 1 << 30, 1 << 30, 1 << 30),
                             attr_ints("pads", PAD, PAD, PAD, PAD - 1, PAD - 1, PAD - 1),
                             attr_int("count_include_pad", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 1, 1, 1), 0x1p90f)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1, 1, 1), 1);
    op_test_expect(&test, &y);
}

static void a_window_larger_than_the_input_is_one_where_sizes_round_up(void **state) {
    (void)state;
    OpTest test = {.op = "MaxPool",
                   .opset = 10,
                   .attrs = {attr_ints("kernel_shape", 4), attr_ints("strides", 3), attr_int("ceil_mode", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1, 3), 1, 3, 2)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1), 3);
    op_test_expect(&test, &y);
}

static void average_of_nothing_is_zero(void **state) {
    (void)state;
    OpTest test = {
        .op = "AveragePool",
        .opset = 19,
        .attrs = {attr_ints("kernel_shape", 2), attr_ints("dilations", 2), attr_ints("pads", 1, 1)},
        .n_inputs = 1,
        .inputs = {tensor_f32(DIMS(1, 1, 1), 7)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1), 0);
    op_test_expect(&test, &y);
}

static void lp_pool_takes_the_norm(void **state) {
    (void)state;
    OpTest two = {.op = "LpPool",
                  .opset = 18,
                  .attrs = {attr_ints("kernel_shape", 2)},
                  .n_inputs = 1,
                  .inputs = {tensor_f32(DIMS(1, 1, 3), -3, 4, 0)}};
    Tensor y_two = tensor_f32(DIMS(1, 1, 2), 5, 4);
    op_test_expect(&two, &y_two);
    OpTest old = {.op = "LpPool",
                  .opset = 1,
                  .attrs = {attr_ints("kernel_shape", 2), attr_float("p", 1)},
                  .n_inputs = 1,
                  .inputs = {tensor_f32(DIMS(1, 1, 3), -3, 4, 0)}};
    Tensor y_old = tensor_f32(DIMS(1, 1, 2), 7, 4);
    op_test_expect(&old, &y_old);
    OpTest three = {.op = "LpPool",
                    .opset = 18,
                    .attrs = {attr_ints("kernel_shape", 2, 2), attr_ints("strides", 2, 1),
                              attr_ints("dilations", 1, 2), attr_ints("pads", 1, 0, 0, 1),
                              attr_int("ceil_mode", 1), attr_int("p", 3)},
                    .n_inputs = 1,
                    .inputs = {tensor_f32(DIMS(1, 1, 2, 3), -3, 4, 0, 3, 1, 5)}};
    Tensor y_three = tensor_f32(DIMS(1, 1, 2, 2), 3, 4, cbrtf(152), 1);
    op_test_expect(&three, &y_three);
}

/* Powers of elements may be larger or smaller than any float. */
static void norms_neither_overflow_nor_vanish(void **state) {
    (void)state;
    static const int64_t powers[] = {1, 2, 3, 40};
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++)
        for (int global = 0; global < 2; global++) {
            const float p = (float)powers[i], two = powf(2, 1 / p);
            OpTest test = {.op = global ? "GlobalLpPool" : "LpPool",
                           .opset = 22,
                           .attrs = {attr_int("p", powers[i]), attr_ints("kernel_shape", 2)},
                           .n_inputs = 1,
                           .inputs = {tensor_f32(DIMS(1, 5, 2), 1e30f, -1e30f, 1e-30f, 1e-30f, 0, 0, NAN, 1,
                                                 -INFINITY, 2)}};
            Tensor y = tensor_f32(DIMS(1, 5, 1), two * 1e30f, two * 1e-30f, 0, NAN, INFINITY);
            op_test_expect(&test, &y);
        }
}

static void global_pools_reduce_all_spatial_dimensions(void **state) {
    (void)state;
    const struct {
        const char *op;
        Tensor y;
    } cases[] = {{"GlobalAveragePool", tensor_f32(DIMS(1, 2, 1, 1), 1.75f, 0.5f)},
                 {"GlobalMaxPool", tensor_f32(DIMS(1, 2, 1, 1), 4, 2)},
                 {"GlobalLpPool", tensor_f32(DIMS(1, 2, 1, 1), 5, 2)}};
    for (size_t i = 0; i < 3; i++) {
        OpTest test = {.op = cases[i].op,
                       .opset = 2,
                       .n_inputs = 1,
                       .inputs = {tensor_f32(DIMS(1, 2, 2, 2), 3, 4, 0, 0, 2, 0, 0, 0)}};
        op_test_expect(&test, &cases[i].y);
    }
}

static void pools_refuse_what_does_not_fit(void **state) {
    (void)state;
    const struct {
        Attr attrs[3];
        const char *message;
    } cases[] = {
        {{attr_int("ceil_mode", 1)}, "required attribute kernel_shape"},
        {{attr_ints("kernel_shape", 0)}, "kernel_shape[0] is 0"},
        {{attr_ints("kernel_shape", 1, 1)}, "kernel_shape has 2 values"},
        {{attr_ints("kernel_shape", 4)}, "the window of 4"},
        {{attr_ints("kernel_shape", 2), attr_ints("dilations", 1 << 30)}, "the window of 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = "AveragePool", .opset = 19, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1, 1, 3), 1, 2, 3)}};
        memcpy(test.attrs, cases[i].attrs, sizeof cases[i].attrs);
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void max_unpool_puts_elements_back(void **state) {
    (void)state;
    OpTest test = {.op = "MaxUnpool",
                   .opset = 11,
                   .attrs = {attr_ints("kernel_shape", 2), attr_ints("strides", 2)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 2, 2), 5, 6, 7, 8), tensor_i64(DIMS(1, 2, 2), 1, 2, 4, 7)}};
    Tensor y = tensor_f32(DIMS(1, 2, 4), 0, 5, 6, 0, 7, 0, 0, 8);
    op_test_expect(&test, &y);
}

static void max_unpool_keeps_coordinates_in_a_larger_output(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest test = {.op = "MaxUnpool",
                       .opset = 11,
                       .attrs = {attr_ints("kernel_shape", 2, 1), attr_ints("strides", 2, 1)},
                       .n_inputs = 3,
                       .hide_inputs = hide,
                       .inputs = {tensor_f32(DIMS(1, 1, 1, 2), 5, 6), tensor_i64(DIMS(1, 1, 1, 2), 0, 3),
                                  tensor_i64(DIMS(4), 1, 1, 3, 3)}};
        Tensor y = tensor_f32(DIMS(1, 1, 3, 3), 5, 0, 0, 0, 6, 0, 0, 0, 0);
        op_test_expect(&test, &y);
    }
}

static void max_unpool_never_writes_outside(void **state) {
    (void)state;
    const int64_t wrong[] = {-1, 2, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        OpTest test = {.op = "MaxUnpool",
                       .opset = 11,
                       .attrs = {attr_ints("kernel_shape", 2)},
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(1, 1, 1), 5), tensor_i64(DIMS(1, 1, 1), wrong[i])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "is outside [0, 2)");
    }
    for (int hide = 0; hide < 2; hide++) {
        OpTest smaller = {.op = "MaxUnpool",
                          .opset = 11,
                          .attrs = {attr_ints("kernel_shape", 2)},
                          .n_inputs = 3,
                          .hide_inputs = hide,
                          .inputs = {tensor_f32(DIMS(1, 1, 1), 5), tensor_i64(DIMS(1, 1, 1), 1),
                                     tensor_i64(DIMS(3), 1, 1, 1)}};
        op_test_expect_error(&smaller, STRIDER_BAD_MODEL, "output_shape");
    }
}

static void col2im_adds_where_windows_overlap(void **state) {
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        OpTest test = {.op = "Col2Im",
                       .opset = 18,
                       .attrs = {attr_ints("pads", 1, 0)},
                       .n_inputs = 3,
                       .hide_inputs = hide,
                       .inputs = {tensor_f32(DIMS(1, 2, 3), 1, 2, 3, 10, 20, 30), tensor_i64(DIMS(1), 3),
                                  tensor_i64(DIMS(1), 2)}};
        Tensor y = tensor_f32(DIMS(1, 1, 3), 12, 23, 30);
        op_test_expect(&test, &y);
    }
}

static void col2im_refuses_what_does_not_fit(void **state) {
    (void)state;
    const struct {
        Tensor image, block;
        const char *message;
    } cases[] = {
        {tensor_i64(DIMS(1), 5), tensor_i64(DIMS(1), 2), "3 columns, but the image has 4 windows"},
        {tensor_i64(DIMS(1), 5), tensor_i64(DIMS(1), 3), "2 rows are no multiple of a block of 3"},
        {tensor_i64(DIMS(1), 1), tensor_i64(DIMS(1), 2), "larger than the padded image"},
        {tensor_i64(DIMS(1), -5), tensor_i64(DIMS(1), 2), "must be positive"},
        {tensor_i64(DIMS(2), 2, 2), tensor_i64(DIMS(1), 2), "image_shape has 2 values and block_shape 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = "Col2Im",
            .opset = 18,
            .n_inputs = 3,
            .inputs = {tensor_f32(DIMS(1, 2, 3), 1, 2, 3, 10, 20, 30), cases[i].image, cases[i].block}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
    for (int hide = 0; hide < 2; hide++) {
        OpTest pads = {
            .op = "Col2Im",
            .opset = 18,
            .attrs = {attr_ints("pads", 1, 0, 1, 0)},
            .n_inputs = 3,
            .hide_inputs = hide,
            .inputs = {tensor_f32(DIMS(1, 1, 1), 1), tensor_i64(DIMS(1), 1), tensor_i64(DIMS(1), 1)}};
        op_test_expect_error(&pads, STRIDER_BAD_MODEL, "strides, dilations or pads");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool_never_lets_padding_win),
        cmocka_unit_test(max_pool_indices_are_flat_and_of_the_first_maximum),
        cmocka_unit_test(max_pool_indices_follow_dilations_pads_and_ceil_mode),
        cmocka_unit_test(max_pool_keeps_nan),
        cmocka_unit_test(max_pool_takes_small_integers),
        cmocka_unit_test(ceil_mode_drops_a_window_that_starts_after_the_input),
        cmocka_unit_test(average_pool_divides_by_what_counts),
        cmocka_unit_test(average_pool_dilates),
        cmocka_unit_test(windows_far_larger_than_the_input_cost_no_more_than_it),
        cmocka_unit_test(windows_on_padding_see_nothing),
        cmocka_unit_test(pads_as_large_as_a_window_are_refused),
        cmocka_unit_test(counts_of_padding_do_not_overflow),
        cmocka_unit_test(a_window_larger_than_the_input_is_one_where_sizes_round_up),
        cmocka_unit_test(average_of_nothing_is_zero),
        cmocka_unit_test(lp_pool_takes_the_norm),
        cmocka_unit_test(norms_neither_overflow_nor_vanish),
        cmocka_unit_test(global_pools_reduce_all_spatial_dimensions),
        cmocka_unit_test(pools_refuse_what_does_not_fit),
        cmocka_unit_test(max_unpool_puts_elements_back),
        cmocka_unit_test(max_unpool_keeps_coordinates_in_a_larger_output),
        cmocka_unit_test(max_unpool_never_writes_outside),
        cmocka_unit_test(col2im_adds_where_windows_overlap),
        cmocka_unit_test(col2im_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
