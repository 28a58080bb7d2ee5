/* SPDX-License-Identifier: Apache-2.0 */
/* Products of operands of 8 bits. */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { LARGEST = 1 << 20 };

/* Memory of a test's inputs, given out from the start for each test. */
static uint8_t memory[4 * LARGEST];
static size_t used;

static void *memory_of(size_t bytes) {
    void *taken = memory + used;
    used += (bytes + 15) & ~(size_t)15;
    assert_true(used <= sizeof memory);
    return taken;
}

static Tensor bytes_of_type(DType dtype, Shape shape, uint64_t seed) {
    const size_t count = (size_t)shape_elements(&shape);
    uint8_t *bytes = memory_of(count);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)random_below(&seed, 256);
    return tensor_view(dtype, &shape, bytes);
}

/* `same`: one number again and again. */
static Tensor zeros_of_type(DType dtype, Shape shape, bool same) {
    Tensor zeros = bytes_of_type(dtype, shape, 9);
    if (same)
        memset(zeros.data, 0x7b, zeros.size_bytes);
    return zeros;
}

static Tensor scales(Shape shape, float low, float high) {
    const size_t count = (size_t)shape_elements(&shape);
    float *values = memory_of(count * sizeof *values);
    fill_random(values, count, count + 5);
    for (size_t i = 0; i < count; i++)
        values[i] = low + (high - low) * (values[i] + 1) / 2;
    return tensor_view(STRIDER_F32, &shape, values);
}

static Tensor biases(Shape shape) {
    const size_t count = (size_t)shape_elements(&shape);
    int32_t *values = memory_of(count * sizeof *values);
    uint64_t seed = 4;
    for (size_t i = 0; i < count; i++)
        values[i] = (int32_t)random_below(&seed, 40000) - 20000;
    return tensor_view(STRIDER_I32, &shape, values);
}

static const DType pairs[][2] = {
    {STRIDER_U8, STRIDER_U8}, {STRIDER_U8, STRIDER_I8}, {STRIDER_I8, STRIDER_I8}, {STRIDER_I8, STRIDER_U8}};

/* --- convolutions --- */

/* `zeros`: none, one, or one for each filter, equal or not; constant weights in every other form. */
typedef struct ConvCase {
    Shape x, w;
    int group;
    int64_t stride, dilation, pad;
} ConvCase;

static void set_window(KernelTest *test, const ConvCase *c) {
    static int64_t numbers[3][6];
    for (int i = 0; i < 6; i++) {
        numbers[0][i] = c->stride;
        numbers[1][i] = c->dilation;
        numbers[2][i] = c->pad;
    }
    const size_t spatial = (size_t)c->x.rank - 2;
    const char *const names[] = {"strides", "dilations", "pads"};
    for (int i = 0; i < 3; i++)
        test->attrs[i] = (Attr){
            .name = names[i], .kind = ATTR_INTS, .ints = numbers[i], .count = i == 2 ? 2 * spatial : spatial};
    test->attrs[3] = attr_int("group", c->group);
}

static void check_conv_integer(const ConvCase *c, int form) {
    const DType *types = pairs[form % 4];
    used = 0;
    KernelTest test = {
        .op = "ConvInteger",
        .opset = 10,
        .given = {bytes_of_type(types[0], c->x, 1), bytes_of_type(types[1], c->w, 2),
                  bytes_of_type(types[0], shape_scalar(), 3),
                  zeros_of_type(types[1], form % 3 ? DIMS(c->w.dims[0]) : shape_scalar(), form % 2)},
        .n_inputs = form < 2 ? 2 : 4,
        .constants = form % 5 ? 0xe : 0,
        .must_accept = true};
    set_window(&test, c);
    kernel_test_check(test);
}

static void check_qlinear_conv(const ConvCase *c, int form) {
    const DType *types = pairs[form % 4];
    const Shape filters = DIMS(c->w.dims[0]);
    used = 0;
    const float y_scale = 2 * (float)(shape_elements(&c->w) / c->w.dims[0]);
    KernelTest test = {.op = "QLinearConv",
                       .opset = 10,
                       .given = {bytes_of_type(types[0], c->x, 1), scales(shape_scalar(), 0.5f, 1),
                                 bytes_of_type(types[0], shape_scalar(), 3), bytes_of_type(types[1], c->w, 2),
                                 scales(form % 2 ? filters : DIMS(1), 0.1f, 1),
                                 zeros_of_type(types[1], form % 2 ? filters : DIMS(1), form % 3),
                                 scales(shape_scalar(), y_scale, y_scale),
                                 bytes_of_type(types[0], shape_scalar(), 7), biases(filters)},
                       .n_inputs = form % 3 ? 9 : 8,
                       .constants = form % 5 ? 0x1fe : 0,
                       .must_accept = true};
    set_window(&test, c);
    kernel_test_check(test);
}

