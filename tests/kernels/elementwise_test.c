/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* What simd.h states of its functions, over ranges that stress each part of them.  Of the reference, which is
 * rounded once from float64, half a unit comes on top. */
static void functions_are_as_exact_as_stated(void **state) {
    (void)state;
    static const struct {
        const char *op;
        float low, high;
        double units, absolute; /* in the last place; absolute */
    } cases[] = {{"Exp", -87, -1, 2, 0},       {"Exp", -1, 1, 2, 0},          {"Exp", 1, 88.5f, 2, 0},
                 {"Exp", -1e-3f, 1e-3f, 2, 0}, {"Sigmoid", -87, -9, 3, 0},    {"Sigmoid", -9, 9, 3, 0},
                 {"Sigmoid", 9, 200, 3, 0},    {"Swish", -87, -9, 4, 0},      {"Swish", -9, 9, 4, 0},
                 {"Swish", 9, 1e6f, 4, 0},     {"Tanh", -0.5f, 0.5f, 4, 0},   {"Tanh", -9, 9, 4, 0},
                 {"Tanh", 9, 1e6f, 4, 0},      {"Erf", -1e-3f, 1e-3f, 2, 0},  {"Erf", -1, 1, 2, 0},
                 {"Erf", -5, 5, 2, 0},         {"Gelu", -6, 6, 0, 8e-7},      {"Log", 0.5f, 2, 2, 0},
                 {"Log", 0, 1e-3f, 2, 0},      {"Log", 1e-40f, 1e-37f, 2, 0}, {"Log", 0, 3e38f, 2, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kernel_test_check((KernelTest){.op = cases[i].op,
                                       .opset = 24,
                                       .inputs = {DIMS(1 << 15)},
                                       .n_inputs = 1,
                                       .low = cases[i].low,
                                       .high = cases[i].high,
                                       .rtol = (cases[i].units + 0.5) / (1 << 23),
                                       .atol = cases[i].absolute > 0 ? cases[i].absolute : 1e-40,
                                       .seed = i,
                                       .must_accept = true});
}

/* Pow by constants that have a function of their own, of any type, and by logarithms. */
static void powers(void **state) {
    (void)state;
    static const float exponents[] = {2, 3, 0.5f, -0.5f, -1, 1.7f};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            kernel_test_check((KernelTest){.op = "Pow",
                                           .opset = 13,
                                           .inputs = {DIMS(2, test_channels[c], 3, 5)},
                                           .given = {[1] = tensor_f32(DIMS(), exponents[i])},
                                           .n_inputs = 2,
                                           .constants = 2,
                                           .with_nan = 1,
                                           .rtol = 1e-6,
                                           .must_accept = true,
                                           .seed = (uint64_t)c});
    kernel_test_check((KernelTest){.op = "Pow",
                                   .opset = 13,
                                   .inputs = {DIMS(2, 17, 3, 5)},
                                   .given = {[1] = tensor_i64(DIMS(1), 2)},
                                   .n_inputs = 2,
                                   .constants = 2,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "Pow", /* |y ln x| < 19 */
                                   .opset = 13,
                                   .inputs = {DIMS(1 << 14)},
                                   .given = {[0] = tensor_f32(DIMS(4, 1), 0.1f, 0.9f, 1.1f, 9)},
                                   .n_inputs = 2,
                                   .low = -8,
                                   .high = 8,
                                   .rtol = 20 * 3e-7,
                                   .atol = 1e-40,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "Pow",
                                   .opset = 13,
                                   .given = {tensor_f32(DIMS(15, 1), 0, -0.0f, 1, -1, 2, -2, 0.5f, -0.5f,
                                                        INFINITY, -INFINITY, NAN, 1e-41f, -1e30f, 1e30f, -3),
                                             tensor_f32(DIMS(16), 0, -0.0f, 1, -1, 2, -2, 3, -3, 0.5f, -0.5f,
                                                        INFINITY, -INFINITY, NAN, 5e6f, 3e7f, 1e-3f)},
                                   .n_inputs = 2,
                                   .rtol = 3e-5,
                                   .atol = 1.2e-38, /* no denormal results */
                                   .must_accept = true});
}

static const char *const binaries[] = {"Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Sum", "Pow"};

enum { N_BINARIES = sizeof binaries / sizeof *binaries };

/* Away from zero, so that quotients stay tame. */
static void check_binary(const char *op, Shape a, Shape b, unsigned constants) {
    static uint64_t seed;
    kernel_test_check((KernelTest){.op = op,
                                   .opset = 13,
                                   .inputs = {a, b},
                                   .n_inputs = 2,
                                   .constants = constants,
                                   .low = 0.25f,
                                   .high = 2,
                                   .must_accept = true,
                                   .seed = ++seed});
}

static void equal_shapes(void **state) {
    (void)state;
    for (int i = 0; i < N_BINARIES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++) {
            check_binary(binaries[i], DIMS(2, test_channels[c], 3, 5), DIMS(2, test_channels[c], 3, 5), 0);
            check_binary(binaries[i], DIMS(1, test_channels[c], 7), DIMS(1, test_channels[c], 7), 2);
        }
}

static void one_value_for_each_channel(void **state) {
    (void)state;
    for (int i = 0; i < N_BINARIES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++) {
            const int64_t n = test_channels[c];
            check_binary(binaries[i], DIMS(2, n, 4, 3), DIMS(2, n, 1, 1), 0);
            check_binary(binaries[i], DIMS(2, n, 4, 3), DIMS(1, n, 1, 1), 2);
            check_binary(binaries[i], DIMS(2, n, 4, 3), DIMS(n, 1, 1), 2);
        }
    for (int c = 0; c < N_TEST_CHANNELS; c++) {
        check_binary("Mul", DIMS(2, test_channels[c], 1, 1), DIMS(2, test_channels[c], 4, 3), 0);
        check_binary("Sub", DIMS(1, test_channels[c], 1, 1), DIMS(2, test_channels[c], 4, 3), 1);
    }
}

static void one_value_for_each_pixel(void **state) {
    (void)state;
    for (int i = 0; i < N_BINARIES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            check_binary(binaries[i], DIMS(2, test_channels[c], 4, 3), DIMS(2, 1, 4, 3), 0);
    check_binary("Div", DIMS(2, 1, 4, 3), DIMS(2, 17, 4, 3), 0);
    check_binary("Div", DIMS(1, 1, 4, 3), DIMS(1, 17, 1, 1), 0);
    check_binary("Div", DIMS(4, 3), DIMS(2, 17, 4, 3), 0);
}

static void other_broadcasts(void **state) {
    (void)state;
    for (int i = 0; i < N_BINARIES; i++) {
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(), 2);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(1), 0);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(3), 2);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(4, 1), 0);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(2, 17, 4, 1), 0);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(1, 17, 1, 3), 2);
        check_binary(binaries[i], DIMS(2, 17, 4, 3), DIMS(17, 4, 3), 2);
        check_binary(binaries[i], DIMS(5, 3), DIMS(5, 3), 0);
        check_binary(binaries[i], DIMS(2, 2, 2, 2, 3, 3), DIMS(2, 1, 2, 1, 3, 1), 0);
    }
    check_binary("Add", DIMS(2, 1, 3, 1), DIMS(1, 17, 1, 4), 0);
    check_binary("Add", DIMS(), DIMS(), 0);
    check_binary("Add", DIMS(0, 17, 2, 2), DIMS(1, 17, 1, 1), 0);
}

