/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ops/math/gemm.h"
#include "ops/math/matmul.h"

static const int64_t rows[] = {1, 2, 3, 4, 5, 7, 14, 15, 29, 61};
static const int64_t sizes[] = {1, 3, 4, 15, 16, 17, 31, 32, 33, 70, 130};

enum { N_ROWS = sizeof rows / sizeof *rows, N_SIZES = sizeof sizes / sizeof *sizes };

static KernelTest gemm_test(int64_t m, int64_t n, int64_t k, int trans_a, int trans_b) {
    return (KernelTest){
        .op = "Gemm",
        .opset = 13,
        .attrs = {attr_int("transA", trans_a), attr_int("transB", trans_b), attr_float("alpha", 1.5f),
                  attr_float("beta", 0.5f)},
        .inputs = {trans_a ? DIMS(k, m) : DIMS(m, k), trans_b ? DIMS(n, k) : DIMS(k, n), DIMS(n)},
        .n_inputs = 3,
        .constants = 6,
        .rtol = 1e-5,
        .atol = 3e-5,
        .must_accept = true,
        .seed = (uint64_t)(m * 1000 + n)};
}

static void gemm_of_all_sizes(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < N_ROWS; i++)
        for (int j = 0; j < N_SIZES; j++)
            for (int t = 0; t < 4; t++)
                kernel_test_check(
                    gemm_test(rows[i], sizes[j], sizes[random_below(&seed, N_SIZES)], t & 1, t >> 1));
}

static void gemm_with_b_that_varies(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < N_ROWS; i++)
        for (int t = 0; t < 4; t++) {
            KernelTest test = gemm_test(rows[i], sizes[random_below(&seed, N_SIZES)],
                                        sizes[random_below(&seed, N_SIZES)], t & 1, t >> 1);
            test.constants = 0;
            kernel_test_check(test);
        }
}

static void gemm_with_every_shape_of_c(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++) {
        KernelTest test = gemm_test(rows[i], 37, 20, 0, 1);
        const Shape shapes[] = {DIMS(), DIMS(1), DIMS(37), DIMS(1, 37), DIMS(rows[i], 1), DIMS(rows[i], 37)};
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            test.inputs[GEMM_C] = shapes[s];
            kernel_test_check(test);
        }
        test.absent = 4;
        test.constants = 2;
        kernel_test_check(test);
    }
}

static void add_to_gemm(KernelTest *test, int64_t m, int64_t n, bool residual_last) {
    if (!residual_last)
        kernel_test_add_operand(test, POST_RESIDUAL, DIMS(m, n));
    kernel_test_add_activation(test, (Unary){UNARY_RELU, 0, 0});
    if (residual_last)
        kernel_test_add_operand(test, POST_RESIDUAL, DIMS(m, n));
}

static void what_passes_add(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++)
        for (int j = 0; j < N_SIZES; j++) {
            KernelTest gemm = gemm_test(rows[i], sizes[j], 20, 0, 1);
            add_to_gemm(&gemm, rows[i], sizes[j], i % 2);
            kernel_test_check(gemm);
            KernelTest matmul = {.op = "MatMul",
                                 .opset = 13,
                                 .inputs = {DIMS(rows[i], 20), DIMS(20, sizes[j])},
                                 .n_inputs = 2,
                                 .constants = 2,
                                 .rtol = 1e-5,
                                 .atol = 2e-5,
                                 .must_accept = true};
            kernel_test_add_operand(&matmul, POST_BIAS, DIMS(sizes[j]));
            kernel_test_add_activation(&matmul, (Unary){UNARY_GELU, 0, 0});
            if (j % 2)
                kernel_test_add_operand(&matmul, POST_RESIDUAL, DIMS(rows[i], sizes[j]));
            kernel_test_check(matmul);
        }
}

/* Sums of nothing are 0. */
static void products_without_k(void **state) {
    (void)state;
    for (int i = 0; i < N_ROWS; i++)
        for (int t = 0; t < 4; t++)
            for (int constants = 0; constants <= 6; constants += 6) {
                KernelTest test = gemm_test(rows[i], 37, 0, t & 1, t >> 1);
                test.constants = (unsigned)constants;
                kernel_test_check(test);
            }
}

