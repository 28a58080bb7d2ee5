/* SPDX-License-Identifier: Apache-2.0 */
/* Gemm and MatMul. */
#include "graph/evaluate.h"
#include "ops/math/gemm.h"
#include "ops/math/matmul.h"
#include "ops/math/unary_kind.h"
#include "ops/op.h"
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void gemm_multiplies_scales_and_adds(void **state) {
    (void)state;
    OpTest test = {.op = "Gemm",
                   .opset = 11,
                   .attrs = {attr_float("alpha", 2), attr_float("beta", 0.5f)},
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(1, 2), 1, 10), tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6),
                              tensor_f32(DIMS(3), 2, 4, 6)}};
    Tensor y = tensor_f32(DIMS(1, 3), 83, 106, 129);
    op_test_expect(&test, &y);
}

static void gemm_transposes_either_side(void **state) {
    (void)state;
    OpTest test = {.op = "Gemm",
                   .opset = 11,
                   .attrs = {attr_int("transA", 1), attr_int("transB", 1)},
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(2, 1), 1, 10), tensor_f32(DIMS(3, 2), 1, 4, 2, 5, 3, 6)}};
    Tensor y = tensor_f32(DIMS(1, 3), 41, 52, 63);
    op_test_expect(&test, &y);
}

static void gemm_broadcasts_c_from_every_shape(void **state) {
    (void)state;
    const struct {
        Tensor c, y;
    } cases[] = {
        {tensor_f32(shape_scalar(), 5), tensor_f32(DIMS(2, 2), 6, 7, 8, 9)},
        {tensor_f32(DIMS(1), 5), tensor_f32(DIMS(2, 2), 6, 7, 8, 9)},
        {tensor_f32(DIMS(2), 10, 20), tensor_f32(DIMS(2, 2), 11, 22, 13, 24)},
        {tensor_f32(DIMS(1, 2), 10, 20), tensor_f32(DIMS(2, 2), 11, 22, 13, 24)},
        {tensor_f32(DIMS(2, 1), 10, 20), tensor_f32(DIMS(2, 2), 11, 12, 23, 24)},
        {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_f32(DIMS(2, 2), 2, 4, 6, 8)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = "Gemm",
            .opset = i % 2 ? 13 : 6,
            .attrs = {attr_int("broadcast", 1)},
            .n_inputs = 3,
            .inputs = {tensor_f32(DIMS(2, 2), 1, 2, 3, 4), tensor_f32(DIMS(2, 2), 1, 0, 0, 1), cases[i].c}};
        op_test_expect(&test, &cases[i].y);
    }
}

static void gemm_of_no_columns_is_c(void **state) {
    (void)state;
    OpTest test = {.op = "Gemm",
                   .opset = 11,
                   .n_inputs = 3,
                   .inputs = {op_test_tensor(STRIDER_F32, DIMS(2, 0), "", 0),
                              op_test_tensor(STRIDER_F32, DIMS(0, 1), "", 0), tensor_f32(DIMS(1), 3)}};
    Tensor y = tensor_f32(DIMS(2, 1), 3, 3);
    op_test_expect(&test, &y);
}

static void gemm_does_not_read_c_where_beta_is_zero(void **state) {
    (void)state;
    OpTest test = {
        .op = "Gemm",
        .opset = 11,
        .attrs = {attr_float("beta", 0)},
        .n_inputs = 3,
        .inputs = {tensor_f32(DIMS(1, 1), 2), tensor_f32(DIMS(1, 1), 3), tensor_f32(DIMS(1), NAN)}};
    Tensor y = tensor_f32(DIMS(1, 1), 6);
    op_test_expect(&test, &y);
}

