/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/evaluate.h"
#include "ops/math/unary_kind.h"
#include "ops/nn/conv.h"
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* --- Conv --- */

static void conv_is_cross_correlation_with_bias(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9),
                              tensor_f32(DIMS(1, 1, 2, 2), 1, 10, 100, 1000), tensor_f32(DIMS(1), 0.5f)}};
    Tensor y = tensor_f32(DIMS(1, 1, 2, 2), 5421.5f, 6532.5f, 8754.5f, 9865.5f);
    op_test_expect(&test, &y);
}

static void conv_pads_begin_and_end_apart(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .attrs = {attr_ints("pads", 2, 1), attr_ints("kernel_shape", 3)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 3), 1, 2, 3), tensor_f32(DIMS(1, 1, 3), 1, 10, 100)}};
    Tensor y = tensor_f32(DIMS(1, 1, 4), 100, 210, 321, 32);
    op_test_expect(&test, &y);
}

static void conv_negative_pads_crop(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .attrs = {attr_ints("pads", -1, -2)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 5), 1, 2, 3, 4, 5), tensor_f32(DIMS(1, 1, 1), 10)}};
    Tensor y = tensor_f32(DIMS(1, 1, 2), 20, 30);
    op_test_expect(&test, &y);
}

static void conv_strides_and_dilates_each_dimension(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 22,
                   .attrs = {attr_ints("strides", 1, 2), attr_ints("dilations", 2, 1)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 3, 4), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
                              tensor_f32(DIMS(1, 1, 2, 1), 1, 100)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1, 2), 901, 1103);
    op_test_expect(&test, &y);
}

static void conv_same_puts_the_odd_pad_where_its_name_says(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 1, 3), 1, 2, 3), w = tensor_f32(DIMS(1, 1, 2), 1, 10);
    OpTest upper = {.op = "Conv",
                    .opset = 1,
                    .attrs = {attr_string("auto_pad", "SAME_UPPER")},
                    .n_inputs = 2,
                    .inputs = {x, w}};
    Tensor y_upper = tensor_f32(DIMS(1, 1, 3), 21, 32, 3);
    op_test_expect(&upper, &y_upper);
    OpTest lower = {.op = "Conv",
                    .opset = 1,
                    .attrs = {attr_string("auto_pad", "SAME_LOWER")},
                    .n_inputs = 2,
                    .inputs = {x, w}};
    Tensor y_lower = tensor_f32(DIMS(1, 1, 3), 10, 21, 32);
    op_test_expect(&lower, &y_lower);
    /* a stride larger than the kernel needs no pad, never a negative one */
    OpTest sparse = {.op = "Conv",
                     .opset = 1,
                     .attrs = {attr_string("auto_pad", "SAME_LOWER"), attr_ints("strides", 2)},
                     .n_inputs = 2,
                     .inputs = {x, tensor_f32(DIMS(1, 1, 1), 1)}};
    Tensor y_sparse = tensor_f32(DIMS(1, 1, 2), 1, 3);
    op_test_expect(&sparse, &y_sparse);
}

static void conv_valid_ignores_pads(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .attrs = {attr_string("auto_pad", "VALID"), attr_ints("pads", 1, 1)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 3), 1, 2, 3), tensor_f32(DIMS(1, 1, 2), 1, 10)}};
    Tensor y = tensor_f32(DIMS(1, 1, 2), 21, 32);
    op_test_expect(&test, &y);
}

static void conv_groups_see_their_own_channels(void **state) {
    (void)state;
    OpTest test = {
        .op = "Conv",
        .opset = 11,
        .attrs = {attr_int("group", 2)},
        .n_inputs = 3,
        .inputs = {tensor_f32(DIMS(1, 2, 2), 1, 2, 3, 4), tensor_f32(DIMS(4, 1, 1), 1, 10, 100, 1000)}};
    Tensor y = tensor_f32(DIMS(1, 4, 2), 1, 2, 10, 20, 300, 400, 3000, 4000);
    op_test_expect(&test, &y);
}