/* Sums that wait in y, and what follows them where C is a bias. */
static void steps_of_k(void **state) {
    (void)state;
    for (int i = 3; i < N_ROWS; i++)
        for (int with_residual = 0; with_residual < 2; with_residual++) {
            KernelTest test = gemm_test(rows[i], 70 + i, 500 + 300 * (i % 2), 0, i % 2);
            test.attrs[2] = attr_float("alpha", 1);
            test.attrs[3] = attr_float("beta", 1);
            test.atol = 1e-4;
            if (with_residual)
                add_to_gemm(&test, rows[i], 70 + i, i % 2);
            kernel_test_check(test);
        }
}

static void check_matmul(Shape a, Shape b, unsigned constants) {
    kernel_test_check((KernelTest){.op = "MatMul",
                                   .opset = 13,
                                   .inputs = {a, b},
                                   .n_inputs = 2,
                                   .constants = constants,
                                   .rtol = 1e-5,
                                   .atol = 2e-5,
                                   .must_accept = true});
}

static void matmul_with_batches(void **state) {
    (void)state;
    for (unsigned constants = 0; constants <= 2; constants += 2) {
        check_matmul(DIMS(3, 20, 17), DIMS(17, 35), constants);
        check_matmul(DIMS(3, 20, 17), DIMS(3, 17, 35), constants);
        check_matmul(DIMS(2, 3, 2, 17), DIMS(3, 17, 35), constants);
        check_matmul(DIMS(2, 1, 9, 17), DIMS(1, 3, 17, 35), constants);
        check_matmul(DIMS(9, 17), DIMS(2, 17, 35), constants);
        check_matmul(DIMS(17), DIMS(17, 35), constants);
        check_matmul(DIMS(17), DIMS(2, 17, 35), constants);
        check_matmul(DIMS(9, 17), DIMS(17), constants);
        check_matmul(DIMS(2, 9, 17), DIMS(17), constants);
        check_matmul(DIMS(17), DIMS(17), constants);
        check_matmul(DIMS(2, 1, 17), DIMS(2, 17, 1), constants);
    }
    check_matmul(DIMS(300, 40), DIMS(40, 200), 2);
    check_matmul(DIMS(2, 3, 0), DIMS(2, 0, 4), 0);
    check_matmul(DIMS(0, 3), DIMS(3, 4), 2);
}

/* --- other types --- */

/* Any bits of integers, whose products wrap around; of doubles small multiples of an eighth, whose sums are
 * exact. */
static Tensor typed_matrix(int buffer, DType dtype, Shape shape, uint64_t *seed) {
    enum { MAX_ELEMENTS = 1 << 15 };
    static uint64_t memory[3][MAX_ELEMENTS];
    Tensor tensor = tensor_view(dtype, &shape, memory[buffer]);
    assert_true(tensor_elements(&tensor) <= MAX_ELEMENTS);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++)
        if (dtype == STRIDER_F64)
            tensor_set_f64(&tensor, i, (double)(random_below(seed, 129) - 64) / 8);
        else
            tensor_set_bits(&tensor, i, (uint64_t)random_below(seed, INT32_MAX) << 11 ^ (uint64_t)i);
    return tensor;
}

static const DType plain_dtypes[] = {STRIDER_F64, STRIDER_I32, STRIDER_I64, STRIDER_U32, STRIDER_U64};
enum { N_PLAIN = sizeof plain_dtypes / sizeof *plain_dtypes };