static void gemm_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor a = tensor_f32(DIMS(1, 2), 1, 2), b = tensor_f32(DIMS(2, 1), 1, 2);
    const struct {
        Tensor a, b, c;
        const char *message;
    } cases[] = {
        {a, tensor_f32(DIMS(1, 2), 1, 2), tensor_f32(DIMS(1), 1), "A has 2 columns, but B has 1 rows"},
        {a, b, tensor_f32(DIMS(2), 1, 2), "C has 2 values where the product has 1"},
        {a, b, tensor_f32(DIMS(1, 1, 1), 1), "input 2 has rank 3"},
        {tensor_f32(DIMS(2), 1, 2), b, tensor_f32(DIMS(1), 1), "input 0 has rank 1"},
        {a, tensor_i64(DIMS(2, 1), 1, 2), tensor_f32(DIMS(1), 1), "must be of one type"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {
            .op = "Gemm", .opset = 11, .n_inputs = 3, .inputs = {cases[i].a, cases[i].b, cases[i].c}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
    OpTest extra = {.op = "Gemm", .opset = 11, .n_inputs = 4, .inputs = {a, b, tensor_f32(DIMS(1), 1), b}};
    op_test_expect_error(&extra, STRIDER_BAD_MODEL, "has 4 inputs, takes 2 to 3");
}

static void matmul_promotes_vectors(void **state) {
    (void)state;
    const Tensor vector = tensor_f32(DIMS(2), 1, 10), matrix = tensor_f32(DIMS(2, 2), 1, 2, 3, 4);
    const struct {
        Tensor a, b, y;
    } cases[] = {
        {vector, vector, tensor_f32(shape_scalar(), 101)},
        {vector, matrix, tensor_f32(DIMS(2), 31, 42)},
        {matrix, vector, tensor_f32(DIMS(2), 21, 43)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "MatMul", .opset = 13, .n_inputs = 2, .inputs = {cases[i].a, cases[i].b}};
        op_test_expect(&test, &cases[i].y);
    }
}

static void matmul_broadcasts_batches(void **state) {
    (void)state;
    OpTest test = {.op = "MatMul",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(2, 1, 1, 1), 1, 2), tensor_f32(DIMS(3, 1, 1), 1, 10, 100)}};
    Tensor y = tensor_f32(DIMS(2, 3, 1, 1), 1, 10, 100, 2, 20, 200);
    op_test_expect(&test, &y);
}

/* Neither side's matrices lie in equal steps along the batch. */
static void matmul_broadcasts_both_sides_in_turn(void **state) {
    (void)state;
    enum { P = 2, Q = 4, R = 3, M = 3, K = 5, N = 2 };
    static float a[P * R * M * K], b[Q * K * N], y[P * Q * R * M * N];
    fill_random(a, P * R * M * K, 1);
    fill_random(b, Q * K * N, 2);
    for (int i = 0; i < P * Q * R * M * N; i++) {
        const int n = i % N, m = i / N % M, r = i / (N * M) % R, q = i / (N * M * R) % Q,
                  p = i / (N * M * R * Q);
        double sum = 0;
        for (int k = 0; k < K; k++)
            sum += (double)a[((p * R + r) * M + m) * K + k] * (double)b[(q * K + k) * N + n];
        y[i] = (float)sum;
    }
    OpTest test = {.op = "MatMul",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {op_test_tensor(STRIDER_F32, DIMS(P, 1, R, M, K), a, sizeof a),
                              op_test_tensor(STRIDER_F32, DIMS(Q, 1, K, N), b, sizeof b)}};
    Tensor expected = op_test_tensor(STRIDER_F32, DIMS(P, Q, R, M, N), y, sizeof y);
    op_test_expect(&test, &expected);
}

static void matmul_of_integers_wraps_around(void **state) {
    (void)state;
    OpTest test = {.op = "MatMul",
                   .opset = 9,
                   .n_inputs = 2,
                   .inputs = {op_test_tensor(STRIDER_I32, DIMS(1, 2), (int32_t[]){INT32_MAX, 1}, 8),
                              op_test_tensor(STRIDER_I32, DIMS(2, 1), (int32_t[]){1, 1}, 8)}};
    Tensor y = op_test_tensor(STRIDER_I32, DIMS(1, 1), (int32_t[]){INT32_MIN}, 4);
    op_test_expect(&test, &y);
}