static void conv_sums_three_dimensions(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .attrs = {attr_ints("pads", 0, 0, 0, 0, 0, 1)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 2, 2, 2), 1, 2, 3, 4, 5, 6, 7, 8),
                              tensor_f32(DIMS(1, 1, 2, 2, 2), 1, 1, 1, 1, 1, 1, 1, 1)}};
    Tensor y = tensor_f32(DIMS(1, 1, 1, 1, 2), 36, 20);
    op_test_expect(&test, &y);
}

static void conv_computes_float16_with_one_rounding(void **state) {
    (void)state;
    /* 1024*2 + 1 + 1 = 2050 = 0x6801; adding 1 at a time in float16 would stay at 2048 */
    OpTest test = {
        .op = "Conv",
        .opset = 11,
        .n_inputs = 2,
        .inputs = {op_test_tensor(STRIDER_F16, DIMS(1, 3, 1), (uint16_t[]){0x6400, 0x3c00, 0x3c00}, 6),
                   op_test_tensor(STRIDER_F16, DIMS(1, 3, 1), (uint16_t[]){0x4000, 0x3c00, 0x3c00}, 6)}};
    Tensor y = op_test_tensor(STRIDER_F16, DIMS(1, 1, 1), (uint16_t[]){0x6801}, 2);
    op_test_expect(&test, &y);
}

static void conv_of_an_empty_batch_is_empty(void **state) {
    (void)state;
    OpTest test = {
        .op = "Conv",
        .opset = 11,
        .n_inputs = 2,
        .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 1, 3), "", 0), tensor_f32(DIMS(1, 1, 2), 1, 10)}};
    Tensor y = op_test_tensor(STRIDER_F32, DIMS(0, 1, 2), "", 0);
    op_test_expect(&test, &y);
}