static void plain_matmul_of_all_types(void **state) {
    (void)state;
    const struct {
        Shape a, b;
    } cases[] = {
        {DIMS(1, 1), DIMS(1, 1)},          {DIMS(9, 5), DIMS(5, 33)},
        {DIMS(130, 7), DIMS(7, 31)},       {DIMS(3, 20, 17), DIMS(17, 35)},
        {DIMS(3, 8, 17), DIMS(3, 17, 16)}, {DIMS(2, 1, 9, 3), DIMS(1, 3, 3, 40)},
        {DIMS(17), DIMS(2, 17, 35)},       {DIMS(2, 9, 17), DIMS(17)},
        {DIMS(2, 3, 0), DIMS(2, 0, 4)},    {DIMS(4, 100), DIMS(100, 65)},
    };
    uint64_t seed = 5;
    for (int t = 0; t < N_PLAIN; t++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            kernel_test_check((KernelTest){.op = "MatMul",
                                           .opset = 13,
                                           .given = {typed_matrix(0, plain_dtypes[t], cases[i].a, &seed),
                                                     typed_matrix(1, plain_dtypes[t], cases[i].b, &seed)},
                                           .n_inputs = 2,
                                           .constants = i % 2 ? 2 : 0,
                                           .must_accept = true});
}

static void plain_gemm_of_all_types(void **state) {
    (void)state;
    enum { M = 19, K = 23, N = 37 };
    const Shape cs[] = {DIMS(M, N), DIMS(N), DIMS(M, 1), DIMS(1), shape_scalar()};
    uint64_t seed = 6;
    for (int t = 0; t < N_PLAIN; t++)
        for (int form = 0; form < 24; form++) {
            const DType dtype = plain_dtypes[t];
            const bool trans_a = form & 1, trans_b = form & 2;
            const int c = form / 4 - 1;
            KernelTest test = {.op = "Gemm",
                               .opset = 13,
                               .attrs = {attr_int("transA", trans_a), attr_int("transB", trans_b)},
                               .n_inputs = c < 0 ? 2 : 3,
                               .must_accept = true};
            if (dtype == STRIDER_F64 && form % 3 == 0) {
                test.attrs[2] = attr_float("alpha", 0.5f);
                test.attrs[3] = attr_float("beta", form % 2 ? 0 : -2.0f);
            }
            test.given[0] = typed_matrix(0, dtype, trans_a ? DIMS(K, M) : DIMS(M, K), &seed);
            test.given[1] = typed_matrix(1, dtype, trans_b ? DIMS(N, K) : DIMS(K, N), &seed);
            if (c >= 0)
                test.given[2] = typed_matrix(2, dtype, cs[c], &seed);
            kernel_test_check(test);
        }
}

int gemm_kernel_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_of_all_sizes),          cmocka_unit_test(gemm_with_b_that_varies),
        cmocka_unit_test(gemm_with_every_shape_of_c), cmocka_unit_test(what_passes_add),
        cmocka_unit_test(products_without_k),         cmocka_unit_test(steps_of_k),
        cmocka_unit_test(matmul_with_batches),        cmocka_unit_test(plain_matmul_of_all_types),
        cmocka_unit_test(plain_gemm_of_all_types),
    };
    return cmocka_run_group_tests_name("matrix product kernels", tests, NULL, NULL);
}

void gemm_kernel_times(void) {
    static const struct {
        const char *label;
        int64_t m, n, k;
        int trans_b;
    } cases[] = {
        {"resnet 1x2048 to 1000", 1, 1000, 2048, 1},
        {"vgg 1x25088 to 4096", 1, 4096, 25088, 1},
        {"1x2048 to 1000, not transposed", 1, 1000, 2048, 0},
        {"4x2048 to 1000", 4, 1000, 2048, 1},
        {"196x768 to 768", 196, 768, 768, 0},
        {"196x768 to 3072", 196, 3072, 768, 1},
        {"32x2048 to 1000", 32, 1000, 2048, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        kernel_test_time(gemm_test(cases[i].m, cases[i].n, cases[i].k, 0, cases[i].trans_b), cases[i].label);
    kernel_test_time((KernelTest){.op = "MatMul",
                                  .opset = 13,
                                  .inputs = {DIMS(1, 12, 196, 64), DIMS(1, 12, 64, 196)},
                                  .n_inputs = 2},
                     "attention 12x196x64x196");
}