static void convolutions_of_every_kind(void **state) {
    (void)state;
    const ConvCase cases[] = {
        {DIMS(2, 3, 9, 11), DIMS(5, 3, 3, 3), 1, 1, 1, 1},
        {DIMS(1, 16, 7, 7), DIMS(33, 16, 1, 1), 1, 1, 1, 0},
        {DIMS(1, 4, 12, 13), DIMS(13, 4, 3, 2), 1, 2, 1, 1},
        {DIMS(1, 6, 10, 10), DIMS(9, 2, 3, 3), 3, 1, 2, 2},
        {DIMS(2, 7, 8, 9), DIMS(7, 1, 3, 3), 7, 1, 1, 1},
        {DIMS(1, 3, 19, 37), DIMS(6, 1, 3, 3), 3, 2, 1, 1},
        {DIMS(1, 4, 20, 21), DIMS(4, 1, 5, 4), 4, 3, 2, 4},
        {DIMS(1, 2, 5, 6, 20), DIMS(2, 1, 3, 2, 3), 2, 1, 2, 1},
        {DIMS(1, 2, 40, 40), DIMS(2, 1, 17, 17), 2, 1, 1, 8}, /* more taps than float32 sums */

        {DIMS(1, 5, 40), DIMS(12, 5, 5), 1, 3, 2, 4},
        {DIMS(1, 2, 5, 6, 7), DIMS(3, 2, 2, 3, 2), 1, 2, 1, 1},
        {DIMS(1, 1, 2, 2), DIMS(1, 1, 2, 2), 1, 1, 1, 5},
        {DIMS(1, 3, 3, 70), DIMS(25, 3, 1, 7), 1, 1, 1, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int form = 0; form < 12; form++) {
            check_conv_integer(&cases[i], form);
            check_qlinear_conv(&cases[i], form);
        }
}

/* So deep that a task has a panel or two. */
static void deep_convolutions(void **state) {
    (void)state;
    const ConvCase deep = {DIMS(1, 300, 8, 9), DIMS(30, 300, 3, 3), 1, 1, 1, 1};
    check_conv_integer(&deep, 3);
    check_qlinear_conv(&deep, 4);
}

/* --- matrices --- */

/* Scales and zero points of a and b in forms: one; lists; lists of each matrix. */
static Shape parameter_shape(const Shape *operand, int kind, bool of_rows) {
    const int64_t count = operand->dims[operand->rank - (of_rows ? 2 : 1)];
    if (kind == 0)
        return shape_scalar();
    if (kind == 1)
        return DIMS(count);
    Shape shape = *operand;
    shape.dims[shape.rank - (of_rows ? 1 : 2)] = 1;
    return shape;
}

static void check_matmul_integer(Shape a, Shape b, int form) {
    const DType *types = pairs[form % 4];
    used = 0;
    kernel_test_check(
        (KernelTest){.op = "MatMulInteger",
                     .opset = 10,
                     .given = {bytes_of_type(types[0], a, 1), bytes_of_type(types[1], b, 2),
                               bytes_of_type(types[0], parameter_shape(&a, form % 3, true), 3),
                               zeros_of_type(types[1], parameter_shape(&b, form / 3 % 3, false), form % 2)},
                     .n_inputs = form == 7 ? 2 : 4,
                     .constants = form % 5 ? 0xa : 0,
                     .must_accept = true});
}

static void check_qlinear_matmul(Shape a, Shape b, int form) {
    const DType *types = pairs[form % 4];
    const float y_scale = (float)a.dims[a.rank - 1];
    used = 0;
    const Shape of_a = parameter_shape(&a, form % 3, true), of_b = parameter_shape(&b, form / 3 % 3, false);
    kernel_test_check((KernelTest){.op = "QLinearMatMul",
                                   .opset = 10,
                                   .given = {bytes_of_type(types[0], a, 1), scales(of_a, 0.1f, 1),
                                             bytes_of_type(types[0], of_a, 3), bytes_of_type(types[1], b, 2),
                                             scales(of_b, 0.5f, 1), zeros_of_type(types[1], of_b, form % 2),
                                             scales(shape_scalar(), y_scale, 2 * y_scale),
                                             bytes_of_type(types[0], shape_scalar(), 7)},
                                   .n_inputs = 8,
                                   .constants = form % 5 ? 0xfe : 0,
                                   .must_accept = true});
}

static void matrices_of_every_size(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},    {1, 64, 33},  {5, 7, 9},    {12, 16, 32},
                                       {13, 31, 65}, {49, 3, 129}, {4, 128, 31}, {61, 50, 300}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 12; form++) {
            const int64_t m = sizes[i][0], k = sizes[i][1], n = sizes[i][2];
            check_matmul_integer(DIMS(m, k), DIMS(k, n), form);
            check_qlinear_matmul(DIMS(m, k), DIMS(k, n), form);
        }
}