static void conv_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor x = tensor_f32(DIMS(1, 2, 3), 1, 2, 3, 4, 5, 6);
    const Tensor w = tensor_f32(DIMS(2, 2, 1), 1, 2, 3, 4);
    const Tensor none = {.type = {.dtype = STRIDER_DTYPE_NONE}};
    const struct {
        Attr attr;
        Tensor w, b;
        const char *message;
    } cases[] = {
        {attr_int("group", 0), w, none, "group is 0"},
        {attr_int("group", 3), w, none, "2 input channels in 3 groups do not fit"},
        {attr_int("group", 2), w, none, "2 input channels in 2 groups do not fit a weight for 2"},
        {attr_int("group", 2), tensor_f32(DIMS(1, 1, 1), 1), none, "does not divide 1 output"},
        {attr_ints("pads", 1), w, none, "pads has 1 values"},
        {attr_ints("pads", 1, 1, 1, 1), w, none, "pads has 4 values"},
        {attr_ints("strides", 1, 1), w, none, "strides has 2 values"},
        {attr_ints("strides", 0), w, none, "strides[0] is 0"},
        {attr_ints("dilations", -1), w, none, "dilations[0] is -1"},
        {attr_ints("pads", INT64_MAX, 1), w, none, "pads[0] is 9223372036854775807"},
        {attr_ints("kernel_shape", 2), w, none, "kernel_shape[0] is 2, but the weight has 1"},
        {attr_ints("pads", -2, -1), w, none, "the window of 1"},
        {attr_string("auto_pad", "SAME"), w, none, "unknown value \"SAME\""},
        {attr_int("group", 1), w, tensor_f32(DIMS(3), 1, 2, 3), "the bias has 3 values for 2"},
        {attr_int("group", 1), w, tensor_f32(DIMS(2, 1), 1, 2), "input 2 has rank 2"},
        {attr_int("group", 1), tensor_f32(DIMS(1, 2, 4), 1, 2, 3, 4, 5, 6, 7, 8), none, "the window of 4"},
        {attr_int("group", 1), tensor_f32(DIMS(1, 2, 1, 1), 1, 2), none, "rank 3 and the weight rank 4"},
        {attr_int("group", 1), tensor_i64(DIMS(1, 2, 1), 1, 2), none, "must be of one type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "Conv",
                       .opset = 11,
                       .attrs = {cases[i].attr},
                       .n_inputs = 3,
                       .inputs = {x, cases[i].w, cases[i].b}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void conv_refuses_inputs_that_only_passes_add(void **state) {
    (void)state;
    OpTest test = {
        .op = "Conv",
        .opset = 11,
        .n_inputs = 4,
        .inputs = {tensor_f32(DIMS(1, 1, 1), 1), tensor_f32(DIMS(1, 1, 1), 1), {0}, tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "has 4 inputs, takes 2 to 3");
}

static void conv_refuses_integers(void **state) {
    (void)state;
    OpTest test = {.op = "Conv",
                   .opset = 11,
                   .n_inputs = 2,
                   .inputs = {tensor_i64(DIMS(1, 1, 1), 1), tensor_i64(DIMS(1, 1, 1), 1)}};
    op_test_expect_error(&test, STRIDER_UNSUPPORTED, "int64");
}

static void conv_explains_its_shape_with_the_documented_formula(void **state) {
    (void)state;
    WindowAttrs attrs = {
        .n_kernel = -1, .n_pads = 4, .strides = {2, 2, 1}, .dilations = {1, 1, 1}, .pads = {3, 3, 3, 3}};
    Shape x = DIMS(1, 3, 224, 100);
    char text[EXPLANATION_TEXT];
    assert_string_equal(window_formula(&attrs, &x, (int64_t[]){7, 7}, text),
                        "H: floor((224 + 3 + 3 - 1*(7 - 1) - 1) / 2) + 1 = 112; "
                        "W: floor((100 + 3 + 3 - 1*(7 - 1) - 1) / 2) + 1 = 50");
}

static void conv_counts_multiply_accumulates(void **state) {
    (void)state;
    Type inputs[] = {type_of(STRIDER_F32, DIMS(2, 4, 5, 6)), type_of(STRIDER_F32, DIMS(6, 2, 3, 3))};
    Type outputs[] = {type_of(STRIDER_F32, DIMS(2, 6, 5, 6))};
    assert_int_equal(op_find("", "Conv", 11)->macs(NULL, inputs, outputs), 2 * 6 * 2 * 9 * 5 * 6);
}

/* A Conv or ConvTranspose as passes leave it: with scale, bias, and a residual before or after a Relu. */
static void fused(const char *op, const Tensor *const inputs[6], bool residual_last, const Tensor *expected) {
    ConvAttrs attrs = {.window = {.strides = {1, 1, 1}, .dilations = {1, 1, 1}},
                       .n_output_padding = -1,
                       .n_output_shape = -1,
                       .group = 1};
    const PostOp relu = {.kind = POST_ACTIVATION, .port = -1, .function = UNARY_RELU},
                 residual = {.kind = POST_RESIDUAL, .port = 5};
    const PostOp list[] = {{.kind = POST_SCALE, .port = 3},
                           {.kind = POST_BIAS, .port = 4},
                           residual_last ? relu : residual,
                           residual_last ? residual : relu};
    float data[4];
    Tensor y = tensor_view(STRIDER_F32, &expected->type.shape, data);
    Value value, *outputs[] = {&value};
    Node node = {.op = op_find("", op, 11),
                 .name = "",
                 .attrs = &attrs,
                 .post_ops = list,
                 .n_post_ops = 4,
                 .n_inputs = 6,
                 .n_outputs = 1,
                 .outputs = outputs};
    const ValueType type = value_type_tensor(expected->type);
    assert_int_equal(node_evaluate(&node, inputs, &type, &y, allocator_default(), NULL), STRIDER_OK);
    assert_tensor_close(&y, expected, 0, 0);
}

static void post_operations_follow_in_order(void **state) {
    (void)state;
    /* Conv with two output channels, and ConvTranspose with the same weights, which are 1x1 */
    Tensor x = tensor_f32(DIMS(1, 1, 2), 1, -2), b = tensor_f32(DIMS(2), 1, -1);
    Tensor scale = tensor_f32(DIMS(2), 10, 100), r = tensor_f32(DIMS(1, 2, 2), 0, 5, -500, 1000);
    Tensor w = tensor_f32(DIMS(2, 1, 1), 1, 2), wt = tensor_f32(DIMS(1, 2, 1), 1, 2);
    /* product * scale + bias: 11, -19, 199, -401 */
    Tensor y_before = tensor_f32(DIMS(1, 2, 2), 11, 0, 0, 599),
           y_after = tensor_f32(DIMS(1, 2, 2), 11, 5, -301, 1000);
    const Tensor *conv[] = {&x, &w, NULL, &scale, &b, &r}, *transpose[] = {&x, &wt, NULL, &scale, &b, &r};
    fused("Conv", conv, false, &y_before);
    fused("Conv", conv, true, &y_after);
    fused("ConvTranspose", transpose, false, &y_before);
    fused("ConvTranspose", transpose, true, &y_after);
}

/* --- ConvTranspose --- */

static void conv_transpose_spreads_inputs(void **state) {
    (void)state;
    OpTest test = {
        .op = "ConvTranspose",
        .opset = 11,
        .attrs = {attr_ints("strides", 2), attr_ints("pads", 1, 0), attr_ints("output_padding", 1)},
        .n_inputs = 3,
        .inputs = {tensor_f32(DIMS(1, 1, 3), 1, 2, 3), tensor_f32(DIMS(1, 1, 3), 1, 10, 100),
                   tensor_f32(DIMS(1), 0.5f)}};
    Tensor y = tensor_f32(DIMS(1, 1, 7), 10.5f, 102.5f, 20.5f, 203.5f, 30.5f, 300.5f, 0.5f);
    op_test_expect(&test, &y);
}

static void conv_transpose_output_shape_puts_the_odd_pad_first(void **state) {
    (void)state;
    Tensor x = tensor_f32(DIMS(1, 1, 3), 1, 2, 3), w = tensor_f32(DIMS(1, 1, 3), 1, 10, 100);
    for (int opset = 1; opset <= 11; opset += 10) {
        OpTest test = {.op = "ConvTranspose",
                       .opset = opset,
                       .attrs = {attr_ints("strides", 2), attr_ints("output_shape", 6)},
                       .n_inputs = 2,
                       .inputs = {x, w}};
        Tensor y = tensor_f32(DIMS(1, 1, 6), 10, 102, 20, 203, 30, 300);
        op_test_expect(&test, &y);
    }
    OpTest upper = {.op = "ConvTranspose",
                    .opset = 11,
                    .attrs = {attr_ints("strides", 2), attr_string("auto_pad", "SAME_UPPER")},
                    .n_inputs = 2,
                    .inputs = {x, w}};
    Tensor y = tensor_f32(DIMS(1, 1, 6), 1, 10, 102, 20, 203, 30);
    op_test_expect(&upper, &y);
}

static void conv_transpose_same_is_in_times_stride(void **state) {
    (void)state;
    OpTest test = {.op = "ConvTranspose",
                   .opset = 11,
                   .attrs = {attr_ints("strides", 3), attr_string("auto_pad", "SAME_UPPER")},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1, 2), 1, 2), tensor_f32(DIMS(1, 1, 2), 1, 10)}};
    Tensor y = tensor_f32(DIMS(1, 1, 6), 1, 10, 0, 2, 20, 0);
    op_test_expect(&test, &y);
}