static void gemm_of_integers_wraps_around_and_takes_c_as_it_is(void **state) {
    (void)state;
    const int64_t large = (int64_t)1 << 62;
    OpTest test = {.op = "Gemm",
                   .opset = 13,
                   .attrs = {attr_int("transB", 1)},
                   .n_inputs = 3,
                   .inputs = {tensor_i64(DIMS(1, 2), large, large + 1), tensor_i64(DIMS(2, 2), 1, 1, 2, 2),
                              tensor_i64(DIMS(2), 3, 4)}};
    Tensor y = tensor_i64(DIMS(1, 2), INT64_MIN + 4, 6);
    op_test_expect(&test, &y);
}

static void matmul_refuses_what_does_not_fit(void **state) {
    (void)state;
    const Tensor a = tensor_f32(DIMS(2, 1, 2), 1, 2, 3, 4);
    const struct {
        Tensor b;
        const char *message;
    } cases[] = {
        {tensor_f32(DIMS(3), 1, 2, 3), "A has 2 columns, but B has 3 rows"},
        {tensor_f32(DIMS(3, 2, 1), 1, 2, 3, 4, 5, 6), "dimensions 2 and 3 do not broadcast"},
        {tensor_f32(shape_scalar(), 1), "input 1 has rank 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OpTest test = {.op = "MatMul", .opset = 13, .n_inputs = 2, .inputs = {a, cases[i].b}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, cases[i].message);
    }
}

static void fused(const char *op, void *attrs, const PostOp *list, int n_post_ops, int n_inputs,
                  const Tensor *const *inputs, const Tensor *expected) {
    float data[2];
    Tensor y = tensor_view(STRIDER_F32, &expected->type.shape, data);
    Value value, *outputs[] = {&value};
    Node node = {.op = op_find("", op, 13),
                 .name = "",
                 .attrs = attrs,
                 .post_ops = list,
                 .n_post_ops = n_post_ops,
                 .n_inputs = n_inputs,
                 .n_outputs = 1,
                 .outputs = outputs};
    const ValueType type = value_type_tensor(expected->type);
    assert_int_equal(node_evaluate(&node, inputs, &type, &y, allocator_default(), NULL), STRIDER_OK);
    assert_tensor_close(&y, expected, 0, 0);
}

static void post_operations_add_bias_and_residual_around_the_activation(void **state) {
    (void)state;
    Tensor a = tensor_f32(DIMS(1, 1), 1), b = tensor_f32(DIMS(1, 2), 2, -3), bias = tensor_f32(DIMS(2), 1, 1);
    Tensor residual = tensor_f32(DIMS(1, 2), -10, 5);
    const Tensor *inputs[] = {&a, &b, &bias, &residual};
    const PostOp relu = {.kind = POST_ACTIVATION, .port = -1, .function = UNARY_RELU},
                 add_bias = {.kind = POST_BIAS, .port = 2}, add = {.kind = POST_RESIDUAL, .port = 3};
    Tensor before = tensor_f32(DIMS(1, 2), 0, 3), after = tensor_f32(DIMS(1, 2), -7, 5);
    for (int last = 0; last < 2; last++) {
        const PostOp list[] = {add_bias, last ? relu : add, last ? add : relu};
        GemmAttrs gemm = {.alpha = 1, .beta = 1};
        fused("Gemm", &gemm, list + 1, 2, 4, inputs, last ? &after : &before);
        fused("MatMul", NULL, list, 3, 4, inputs, last ? &after : &before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_multiplies_scales_and_adds),
        cmocka_unit_test(gemm_transposes_either_side),
        cmocka_unit_test(gemm_broadcasts_c_from_every_shape),
        cmocka_unit_test(gemm_of_no_columns_is_c),
        cmocka_unit_test(gemm_does_not_read_c_where_beta_is_zero),
        cmocka_unit_test(gemm_refuses_what_does_not_fit),
        cmocka_unit_test(matmul_promotes_vectors),
        cmocka_unit_test(matmul_broadcasts_batches),
        cmocka_unit_test(matmul_broadcasts_both_sides_in_turn),
        cmocka_unit_test(matmul_of_integers_wraps_around),
        cmocka_unit_test(gemm_of_integers_wraps_around_and_takes_c_as_it_is),
        cmocka_unit_test(matmul_refuses_what_does_not_fit),
        cmocka_unit_test(post_operations_add_bias_and_residual_around_the_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
