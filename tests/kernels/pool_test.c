/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct Case {
    int64_t kernel[2], strides[2], dilations[2], pads[4];
    bool ceil_mode;
} Case;

static const Case cases[] = {
    {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, false}, {{2, 2}, {2, 2}, {1, 1}, {0, 0, 0, 0}, false},
    {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, false}, {{5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}, false},
    {{3, 2}, {2, 1}, {1, 1}, {0, 1, 1, 0}, true},  {{3, 3}, {2, 2}, {2, 2}, {1, 0, 1, 0}, false},
    {{1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}, false}, {{3, 3}, {3, 3}, {1, 1}, {0, 0, 0, 0}, true},
    {{2, 4}, {1, 3}, {1, 1}, {1, 2, 0, 1}, false},
};

enum { N_CASES = sizeof cases / sizeof *cases };

static KernelTest test_of(const char *op, const Case *c, Shape x) {
    return (KernelTest){.op = op,
                        .opset = 12,
                        .attrs = {{.name = "kernel_shape", .kind = ATTR_INTS, .ints = c->kernel, .count = 2},
                                  {.name = "strides", .kind = ATTR_INTS, .ints = c->strides, .count = 2},
                                  {.name = "pads", .kind = ATTR_INTS, .ints = c->pads, .count = 4},
                                  {.name = "ceil_mode", .kind = ATTR_INT, .i = c->ceil_mode},
                                  {.name = NULL}},
                        .inputs = {x},
                        .n_inputs = 1,
                        .must_accept = true,
                        .seed = (uint64_t)x.dims[1]};
}

static void max_pool(void **state) {
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (unsigned with_nan = 0; with_nan < 2; with_nan++) {
                KernelTest test = test_of("MaxPool", &cases[i], DIMS(2, test_channels[c], 9, 11));
                test.attrs[4] =
                    (Attr){.name = "dilations", .kind = ATTR_INTS, .ints = cases[i].dilations, .count = 2};
                test.with_nan = with_nan;
                kernel_test_check(test);
            }
}

/* Sums of magnitudes and of squares; large numbers, whose squares overflow, and infinities. */
static void lp_pool(void **state) {
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int form = 0; form < 8; form++) {
                KernelTest test = test_of("LpPool", &cases[i], DIMS(2, test_channels[c], 9, 11));
                test.opset = 18;
                test.attrs[4] =
                    (Attr){.name = "dilations", .kind = ATTR_INTS, .ints = cases[i].dilations, .count = 2};
                test.attrs[5] = attr_int("p", 1 + form % 2);
                test.with_nan = form / 2 % 2;
                test.rtol = 1e-5;
                if (form / 4) {
                    test.low = -1e30f;
                    test.high = 1e30f;
                }
                kernel_test_check(test);
            }
}

static void max_pool_of_bytes(void **state) {
    (void)state;
    static uint8_t bytes[2 * 3 * 9 * 11];
    uint64_t seed = 6;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)random_below(&seed, 256);
    for (int i = 0; i < N_CASES; i++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            KernelTest test = test_of("MaxPool", &cases[i], DIMS(1));
            test.attrs[4] =
                (Attr){.name = "dilations", .kind = ATTR_INTS, .ints = cases[i].dilations, .count = 2};
            test.given[0] =
                op_test_tensor(is_signed ? STRIDER_I8 : STRIDER_U8, DIMS(2, 3, 9, 11), bytes, sizeof bytes);
            kernel_test_check(test);
        }
    KernelTest deep = {.op = "MaxPool",
                       .opset = 12,
                       .attrs = {attr_ints("kernel_shape", 2, 3, 2), attr_ints("pads", 1, 0, 1, 0, 2, 0)},
                       .given = {op_test_tensor(STRIDER_U8, DIMS(1, 2, 3, 9, 11), bytes, sizeof bytes)},
                       .n_inputs = 1,
                       .must_accept = true};
    kernel_test_check(deep);
}

