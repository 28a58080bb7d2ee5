/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ops/nn/batch_norm.h"

static void softmax_over_every_axis(void **state) {
    (void)state;
    static const char *const ops[] = {"Softmax", "LogSoftmax", "Hardmax"};
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            for (int axis = 0; axis < 4; axis++)
                for (unsigned with_nan = 0; with_nan < 2; with_nan++)
                    kernel_test_check((KernelTest){.op = ops[i],
                                                   .opset = 13,
                                                   .attrs = {attr_int("axis", axis)},
                                                   .inputs = {DIMS(2, test_channels[c], 3, 19)},
                                                   .n_inputs = 1,
                                                   .low = -9,
                                                   .high = 9,
                                                   .with_nan = with_nan,
                                                   .atol = 1e-6,
                                                   .rtol = 1e-6,
                                                   .must_accept = true});
}

/* Of many equals the first; groups of all last dimensions, of one element, and of blocks of columns. */
static void hardmax_of_equals(void **state) {
    (void)state;
    static const Shape shapes[] = {{3, {3, 70, 5}}, {3, {2, 1, 600}}, {3, {2, 7, 600}}, {3, {1, 1, 1}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int opset = 11; opset <= 13; opset += 2)
            for (int axis = 0; axis < 3; axis++)
                kernel_test_check((KernelTest){.op = "Hardmax",
                                               .opset = opset,
                                               .attrs = {attr_int("axis", axis)},
                                               .inputs = {shapes[i]},
                                               .n_inputs = 1,
                                               .low = i % 2 ? 0.5f : -1,
                                               .high = i % 2 ? 0.500001f : 1,
                                               .with_nan = i == 2,
                                               .must_accept = true});
}

static void softmax_of_large_tensors_and_numbers(void **state) {
    (void)state;
    static const Shape shapes[] = {{2, {3, 1000}}, {4, {1, 21, 33, 40}}, {2, {1, 100000}}, {2, {700, 50}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        kernel_test_check((KernelTest){.op = "Softmax",
                                       .opset = 13,
                                       .attrs = {attr_int("axis", 1)},
                                       .inputs = {shapes[i]},
                                       .n_inputs = 1,
                                       .low = -2000,
                                       .high = 2000,
                                       .atol = 1e-6,
                                       .rtol = 1e-6,
                                       .must_accept = true});
}

static void old_softmax_flattens(void **state) {
    (void)state;
    kernel_test_check((KernelTest){.op = "Softmax",
                                   .opset = 11,
                                   .attrs = {attr_int("axis", 1)},
                                   .inputs = {DIMS(2, 5, 3, 7)},
                                   .n_inputs = 1,
                                   .must_accept = true});
}

static KernelTest batch_norm_test(Shape x) {
    int64_t c = x.dims[1];
    return (KernelTest){.op = "BatchNormalization",
                        .opset = 9,
                        .attrs = {attr_float("epsilon", 1e-3f)},
                        .inputs = {x, DIMS(c), DIMS(c), DIMS(c), DIMS(c)},
                        .n_inputs = 5,
                        .constants = 0x1e,
                        .varying = 0x1e,
                        .low = 0.25f,
                        .high = 2,
                        .must_accept = true};
}

static void batch_norm(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (unsigned with_nan = 0; with_nan < 2; with_nan++) {
            const Shape shapes[] = {DIMS(2, test_channels[c], 5, 7), DIMS(2, test_channels[c], 1, 1),
                                    DIMS(3, test_channels[c]), DIMS(1, test_channels[c], 70, 71)};
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
                KernelTest test = batch_norm_test(shapes[i]);
                test.with_nan = with_nan;
                kernel_test_check(test);
                kernel_test_add_activation(&test,
                                           i % 2 ? (Unary){UNARY_RELU, 0, 0} : (Unary){UNARY_SWISH, 1, 0});
                kernel_test_check(test);
            }
        }
}

/* What passes append to a normalisation: nothing, an activation, a residual before one or after. */
enum { N_APPENDED = 4 };

static void check_with_appended(KernelTest test, int64_t form, Unary activation) {
    test.n_post_ops = 0;
    if (form == 2)
        kernel_test_add_operand(&test, POST_RESIDUAL, test.inputs[0]);
    if (form)
        kernel_test_add_activation(&test, activation);
    if (form == 3)
        kernel_test_add_operand(&test, POST_RESIDUAL, test.inputs[0]);
    kernel_test_check(test);
}

/* Large means, whose digits must not be lost; lengths around vectors and beyond what is summed in one go. */
static void layer_norm(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 3, 16, 37, 96, 768, 5000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int kind = 0; kind < 6; kind++) {
            const int64_t n = lengths[i];
            KernelTest test = {
                .op = kind % 3 == 2 ? "RMSNormalization" : "LayerNormalization",
                .opset = 23,
                .attrs = {attr_float("epsilon", 1e-3f), attr_int("axis", kind < 3 ? -1 : 1)},
                .inputs = {DIMS(3, 5, n), kind < 3 ? DIMS(n) : DIMS(5, n), kind < 3 ? DIMS(n) : DIMS(5, n)},
                .n_inputs = kind % 3 == 2 ? 2 : 3, /* RMSNormalization takes no b */
                .absent = kind % 3 == 1 ? 4 : 0,
                .constants = kind % 2 ? 6 : 0,
                .low = kind == 0 ? 999 : -1,
                .high = kind == 0 ? 1001 : 2,
                .atol = kind == 0 ? 2e-3 : 2e-6,
                .rtol = 2e-6,
                .must_accept = true};
            test.seed = i;
            for (int form = 0; form < N_APPENDED; form++)
                check_with_appended(test, form,
                                    kind % 2 ? (Unary){UNARY_RELU, 0, 0} : (Unary){UNARY_SIGMOID, 0, 0});
        }
}

static void instance_and_group_norm(void **state) {
    (void)state;
    for (int64_t groups = 0; groups < 4; groups++)
        for (int opset = 18; opset <= 21; opset += 3)
            for (int64_t size = 1; size < 40; size += 19) {
                const int64_t parameters = groups && opset == 18 ? groups : 12;
                const KernelTest test = {.op = groups ? "GroupNormalization" : "InstanceNormalization",
                                         .opset = opset,
                                         .attrs = {attr_float("epsilon", 1e-3f),
                                                   groups ? attr_int("num_groups", groups) : (Attr){0}},
                                         .inputs = {DIMS(2, 12, size, 3), DIMS(parameters), DIMS(parameters)},
                                         .n_inputs = 3,
                                         .constants = size == 1 ? 6 : 0,
                                         .atol = 5e-6,
                                         .rtol = 5e-6,
                                         .must_accept = true};
                for (int64_t form = 0; form < N_APPENDED; form++)
                    check_with_appended(
                        test, form, groups % 2 ? (Unary){UNARY_CLIP, -0.5f, 1} : (Unary){UNARY_SWISH, 1, 0});
            }
}

/* In blocks, whose tail channels stay zero whatever an activation makes of zero. */
static void instance_norm_of_channels(void **state) {
    (void)state;
    for (int c = 0; c < N_TEST_CHANNELS; c++)
        for (int64_t form = 0; form < N_APPENDED; form++)
            check_with_appended((KernelTest){.op = "InstanceNormalization",
                                             .opset = 6,
                                             .attrs = {attr_float("epsilon", 1e-3f)},
                                             .inputs = {DIMS(2, test_channels[c], 5, 7),
                                                        DIMS(test_channels[c]), DIMS(test_channels[c])},
                                             .n_inputs = 3,
                                             .atol = 5e-6,
                                             .rtol = 5e-6,
                                             .must_accept = true},
                                form, c % 2 ? (Unary){UNARY_SIGMOID, 0, 0} : (Unary){UNARY_RELU, 0, 0});
}

int normalize_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_over_every_axis),
        cmocka_unit_test(softmax_of_large_tensors_and_numbers),
        cmocka_unit_test(hardmax_of_equals),
        cmocka_unit_test(old_softmax_flattens),
        cmocka_unit_test(batch_norm),
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(instance_and_group_norm),
        cmocka_unit_test(instance_norm_of_channels),
    };
    return cmocka_run_group_tests_name("normalization kernels", tests, NULL, NULL);
}

