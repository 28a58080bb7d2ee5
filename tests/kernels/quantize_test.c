/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const DType integers[] = {STRIDER_U8, STRIDER_I8, STRIDER_U16, STRIDER_I16, STRIDER_I4, STRIDER_U2};
enum { N_INTEGERS = sizeof integers / sizeof *integers, LARGEST = 70000 };

static uint8_t elements[3][2 * LARGEST]; /* of inputs that are integers */

/* Any bytes: of elements of fewer bits the others do not count. */
static Tensor some_integers(int memory, DType dtype, Shape shape) {
    uint64_t seed = (uint64_t)memory + 5;
    const size_t bytes = dtype_size(dtype) * (size_t)shape_elements(&shape);
    assert_true(bytes <= sizeof elements[memory]);
    for (size_t i = 0; i < bytes; i++)
        elements[memory][i] = (uint8_t)random_below(&seed, 256);
    return tensor_view(dtype, &shape, elements[memory]);
}

static float scale_memory[LARGEST];

static Tensor some_scales(Shape shape) {
    const size_t count = (size_t)shape_elements(&shape);
    fill_random(scale_memory, count, 3);
    for (size_t i = 0; i < count; i++)
        scale_memory[i] = 0.05f + 0.04f * scale_memory[i];
    return tensor_view(STRIDER_F32, &shape, scale_memory);
}

/* Both operators on one shape, with scales of another, with and without zero points, constant and not. */
static void check_both(DType dtype, Shape x, Shape scale, int axis, int block_size) {
    for (int form = 0; form < 4; form++) {
        KernelTest test = {.op = "QuantizeLinear",
                           .opset = 21,
                           .attrs = {attr_int("axis", axis), attr_int("block_size", block_size)},
                           .inputs = {x},
                           .given = {[1] = some_scales(scale), [2] = some_integers(1, dtype, scale)},
                           .n_inputs = form % 2 ? 2 : 3,
                           .constants = form / 2 ? 6 : 0,
                           .low = -8,
                           .high = 8,
                           .with_nan = 1,
                           .must_accept = true};
        if (form % 2 == 0 || dtype == STRIDER_U8)
            kernel_test_check(test);
        test.op = "DequantizeLinear";
        test.given[0] = some_integers(0, dtype, x);
        kernel_test_check(test);
    }
}

static void with_one_scale(void **state) {
    (void)state;
    for (int i = 0; i < N_INTEGERS; i++) {
        for (int c = 0; c < N_TEST_CHANNELS; c++)
            check_both(integers[i], DIMS(2, test_channels[c], 3, 5), DIMS(1), 1, 0);
        check_both(integers[i], shape_scalar(), shape_scalar(), 1, 0);
        check_both(integers[i], DIMS(3, 20011), shape_scalar(), 1, 0);
    }
}

static void with_a_scale_for_each_index(void **state) {
    (void)state;
    for (int i = 0; i < N_INTEGERS; i++)
        for (int axis = 0; axis < 3; axis++)
            for (int form = 0; form < 2; form++) {
                const Shape x = form ? DIMS(5, 3, 41) : DIMS(2, 19, 1);
                check_both(integers[i], x, DIMS(x.dims[axis]), axis, 0);
            }
    check_both(STRIDER_U8, DIMS(2, 9000), DIMS(9000), 1, 0); /* lists longer than a chunk */
}

static void with_a_scale_for_each_block(void **state) {
    (void)state;
    static const int blocks[] = {1, 2, 7, 16, 17, 100};
    for (int i = 0; i < N_INTEGERS; i++)
        for (int axis = 0; axis < 3; axis++)
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
                const Shape x = DIMS(3, 4, 37);
                Shape scale = x;
                scale.dims[axis] = (x.dims[axis] + blocks[b] - 1) / blocks[b];
                check_both(integers[i], x, scale, axis, blocks[b]);
            }
    check_both(STRIDER_I8, DIMS(3, 4), DIMS(3, 1), 1, 1 << 30); /* a block far larger than the tensor */
}

static void wide_integers_are_dequantised(void **state) {
    (void)state;
    static int32_t bias[] = {INT32_MIN, INT32_MAX, -1, 0, 16777217, -33554435, 7, 8, 9};
    kernel_test_check(
        (KernelTest){.op = "DequantizeLinear",
                     .opset = 13,
                     .attrs = {attr_int("axis", 0)},
                     .given = {op_test_tensor(STRIDER_I32, DIMS(9), bias, sizeof bias), some_scales(DIMS(9))},
                     .n_inputs = 2,
                     .must_accept = true});
}

static void check_join(const char *op, DType dtype, Shape a, Shape b) {
    static float steps[3] = {0.04f, 0.07f, 0.05f};
    steps[2] = op[7] == 'A' ? 0.05f : 0.4f;
    for (int form = 0; form < 3; form++) {
        KernelTest test = {.op = op,
                           .domain = "com.microsoft",
                           .opset = 1,
                           .given = {some_integers(0, dtype, a),
                                     tensor_view(STRIDER_F32, &(Shape){0}, &steps[0]),
                                     some_integers(1, dtype, shape_scalar()), some_integers(2, dtype, b),
                                     tensor_view(STRIDER_F32, &(Shape){0}, &steps[1]),
                                     some_integers(1, dtype, shape_scalar()),
                                     tensor_view(STRIDER_F32, &(Shape){0}, &steps[2]),
                                     some_integers(1, dtype, shape_scalar())},
                           .absent = form == 2 ? 1u << 5 : 0,
                           .n_inputs = form == 1 ? 7 : 8,
                           .constants = form ? 0xf6 & ~8u : 0,
                           .must_accept = true};
        kernel_test_check(test);
    }
}