static void conv_transpose_groups_and_dilates(void **state) {
    (void)state;
    OpTest test = {
        .op = "ConvTranspose",
        .opset = 11,
        .attrs = {attr_int("group", 2), attr_ints("dilations", 1, 2)},
        .n_inputs = 2,
        .inputs = {tensor_f32(DIMS(1, 2, 1, 1), 1, 2), tensor_f32(DIMS(2, 2, 1, 2), 1, 2, 3, 4, 5, 6, 7, 8)}};
    Tensor y = tensor_f32(DIMS(1, 4, 1, 3), 1, 0, 2, 3, 0, 4, 10, 0, 12, 14, 0, 16);
    op_test_expect(&test, &y);
}

/* 2^30 + 1 elements in each dimension, of which three are left. */
static void conv_transpose_crops_results_of_any_size(void **state) {
    (void)state;
    enum { STRIDE = 1 << 30 };
    OpTest test = {
        .op = "ConvTranspose",
        .opset = 11,
        .attrs = {attr_ints("strides", STRIDE, STRIDE), attr_ints("pads", 0, STRIDE - 2, STRIDE - 2, 0)},
        .n_inputs = 2,
        .inputs = {tensor_f32(DIMS(1, 1, 2, 2), 1, 2, 3, 4), tensor_f32(DIMS(1, 1, 1, 1), 10)}};
    Tensor y = tensor_f32(DIMS(1, 1, 3, 3), 0, 0, 20, 0, 0, 0, 0, 0, 0);
    op_test_expect(&test, &y);
}