void normalize_kernel_times(void) {
    kernel_test_time((KernelTest){.op = "Softmax",
                                  .opset = 13,
                                  .attrs = {attr_int("axis", -1)},
                                  .inputs = {DIMS(12, 196, 196)},
                                  .n_inputs = 1},
                     "attention 12x196x196");
    kernel_test_time((KernelTest){.op = "Softmax",
                                  .opset = 13,
                                  .attrs = {attr_int("axis", 1)},
                                  .inputs = {DIMS(1, 21, 128, 128)},
                                  .n_inputs = 1},
                     "segmentation 21x128x128");
    kernel_test_time(batch_norm_test(DIMS(1, 256, 28, 28)), "densenet 256x28x28");
    KernelTest test = {.op = "LayerNormalization",
                       .opset = 17,
                       .inputs = {DIMS(196, 768), DIMS(768), DIMS(768)},
                       .n_inputs = 3};
    kernel_test_time(test, "vision transformer 196x768");
    kernel_test_add_activation(&test, (Unary){UNARY_RELU, 0, 0});
    kernel_test_time(test, "vision transformer 196x768 and Relu");
    test = (KernelTest){.op = "InstanceNormalization",
                        .opset = 6,
                        .inputs = {DIMS(1, 128, 56, 56), DIMS(128), DIMS(128)},
                        .n_inputs = 3};
    kernel_test_time(test, "style transfer 128x56x56");
    kernel_test_add_operand(&test, POST_RESIDUAL, test.inputs[0]);
    kernel_test_time(test, "style transfer 128x56x56 and residual");
}