/* With Indices, of either order; either output may be left out. */
static KernelTest with_indices(KernelTest test, int column_major, unsigned unused) {
    test.attrs[5] = attr_int("storage_order", column_major);
    test.n_outputs = 2;
    test.unused_outputs = unused;
    return test;
}

static void max_pool_with_indices(void **state) {
    (void)state;
    static uint8_t bytes[2 * 3 * 9 * 11];
    static double doubles[2 * 3 * 9 * 11];
    for (size_t i = 0; i < sizeof bytes; i++)
        doubles[i] = bytes[i] = (uint8_t)(i * 41 % 29); /* with equals */
    const Shape shape = DIMS(2, 3, 9, 11);
    const Tensor given[] = {op_test_tensor(STRIDER_U8, shape, bytes, sizeof bytes),
                            op_test_tensor(STRIDER_I8, shape, bytes, sizeof bytes),
                            op_test_tensor(STRIDER_F64, shape, doubles, sizeof doubles)};
    for (int i = 0; i < N_CASES; i++)
        for (int order = 0; order < 2; order++) {
            KernelTest test = test_of("MaxPool", &cases[i], shape);
            test.attrs[4] =
                (Attr){.name = "dilations", .kind = ATTR_INTS, .ints = cases[i].dilations, .count = 2};
            for (unsigned unused = 0; unused < 2; unused++)
                for (unsigned with_nan = 0; with_nan < 2; with_nan++) {
                    test.with_nan = with_nan;
                    kernel_test_check(with_indices(test, order, unused));
                }
            for (int d = 0; d < 3; d++) {
                test.given[0] = given[d];
                kernel_test_check(with_indices(test, order, 0));
            }
        }
    for (int order = 0; order < 2; order++) {
        const KernelTest deep = {.op = "MaxPool",
                                 .opset = 12,
                                 .attrs = {attr_ints("kernel_shape", 2, 3, 2),
                                           attr_ints("pads", 1, 0, 1, 0, 2, 0), attr_ints("strides", 1, 3, 2),
                                           attr_int("ceil_mode", 1), attr_int("storage_order", 0)},
                                 .inputs = {DIMS(2, 2, 3, 9, 70)},
                                 .n_inputs = 1,
                                 .must_accept = true};
        kernel_test_check(with_indices(deep, order, 0));
        kernel_test_check(with_indices(test_of("MaxPool", &cases[0], DIMS(1, 40, 37, 41)), order, 0));
    }
}

static void average_pool(void **state) {
    (void)state;
    for (int i = 0; i < N_CASES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int include = 0; include < 2; include++) {
                KernelTest test = test_of("AveragePool", &cases[i], DIMS(2, test_channels[c], 9, 11));
                test.attrs[4] = attr_int("count_include_pad", include);
                test.with_nan = c == 3;
                kernel_test_check(test);
            }
}

static void pools_of_one_and_three_dimensions(void **state) {
    (void)state;
    static const char *const ops[] = {"MaxPool", "AveragePool"};
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++) {
            kernel_test_check((KernelTest){
                .op = ops[i],
                .opset = 12,
                .attrs = {attr_ints("kernel_shape", 3), attr_ints("strides", 2), attr_ints("pads", 1, 1)},
                .inputs = {DIMS(2, test_channels[c], 13)},
                .n_inputs = 1,
                .must_accept = true});
            kernel_test_check(
                (KernelTest){.op = ops[i],
                             .opset = 12,
                             .attrs = {attr_ints("kernel_shape", 2, 3, 3), attr_ints("strides", 1, 2, 1),
                                       attr_ints("pads", 1, 0, 1, 0, 1, 1)},
                             .inputs = {DIMS(1, test_channels[c], 4, 6, 5)},
                             .n_inputs = 1,
                             .must_accept = true});
        }
}