static void large_rows_and_many_short_ones(void **state) {
    (void)state;
    check_binary("Add", DIMS(40001), DIMS(40001), 0);
    check_binary("Mul", DIMS(1, 20, 33, 40), DIMS(1, 20, 1, 1), 0);
    check_binary("Sub", DIMS(7000, 3), DIMS(3), 2);
    check_binary("Sub", DIMS(7000, 3), DIMS(7000, 1), 0);
}

static void nan_stays_and_does_not_reach_padding(void **state) {
    (void)state;
    for (int i = 0; i < N_BINARIES; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            kernel_test_check((KernelTest){.op = binaries[i],
                                           .opset = 13,
                                           .inputs = {DIMS(2, test_channels[c], 3, 5), DIMS(1)},
                                           .n_inputs = 2,
                                           .with_nan = 3,
                                           .must_accept = true,
                                           .seed = (uint64_t)c});
}

/* Slopes of PRelu that belong to the channels, though they do not broadcast to them. */
static void slopes_of_channels(void **state) {
    (void)state;
    static const int opsets[] = {6, 9};
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int rank = 3; rank <= 5; rank++) {
                Shape x = DIMS(2, test_channels[c], 3, 2, 97);
                x.dims[rank - 1] = 97;
                x.rank = rank;
                kernel_test_check((KernelTest){.op = "PRelu",
                                               .opset = opsets[i],
                                               .inputs = {x, DIMS(test_channels[c])},
                                               .n_inputs = 2,
                                               .constants = c % 2 ? 2 : 0,
                                               .low = -1,
                                               .high = 1,
                                               .must_accept = true,
                                               .seed = (uint64_t)c});
            }
}

static void old_models_name_an_axis(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "Add",
                                   .opset = 6,
                                   .attrs = {attr_int("broadcast", 1), attr_int("axis", 1)},
                                   .inputs = {DIMS(2, 17, 3, 5), DIMS(17)},
                                   .n_inputs = 2,
                                   .must_accept = true});
    kernel_test_check((KernelTest){.op = "Mul",
                                   .opset = 6,
                                   .attrs = {attr_int("broadcast", 1), attr_int("axis", 1)},
                                   .inputs = {DIMS(2, 17, 3, 5), DIMS(17, 3, 5)},
                                   .n_inputs = 2,
                                   .must_accept = true});
}