static void conv_transpose_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor w = tensor_f32(DIMS(2, 1, 1), 1, 2);
    const struct {
        Attr attr;
        Tensor w;
        const char *message;
    } cases[] = {
        {attr_int("group", 3), w, "group 3 does not divide"},
        {attr_int("group", 0), w, "group is 0"},
        {attr_ints("pads", 2, 2), w, "an output of -1"},
        {attr_ints("output_padding", 0, 0), w, "output_padding has 2 values"},
        {attr_ints("output_padding", -1), w, "output_padding[0] is -1"},
        {attr_ints("output_padding", 1), w, "must be less than the stride or the dilation"},
        {attr_ints("output_shape", 1, 1), w, "output_shape has 2 values"},
        {attr_ints("output_shape", 0), w, "output_shape[0] is 0"},
        {attr_ints("kernel_shape", 3), w, "kernel_shape[0] is 3"},
        {attr_int("group", 1), tensor_f32(DIMS(1, 1, 1), 1), "the weight is for 1"},
        {attr_int("group", 1), tensor_f32(DIMS(2, 1, 1, 1), 1, 2), "rank 3 and the weight rank 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "ConvTranspose",
                       .opset = 11,
                       .attrs = {cases[i].attr},
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(1, 2, 3), 1, 2, 3, 4, 5, 6), cases[i].w}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_is_cross_correlation_with_bias),
        cmocka_unit_test(conv_pads_begin_and_end_apart),
        cmocka_unit_test(conv_negative_pads_crop),
        cmocka_unit_test(conv_strides_and_dilates_each_dimension),
        cmocka_unit_test(conv_same_puts_the_odd_pad_where_its_name_says),
        cmocka_unit_test(conv_valid_ignores_pads),
        cmocka_unit_test(conv_groups_see_their_own_channels),
        cmocka_unit_test(conv_sums_three_dimensions),
        cmocka_unit_test(conv_computes_float16_with_one_rounding),
        cmocka_unit_test(conv_of_an_empty_batch_is_empty),
        cmocka_unit_test(conv_refuses_what_does_not_fit),
        cmocka_unit_test(conv_refuses_inputs_that_only_passes_add),
        cmocka_unit_test(conv_refuses_integers),
        cmocka_unit_test(conv_explains_its_shape_with_the_documented_formula),
        cmocka_unit_test(conv_counts_multiply_accumulates),
        cmocka_unit_test(post_operations_follow_in_order),
        cmocka_unit_test(conv_transpose_spreads_inputs),
        cmocka_unit_test(conv_transpose_output_shape_puts_the_odd_pad_first),
        cmocka_unit_test(conv_transpose_same_is_in_times_stride),
        cmocka_unit_test(conv_transpose_groups_and_dilates),
        cmocka_unit_test(conv_transpose_crops_results_of_any_size),
        cmocka_unit_test(conv_transpose_refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