static void whole_planes(void **state) {
    (void)state;
    static const char *const ops[] = {"GlobalMaxPool", "GlobalAveragePool"};
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (unsigned with_nan = 0; with_nan < 2; with_nan++) {
                KernelTest test = {.op = ops[i],
                                   .opset = 13,
                                   .inputs = {DIMS(2, test_channels[c], 7, 7)},
                                   .n_inputs = 1,
                                   .with_nan = with_nan,
                                   .must_accept = true};
                kernel_test_check(test);
                test.inputs[0] = DIMS(2, test_channels[c], 41);
                kernel_test_check(test);
                test.inputs[0] = DIMS(1, test_channels[c], 1, 1);
                kernel_test_check(test);
                test.inputs[0] = DIMS(1, test_channels[c], 33, 35);
                kernel_test_check(test);
            }
}

static void reductions(void **state) {
    (void)state;
    static const char *const ops[] = {"ReduceMean", "ReduceSum", "ReduceMax"};
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int keepdims = 0; keepdims < 2; keepdims++) {
                KernelTest test = {.op = ops[i],
                                   .opset = 11,
                                   .attrs = {attr_ints("axes", -1, 2), attr_int("keepdims", keepdims)},
                                   .inputs = {DIMS(2, test_channels[c], 9, 13)},
                                   .n_inputs = 1,
                                   .with_nan = c == 4,
                                   .must_accept = true};
                kernel_test_check(test);
                test.attrs[0] = attr_ints("axes", -1);
                kernel_test_check(test);
                test.attrs[0] = attr_ints("axes", 1, 2, 3);
                kernel_test_check(test);
                test.inputs[0] = DIMS(70, test_channels[c]);
                test.attrs[0] = attr_ints("axes", 1);
                kernel_test_check(test);
            }
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        kernel_test_check((KernelTest){.op = "ReduceMean",
                                       .opset = 18,
                                       .inputs = {DIMS(1, test_channels[c], 7, 7)},
                                       .given = {[1] = tensor_i64(DIMS(2), 2, 3)},
                                       .n_inputs = 2,
                                       .constants = 2,
                                       .must_accept = true});
}

/* --- averages of 8 bits --- */

static KernelTest qlinear_test(const char *op, int is_signed, int has_zeros, int is_last, Shape x) {
    static uint8_t bytes[2 * 17 * 9 * 11];
    static float scales[] = {0.05f, 0.031f};
    static uint8_t zeros[] = {100, 37};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 89 % 251);
    const DType dtype = is_signed ? STRIDER_I8 : STRIDER_U8;
    return (KernelTest){.op = op,
                        .domain = "com.microsoft",
                        .opset = 1,
                        .attrs = {attr_int("channels_last", is_last)},
                        .given = {op_test_tensor(dtype, x, bytes, (size_t)shape_elements(&x)),
                                  op_test_tensor(STRIDER_F32, DIMS(), scales, sizeof *scales),
                                  op_test_tensor(dtype, DIMS(), zeros, 1),
                                  op_test_tensor(STRIDER_F32, DIMS(), scales + 1, sizeof *scales),
                                  op_test_tensor(dtype, DIMS(), zeros + 1, 1)},
                        .n_inputs = 5,
                        .absent = has_zeros ? 0 : 1u << 2 | 1u << 4,
                        .must_accept = true};
}

static void averages_of_bytes(void **state) {
    (void)state;
    for (int form = 0; form < 8; form++) {
        const int is_signed = form & 1, has_zeros = form >> 1 & 1, is_last = form >> 2;
        const Shape x = is_last ? DIMS(2, 9, 11, 17) : DIMS(2, 17, 9, 11);
        kernel_test_check(qlinear_test("QLinearGlobalAveragePool", is_signed, has_zeros, is_last, x));
        for (int i = 0; i < N_CASES; i++)
            for (int include = 0; include < 2; include++) {
                KernelTest test = qlinear_test("QLinearAveragePool", is_signed, has_zeros, is_last, x);
                const KernelTest of_case = test_of("AveragePool", &cases[i], x);
                for (int a = 0; a < 4; a++)
                    test.attrs[1 + a] = of_case.attrs[a];
                test.attrs[5] = attr_int("count_include_pad", include);
                kernel_test_check(test);
            }
    }
}

/* --- Col2Im --- */