/* Which kernels leave to the reference. */
static void results_of_other_types(void **state) {
    (void)state;
    used = 0;
    const Tensor one = scales(shape_scalar(), 1, 1), zero = bytes_of_type(STRIDER_U8, shape_scalar(), 3);
    kernel_test_check((KernelTest){.op = "QLinearMatMul",
                                   .opset = 21,
                                   .given = {bytes_of_type(STRIDER_U8, DIMS(5, 7), 1), one, zero,
                                             bytes_of_type(STRIDER_U8, DIMS(7, 9), 2), one, zero,
                                             scales(shape_scalar(), 99, 99),
                                             tensor_typed(STRIDER_F8E4M3FN, shape_scalar(), 0)},
                                   .n_inputs = 8});
}

static void batches_of_matrices(void **state) {
    (void)state;
    for (int form = 0; form < 12; form++) {
        check_matmul_integer(DIMS(2, 3, 5, 7), DIMS(2, 3, 7, 9), form);
        check_qlinear_matmul(DIMS(3, 5, 7), DIMS(1, 7, 40), form);
        if (form / 3 % 3 != 2) /* a list for each matrix of b has the rank of b */
            check_matmul_integer(DIMS(2, 1, 5, 7), DIMS(7, 9), form);
    }
}

static void gemms_with_and_without_scales(void **state) {
    (void)state;
    for (int form = 0; form < 24; form++) {
        const DType *types = pairs[form % 4];
        const bool trans_a = form & 1, trans_b = form >> 1 & 1;
        const int64_t m = form % 3 ? 17 : 1, k = form % 5 ? 45 : 8, n = form % 7 ? 70 : 5;
        const Shape list = form % 3 == 1 ? DIMS(n) : shape_scalar();
        used = 0;
        kernel_test_check((KernelTest){
            .op = "QGemm",
            .domain = "com.microsoft",
            .opset = 1,
            .attrs = {attr_int("transA", trans_a), attr_int("transB", trans_b), attr_float("alpha", 0.75f)},
            .given = {bytes_of_type(types[0], trans_a ? DIMS(k, m) : DIMS(m, k), 1),
                      scales(shape_scalar(), 0.1f, 1), bytes_of_type(types[0], shape_scalar(), 3),
                      bytes_of_type(types[1], trans_b ? DIMS(n, k) : DIMS(k, n), 2), scales(list, 0.5f, 1),
                      zeros_of_type(types[1], list, form % 2), biases(form % 4 ? DIMS(n) : DIMS(1, n)),
                      scales(shape_scalar(), (float)k, 2 * (float)k),
                      bytes_of_type(types[0], shape_scalar(), 7)},
            .n_inputs = form < 8    ? 6
                        : form < 16 ? 7
                                    : 9,
            .constants = form % 5 ? 0x1fe : 0,
            .rtol = 1e-6,
            .must_accept = true});
    }
}

int integer_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_every_kind), cmocka_unit_test(deep_convolutions),
        cmocka_unit_test(matrices_of_every_size),     cmocka_unit_test(results_of_other_types),
        cmocka_unit_test(batches_of_matrices),        cmocka_unit_test(gemms_with_and_without_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void time_conv(ConvCase c, const char *label) {
    used = 0;
    KernelTest test = {.op = "QLinearConv",
                       .opset = 10,
                       .given = {bytes_of_type(STRIDER_U8, c.x, 1), scales(shape_scalar(), 0.5f, 1),
                                 bytes_of_type(STRIDER_U8, shape_scalar(), 3),
                                 bytes_of_type(STRIDER_I8, c.w, 2), scales(DIMS(c.w.dims[0]), 0.1f, 1),
                                 zeros_of_type(STRIDER_I8, DIMS(1), true), scales(shape_scalar(), 99, 100),
                                 bytes_of_type(STRIDER_U8, shape_scalar(), 7)},
                       .n_inputs = 8,
                       .constants = 0xfe};
    set_window(&test, &c);
    kernel_test_time(test, label);
}

static void time_matmul(int64_t m, int64_t k, int64_t n, const char *label) {
    used = 0;
    kernel_test_time((KernelTest){.op = "MatMulInteger",
                                  .opset = 10,
                                  .given = {bytes_of_type(STRIDER_U8, DIMS(m, k), 1),
                                            bytes_of_type(STRIDER_I8, DIMS(k, n), 2)},
                                  .n_inputs = 2,
                                  .constants = 2},
                     label);
}

void integer_kernel_times(void) {
    time_matmul(197, 768, 768, "197x768 by 768x768");
    time_matmul(1, 768, 768, "1x768 by 768x768");
    time_conv((ConvCase){DIMS(1, 64, 56, 56), DIMS(64, 64, 3, 3), 1, 1, 1, 1}, "64x56x56, 64 of 3x3");
    time_conv((ConvCase){DIMS(1, 256, 14, 14), DIMS(256, 256, 3, 3), 1, 1, 1, 1}, "256x14x14, 256 of 3x3");
    time_conv((ConvCase){DIMS(1, 256, 14, 14), DIMS(512, 256, 1, 1), 1, 1, 1, 0}, "256x14x14, 512 of 1x1");
    time_conv((ConvCase){DIMS(1, 96, 28, 28), DIMS(96, 1, 3, 3), 96, 1, 1, 1}, "96x28x28, depthwise 3x3");
}
