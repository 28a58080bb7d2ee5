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

int pool_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(max_pool),     cmocka_unit_test(max_pool_of_bytes),
        cmocka_unit_test(average_pool), cmocka_unit_test(pools_of_one_and_three_dimensions),
        cmocka_unit_test(whole_planes), cmocka_unit_test(reductions),
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