typedef struct ColumnCase {
    int64_t image[3], block[3], strides[3], dilations[3], pads[6];
    int spatial;
} ColumnCase;

static void check_col2im(const ColumnCase *c, int64_t batch, int64_t channels, unsigned constants) {
    const size_t n = (size_t)c->spatial;
    const Shape list = DIMS(c->spatial);
    int64_t block = 1, columns = 1;
    for (size_t i = 0; i < n; i++) {
        block *= c->block[i];
        columns *= (c->image[i] + c->pads[i] + c->pads[n + i] - c->dilations[i] * (c->block[i] - 1) - 1) /
                       c->strides[i] +
                   1;
    }
    kernel_test_check(
        (KernelTest){.op = "Col2Im",
                     .opset = 18,
                     .attrs = {{.name = "strides", .kind = ATTR_INTS, .ints = c->strides, .count = n},
                               {.name = "dilations", .kind = ATTR_INTS, .ints = c->dilations, .count = n},
                               {.name = "pads", .kind = ATTR_INTS, .ints = c->pads, .count = 2 * n}},
                     .inputs = {DIMS(batch, channels * block, columns)},
                     .given = {[1] = tensor_view(STRIDER_I64, &list, (void *)c->image),
                               [2] = tensor_view(STRIDER_I64, &list, (void *)c->block)},
                     .n_inputs = 3,
                     .constants = constants,
                     .must_accept = true});
}

static void col2im(void **state) {
    (void)state;
    static const ColumnCase shapes[] = {
        {{9, 11}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2},
        {{12, 8}, {4, 2}, {4, 2}, {1, 1}, {0, 0, 0, 0}, 2},
        {{9, 13}, {2, 5}, {2, 3}, {3, 1}, {2, 1, 0, 3}, 2},
        {{3, 2}, {5, 6}, {1, 2}, {1, 1}, {3, 4, 2, 3}, 2},
        {{41}, {7}, {2}, {2}, {3, 5}, 1},
        {{3, 5, 7}, {2, 3, 2}, {1, 2, 1}, {1, 1, 2}, {0, 1, 1, 1, 0, 0}, 3},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int64_t channels = 1; channels <= 5; channels += 4)
            for (unsigned constants = 4; constants <= 6; constants += 2)
                check_col2im(&shapes[i], 2, channels, constants);
    static const ColumnCase large = {{64, 67}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 2};
    check_col2im(&large, 1, 9, 6);
}

int pool_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool),
        cmocka_unit_test(max_pool_of_bytes),
        cmocka_unit_test(max_pool_with_indices),
        cmocka_unit_test(col2im),
        cmocka_unit_test(lp_pool),
        cmocka_unit_test(averages_of_bytes),
        cmocka_unit_test(average_pool),
        cmocka_unit_test(pools_of_one_and_three_dimensions),
        cmocka_unit_test(whole_planes),
        cmocka_unit_test(reductions),
    };
    return cmocka_run_group_tests_name("pooling kernels", tests, NULL, NULL);
}

void pool_kernel_times(void) {
    kernel_test_time(test_of("MaxPool", &cases[0], DIMS(1, 64, 112, 112)), "resnet 64x112x112 3x3/2");
    kernel_test_time(test_of("MaxPool", &cases[1], DIMS(1, 64, 224, 224)), "vgg 64x224x224 2x2/2");
    kernel_test_time(test_of("MaxPool", &cases[3], DIMS(1, 128, 20, 20)), "yolo 128x20x20 5x5");
    kernel_test_time(test_of("AveragePool", &cases[1], DIMS(1, 128, 56, 56)), "densenet 128x56x56 2x2/2");
    kernel_test_time(
        (KernelTest){.op = "GlobalAveragePool", .opset = 13, .inputs = {DIMS(1, 2048, 7, 7)}, .n_inputs = 1},
        "resnet 2048x7x7");
    kernel_test_time(
        (KernelTest){
            .op = "GlobalAveragePool", .opset = 13, .inputs = {DIMS(1, 96, 112, 112)}, .n_inputs = 1},
        "efficientnet 96x112x112");
}