static void sums_and_products(void **state) {
    (void)state;
    const Shape shapes[][2] = {
        {DIMS(2, 3, 5, 7), DIMS(2, 3, 5, 7)}, {DIMS(2, 3, 5, 7), DIMS(3, 1, 1)}, {DIMS(5, 1), DIMS(1, 33)},
        {shape_scalar(), DIMS(20)},           {DIMS(40000), DIMS(40000)},        {DIMS(3, 20000), DIMS(3, 1)},
        {shape_scalar(), shape_scalar()}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int type = 0; type < 2; type++) {
            check_join("QLinearAdd", type ? STRIDER_I8 : STRIDER_U8, shapes[i][0], shapes[i][1]);
            check_join("QLinearMul", type ? STRIDER_I8 : STRIDER_U8, shapes[i][0], shapes[i][1]);
        }
}

static void functions_by_tables(void **state) {
    (void)state;
    static float steps[2] = {0.04f, 0.007f};
    const Tensor x_scale = tensor_view(STRIDER_F32, &(Shape){0}, &steps[0]),
                 y_scale = tensor_view(STRIDER_F32, &(Shape){0}, &steps[1]);
    for (int form = 0; form < 8; form++) {
        const DType dtype = form % 2 ? STRIDER_I8 : STRIDER_U8;
        const Tensor zero = some_integers(1, dtype, shape_scalar());
        KernelTest test = {.op = form / 2 % 2 ? "QLinearSigmoid" : "QLinearLeakyRelu",
                           .domain = "com.microsoft",
                           .opset = 1,
                           .given = {some_integers(0, dtype, form / 4 ? DIMS(3, 5, 7) : DIMS(40000)), x_scale,
                                     zero, y_scale, zero},
                           .absent = form / 4 ? 1u << 2 : 0,
                           .n_inputs = form / 4 ? 4 : 5,
                           .constants = form / 4 ? 0 : 0x1e,
                           .must_accept = true};
        kernel_test_check(test);
    }
}

static void parts_by_tables(void **state) {
    (void)state;
    static float steps[3] = {0.04f, 0.07f, 0.05f};
    Tensor scales[3];
    for (int i = 0; i < 3; i++)
        scales[i] = tensor_view(STRIDER_F32, &(Shape){0}, &steps[i]);
    for (int axis = 0; axis < 3; axis++)
        for (int form = 0; form < 4; form++) {
            const DType dtype = form % 2 ? STRIDER_I8 : STRIDER_U8;
            Shape first = form / 2 ? DIMS(2, 3, 5) : DIMS(30, 40, 31), second = first;
            second.dims[axis] = 4;
            const Tensor zero = some_integers(1, dtype, shape_scalar());
            KernelTest test = {.op = "QLinearConcat",
                               .domain = "com.microsoft",
                               .opset = 1,
                               .attrs = {attr_int("axis", axis)},
                               .given = {scales[0], zero, some_integers(0, dtype, first), scales[1], zero,
                                         some_integers(2, dtype, second), scales[2], zero},
                               .n_inputs = 8,
                               .constants = form / 2 ? 0 : 0xdb,
                               .must_accept = true};
            kernel_test_check(test);
        }
}

/* Of a few elements and of several tasks, with any subset of the outputs; with NaN, which the range passes
 * over; and of zeros alone. */
static void dynamic_quantize(void **state) {
    (void)state;
    static float zeros[5];
    static const int64_t sizes[] = {1, 7, 16, 100, 16384, 40001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned unused = 0; unused < 7; unused++) {
            KernelTest test = {.op = "DynamicQuantizeLinear",
                               .opset = 11,
                               .inputs = {DIMS(sizes[i])},
                               .n_inputs = 1,
                               .n_outputs = 3,
                               .unused_outputs = unused,
                               .low = unused % 2 ? -0.3f : 0.2f,
                               .high = 2,
                               .must_accept = true};
            kernel_test_check(test);
            float image[100];
            fill_random(image, 100, unused + 1);
            image[unused] = NAN;
            test.given[0] = op_test_tensor(STRIDER_F32, DIMS(100), image, sizeof image);
            kernel_test_check(test);
            test.given[0] = op_test_tensor(STRIDER_F32, DIMS(5), zeros, sizeof zeros);
            kernel_test_check(test);
        }
}

int quantize_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dynamic_quantize),
        cmocka_unit_test(with_one_scale),
        cmocka_unit_test(with_a_scale_for_each_index),
        cmocka_unit_test(with_a_scale_for_each_block),
        cmocka_unit_test(wide_integers_are_dequantised),
        cmocka_unit_test(sums_and_products),
        cmocka_unit_test(functions_by_tables),
        cmocka_unit_test(parts_by_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

void quantize_kernel_times(void) {
    static uint8_t image[64 * 56 * 56];
    kernel_test_time(
        (KernelTest){.op = "QuantizeLinear",
                     .opset = 13,
                     .inputs = {DIMS(1, 64, 56, 56)},
                     .given = {[1] = some_scales(DIMS(1)), [2] = some_integers(1, STRIDER_U8, DIMS(1))},
                     .n_inputs = 3},
        "64x56x56 to u8");
    kernel_test_time(
        (KernelTest){.op = "DequantizeLinear",
                     .opset = 13,
                     .given = {op_test_tensor(STRIDER_U8, DIMS(1, 64, 56, 56), image, sizeof image),
                               some_scales(DIMS(1)), some_integers(1, STRIDER_U8, DIMS(1))},
                     .n_inputs = 3},
        "64x56x56 from u8");
}