static const struct {
    const char *op;
    int opset;
    float low, high;
} unaries[] = {
    {"Relu", 13, -3, 3},          {"LeakyRelu", 13, -3, 3}, {"HardSigmoid", 13, -5, 5},
    {"HardSwish", 14, -5, 5},     {"Sigmoid", 13, -9, 9},   {"Swish", 24, -9, 9},
    {"Tanh", 13, -4, 4},          {"Elu", 13, -4, 4},       {"Softplus", 13, -9, 9},
    {"Mish", 18, -9, 9},          {"Gelu", 20, -5, 5},      {"Neg", 13, -3, 3},
    {"Abs", 13, -3, 3},           {"Sqrt", 13, 0, 9},       {"Exp", 13, -20, 3},
    {"Reciprocal", 13, 0.25f, 2}, {"Erf", 13, -4, 4},       {"Log", 13, 0.01f, 9},
};

static void unary_operators(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (unsigned with_nan = 0; with_nan < 2; with_nan++)
                kernel_test_check((KernelTest){.op = unaries[i].op,
                                               .opset = unaries[i].opset,
                                               .inputs = {DIMS(2, test_channels[c], 5, 7)},
                                               .n_inputs = 1,
                                               .low = unaries[i].low,
                                               .high = unaries[i].high,
                                               .with_nan = with_nan,
                                               .rtol = 1e-6,
                                               .atol = 1e-6,
                                               .must_accept = true,
                                               .seed = (uint64_t)c});
}

static void unary_operators_on_large_tensors(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof unaries / sizeof *unaries; i++)
        kernel_test_check((KernelTest){.op = unaries[i].op,
                                       .opset = unaries[i].opset,
                                       .inputs = {DIMS(20011)},
                                       .n_inputs = 1,
                                       .low = unaries[i].low == 0 ? 0 : unaries[i].low * 4,
                                       .high = unaries[i].high * 4,
                                       .rtol = 1e-6,
                                       .atol = 1e-6,
                                       .must_accept = true});
}

static void clip_with_attributes_and_with_constant_bounds(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++) {
        kernel_test_check((KernelTest){.op = "Clip",
                                       .opset = 6,
                                       .attrs = {attr_float("min", 0.25f), attr_float("max", 0.5f)},
                                       .inputs = {DIMS(2, test_channels[c], 3, 5)},
                                       .n_inputs = 1,
                                       .with_nan = 1,
                                       .must_accept = true});
        kernel_test_check((KernelTest){.op = "Clip",
                                       .opset = 13,
                                       .inputs = {DIMS(2, test_channels[c], 3, 5)},
                                       .given = {[1] = tensor_f32(DIMS(), 0.125f)},
                                       .n_inputs = 3,
                                       .absent = 4,
                                       .constants = 2,
                                       .must_accept = true});
    }
}

int elementwise_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_as_exact_as_stated),
        cmocka_unit_test(powers),
        cmocka_unit_test(equal_shapes),
        cmocka_unit_test(one_value_for_each_channel),
        cmocka_unit_test(one_value_for_each_pixel),
        cmocka_unit_test(other_broadcasts),
        cmocka_unit_test(large_rows_and_many_short_ones),
        cmocka_unit_test(nan_stays_and_does_not_reach_padding),
        cmocka_unit_test(slopes_of_channels),
        cmocka_unit_test(old_models_name_an_axis),
        cmocka_unit_test(unary_operators),
        cmocka_unit_test(unary_operators_on_large_tensors),
        cmocka_unit_test(clip_with_attributes_and_with_constant_bounds),
    };
    return cmocka_run_group_tests_name("elementwise kernels", tests, NULL, NULL);
}

void elementwise_kernel_times(void) {
    KernelTest add = {
        .op = "Add", .opset = 13, .inputs = {DIMS(1, 256, 56, 56), DIMS(1, 256, 56, 56)}, .n_inputs = 2};
    kernel_test_time(add, "256x56x56");
    KernelTest scale = {
        .op = "Mul", .opset = 13, .inputs = {DIMS(1, 96, 112, 112), DIMS(1, 96, 1, 1)}, .n_inputs = 2};
    kernel_test_time(scale, "96x112x112 by channel");
    static const char *const ops[] = {"Relu", "Sigmoid", "HardSwish", "Tanh", "Gelu", "Mish", "Log"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        kernel_test_time(
            (KernelTest){.op = ops[i], .opset = 20, .inputs = {DIMS(1, 96, 56, 56)}, .n_inputs = 1},
            "96x56x56");
}
