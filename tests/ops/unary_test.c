/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/math/unary.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/op_test.h"

static const DType float_types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};

typedef struct Case {
    const char *op;
    int opset;
    Attr attrs[2];
    int n;
    double x[6], y[6]; /* x is exact in every float type */
} Case;

static void assert_maps(const Case *row, DType dtype) {
    uint64_t x[6], y[6];
    OpTest test = {.op = row->op,
                   .opset = row->opset,
                   .attrs = {row->attrs[0], row->attrs[1]},
                   .n_inputs = 1,
                   .inputs = {op_test_convert(dtype, DIMS(row->n), x, row->x, (size_t)row->n)}};
    Tensor expected = op_test_convert(dtype, DIMS(row->n), y, row->y, (size_t)row->n);
    Status status = op_test_run(&test);
    if (status)
        fail_msg("%s-%d: %s", row->op, row->opset, test.error.message);
    for (int i = 0; i < row->n; i++) {
        double got = tensor_get_f64(&test.outputs[0], i), want = tensor_get_f64(&expected, i);
        if (!(got == want || fabs(got - want) <= 1e-6 * fabs(want)) && !(isnan(got) && isnan(want)))
            fail_msg("%s-%d of %s %g is %.9g, expected %.9g", row->op, row->opset, dtype_name(dtype),
                     row->x[i], got, want);
    }
    assert_tensor_close(&test.outputs[0], &expected, 1e-6, 1e-6);
    op_test_free(&test);
}

static void functions_have_their_known_values_in_every_float_type(void **state) {
    (void)state;
    const Case cases[] = {
        {"Exp", 13, {{0}}, 3, {0, 1, -2}, {1, 2.718281828459045, 0.1353352832366127}},
        {"Log", 13, {{0}}, 3, {1, 2, 0.5}, {0, 0.6931471805599453, -0.6931471805599453}},
        {"Log", 1, {{0}}, 2, {0, -1}, {-INFINITY, NAN}},
        {"Sqrt", 13, {{0}}, 4, {0, 4, 2, -1}, {0, 2, 1.4142135623730951, NAN}},
        {"Reciprocal", 13, {{0}}, 3, {4, -0.5, 0}, {0.25, -2, INFINITY}},
        {"Abs", 13, {{0}}, 3, {-1.5, 0, 2}, {1.5, 0, 2}},
        {"Neg", 13, {{0}}, 3, {-1.5, 0, 2}, {1.5, -0.0, -2}},
        {"Ceil", 13, {{0}}, 4, {-1.5, 1.25, 2, -0.5}, {-1, 2, 2, -0.0}},
        {"Floor", 13, {{0}}, 4, {-1.5, 1.25, 2, -0.5}, {-2, 1, 2, -1}},
        {"Round", 22, {{0}}, 6, {0.5, 1.5, 2.5, -0.5, -1.5, 2.75}, {0, 2, 2, -0.0, -2, 3}},
        {"Sign", 13, {{0}}, 4, {-2, 0, 0.5, NAN}, {-1, 0, 1, NAN}},
        {"Erf", 13, {{0}}, 3, {0, 1, -2}, {0, 0.8427007929497149, -0.9953222650189527}},
        {"Sin", 22, {{0}}, 2, {0, 1}, {0, 0.8414709848078965}},
        {"Cos", 22, {{0}}, 2, {0, 1}, {1, 0.5403023058681398}},
        {"Tan", 7, {{0}}, 2, {0, 1}, {0, 1.5574077246549023}},
        {"Asin", 7, {{0}}, 3, {0.5, -1, 2}, {0.5235987755982989, -1.5707963267948966, NAN}},
        {"Acos", 7, {{0}}, 3, {0.5, -1, 2}, {1.0471975511965979, 3.141592653589793, NAN}},
        {"Atan", 7, {{0}}, 2, {1, -INFINITY}, {0.7853981633974483, -1.5707963267948966}},
        {"Sinh", 9, {{0}}, 2, {1, -1}, {1.1752011936438014, -1.1752011936438014}},
        {"Cosh", 9, {{0}}, 2, {1, -1}, {1.5430806348152437, 1.5430806348152437}},
        {"Asinh", 9, {{0}}, 2, {1, -1}, {0.881373587019543, -0.881373587019543}},
        {"Acosh", 9, {{0}}, 3, {1, 2, 0}, {0, 1.3169578969248166, NAN}},
        {"Atanh", 9, {{0}}, 2, {0.5, 1}, {0.5493061443340549, INFINITY}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++)
            assert_maps(&cases[i], float_types[t]);
}

static void activations_have_their_known_values_in_every_float_type(void **state) {
    (void)state;
    const Attr alpha2 = attr_float("alpha", 2);
    const Case cases[] = {
        {"Relu", 14, {{0}}, 4, {-1, 0, 2, NAN}, {0, 0, 2, NAN}},
        {"LeakyRelu", 16, {attr_float("alpha", 0.25f)}, 3, {-2, 0, 2}, {-0.5, 0, 2}},
        {"HardSigmoid", 22, {{0}}, 4, {-3, 0, 3, NAN}, {0, 0.5, 1, NAN}},
        {"HardSigmoid",
         6,
         {attr_float("alpha", 0.5f), attr_float("beta", 0.25f)},
         2,
         {1, -0.25},
         {0.75, 0.125}},
        {"HardSwish", 14, {{0}}, 4, {-3, -1.5, 3, 1.5}, {0, -0.375, 3, 1.125}},
        {"Sigmoid", 13, {{0}}, 4, {0, 1, 1000, -1000}, {0.5, 0.7310585786300049, 1, 0}},
        {"Swish", 24, {{0}}, 3, {0, 1, -1}, {0, 0.7310585786300049, -0.2689414213699951}},
        {"Swish", 24, {alpha2}, 2, {1, -1}, {0.8807970779778823, -0.11920292202211769}},
        {"Tanh", 13, {{0}}, 3, {0, 1, -1000}, {0, 0.7615941559557649, -1}},
        {"Elu", 22, {{0}}, 3, {-1, 0, 2}, {-0.6321205588285577, 0, 2}},
        {"Elu", 6, {alpha2}, 2, {-1, NAN}, {-1.2642411176571153, NAN}},
        {"Selu", 22, {{0}}, 3, {-1, 0, 1}, {-1.1113307378125625, 0, 1.0507009873554805}},
        {"Selu", 6, {alpha2, attr_float("gamma", 3)}, 2, {-1, 1}, {-3.792723352971346, 3}},
        {"Celu", 12, {alpha2}, 3, {-2, 1, NAN}, {-1.2642411176571153, 1, NAN}},
        {"Softplus", 22, {{0}}, 3, {0, 1000, NAN}, {0.6931471805599453, 1000, NAN}},
        {"Softsign", 22, {{0}}, 3, {3, -1, 0}, {0.75, -0.5, 0}},
        {"Mish", 22, {{0}}, 3, {0, 1, 1000}, {0, 0.8650983882673103, 1000}},
        {"Gelu", 20, {{0}}, 3, {0, 1, -1}, {0, 0.8413447460685429, -0.15865525393145707}},
        {"Gelu", 20, {attr_string("approximate", "tanh")}, 2, {0, 1}, {0, 0.8411919906082768}},
        {"ThresholdedRelu", 22, {{0}}, 4, {1, 1.5, -2, 0.5}, {0, 1.5, 0, 0}},
        {"ThresholdedRelu", 10, {alpha2}, 2, {2, 3}, {0, 3}},
        {"Shrink",
         9,
         {attr_float("lambd", 1.5f), attr_float("bias", 1.5f)},
         4,
         {-2, -1, 1, 2},
         {-0.5, 0, 0, 0.5}},
        {"Shrink", 9, {{0}}, 3, {-0.75, 0.5, 0.75}, {-0.75, 0, 0.75}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int t = 0; t < 4; t++) {
            bool no_bfloat16 = strcmp(cases[i].op, "Shrink") == 0;
            if (!(no_bfloat16 && float_types[t] == STRIDER_BF16))
                assert_maps(&cases[i], float_types[t]);
        }
}

/* The attribute defaults of LeakyRelu and old Selu have digits that f16 does not resolve. */
static void defaults_are_those_of_the_opset(void **state) {
    (void)state;
    const Case cases[] = {
        {"LeakyRelu", 1, {{0}}, 2, {-1, -2}, {(double)-0.01f, (double)-0.02f}},
        {"Selu", 1, {{0}}, 1, {1}, {(double)1.0507f}},
        {"Selu", 5, {{0}}, 1, {1}, {(double)1.0507f}},
        {"HardSigmoid", 1, {{0}}, 1, {1}, {0.7}},
        {"Elu", 1, {{0}}, 1, {-1}, {-0.6321205588285577}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_maps(&cases[i], STRIDER_F32);
}

static void opset_1_ignores_consumed_inputs(void **state) {
    (void)state;
    const Case row = {"Relu", 1, {attr_ints("consumed_inputs", 0)}, 2, {-1, 1}, {0, 1}};
    assert_maps(&row, STRIDER_F32);
}

static void integers_wrap_around_and_keep_all_their_bits(void **state) {
    (void)state;
    const int64_t odd = ((int64_t)1 << 53) + 1;
    OpTest negate = {
        .op = "Neg", .opset = 13, .n_inputs = 1, .inputs = {tensor_i64(DIMS(3), odd, -odd, INT64_MIN)}};
    Tensor y_negate = tensor_i64(DIMS(3), -odd, odd, INT64_MIN);
    op_test_expect(&negate, &y_negate);
    OpTest absolute = {
        .op = "Abs", .opset = 13, .n_inputs = 1, .inputs = {tensor_i64(DIMS(3), -odd, odd, INT64_MIN)}};
    Tensor y_absolute = tensor_i64(DIMS(3), odd, odd, INT64_MIN);
    op_test_expect(&absolute, &y_absolute);
    OpTest relu = {.op = "Relu", .opset = 14, .n_inputs = 1, .inputs = {tensor_i64(DIMS(2), -odd, odd)}};
    Tensor y_relu = tensor_i64(DIMS(2), 0, odd);
    op_test_expect(&relu, &y_relu);
    static const DType narrow[] = {STRIDER_I8, STRIDER_I16, STRIDER_I32};
    for (int t = 0; t < 3; t++) {
        double lowest = -ldexp(1, 8 * (int)dtype_size(narrow[t]) - 1);
        const Case cases[] = {
            {"Neg", 6, {{0}}, 3, {lowest, 1, -7}, {lowest, -1, 7}},
            {"Abs", 6, {{0}}, 3, {lowest, 1, -7}, {lowest, 1, 7}},
            {"Sign", 9, {{0}}, 3, {lowest, 0, 7}, {-1, 0, 1}},
            {"Relu", 14, {{0}}, 3, {lowest, 0, 7}, {0, 0, 7}},
            {"Shrink", 9, {attr_float("bias", 1e30f)}, 2, {-1, 0}, {-lowest - 1, 0}},
        };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            assert_maps(&cases[i], narrow[t]);
    }
    uint64_t huge = UINT64_MAX;
    OpTest big = {
        .op = "Abs", .opset = 13, .n_inputs = 1, .inputs = {op_test_tensor(STRIDER_U64, DIMS(1), &huge, 8)}};
    Tensor y_big = op_test_tensor(STRIDER_U64, DIMS(1), &huge, 8);
    op_test_expect(&big, &y_big);
}

static void bits_and_bools_are_inverted(void **state) {
    (void)state;
    OpTest not = {
        .op = "Not", .opset = 1, .n_inputs = 1, .inputs = {tensor_typed(STRIDER_BOOL, DIMS(2, 1), 0, 1)}};
    Tensor y_not = tensor_typed(STRIDER_BOOL, DIMS(2, 1), 1, 0);
    op_test_expect(&not, &y_not);
    OpTest bits = {.op = "BitwiseNot",
                   .opset = 18,
                   .n_inputs = 1,
                   .inputs = {tensor_typed(STRIDER_U16, DIMS(2), 0, 255)}};
    Tensor y_bits = tensor_typed(STRIDER_U16, DIMS(2), 65535, 65280);
    op_test_expect(&bits, &y_bits);
    OpTest signs = {.op = "BitwiseNot",
                    .opset = 18,
                    .n_inputs = 1,
                    .inputs = {tensor_typed(STRIDER_I32, DIMS(2), 0, -6)}};
    Tensor y_signs = tensor_typed(STRIDER_I32, DIMS(2), -1, 5);
    op_test_expect(&signs, &y_signs);
}

static void nan_and_infinities_are_found(void **state) {
    (void)state;
    for (int t = 0; t < 4; t++) {
        OpTest nan = {.op = "IsNaN",
                      .opset = 20,
                      .n_inputs = 1,
                      .inputs = {tensor_typed(float_types[t], DIMS(4), NAN, INFINITY, -INFINITY, 1)}};
        Tensor y_nan = tensor_typed(STRIDER_BOOL, DIMS(4), 1, 0, 0, 0);
        op_test_expect(&nan, &y_nan);
        for (int detect = 0; detect < 4; detect++) {
            OpTest inf = {
                .op = "IsInf",
                .opset = 20,
                .attrs = {attr_int("detect_positive", detect & 1), attr_int("detect_negative", detect >> 1)},
                .n_inputs = 1,
                .inputs = {tensor_typed(float_types[t], DIMS(4), NAN, INFINITY, -INFINITY, 1)}};
            Tensor y_inf = tensor_typed(STRIDER_BOOL, DIMS(4), 0, detect & 1, detect >> 1, 0);
            op_test_expect(&inf, &y_inf);
        }
    }
}

static void unknown_shapes_pass_through(void **state) {
    (void)state;
    OpTest dims = {.op = "Relu",
                   .opset = 14,
                   .n_inputs = 1,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, 3)}}}};
    assert_int_equal(op_test_run(&dims), STRIDER_OK);
    assert_int_equal(dims.output_types[0].dtype, STRIDER_F32);
    assert_int_equal(dims.output_types[0].shape.dims[0], -7);
    assert_int_equal(dims.output_types[0].shape.dims[1], 3);
    op_test_free(&dims);
    OpTest rank = {.op = "IsNaN",
                   .opset = 20,
                   .n_inputs = 1,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F16, shape_unknown()}}}};
    assert_int_equal(op_test_run(&rank), STRIDER_OK);
    assert_int_equal(rank.output_types[0].dtype, STRIDER_BOOL);
    assert_int_equal(rank.output_types[0].shape.rank, RANK_UNKNOWN);
    op_test_free(&rank);
}

static void empty_tensors_and_scalars_are_fine(void **state) {
    (void)state;
    OpTest empty = {
        .op = "Exp", .opset = 13, .n_inputs = 1, .inputs = {op_test_tensor(STRIDER_F32, DIMS(0, 3), "", 0)}};
    Tensor y_empty = op_test_tensor(STRIDER_F32, DIMS(0, 3), "", 0);
    op_test_expect(&empty, &y_empty);
    OpTest scalar = {.op = "Neg", .opset = 13, .n_inputs = 1, .inputs = {tensor_f32(shape_scalar(), 2)}};
    Tensor y_scalar = tensor_f32(shape_scalar(), -2);
    op_test_expect(&scalar, &y_scalar);
}

static void wrong_types_and_attributes_are_refused(void **state) {
    (void)state;
    OpTest integers = {.op = "Exp", .opset = 13, .n_inputs = 1, .inputs = {tensor_i64(DIMS(1), 1)}};
    op_test_expect_error(&integers, STRIDER_UNSUPPORTED, "int64");
    OpTest no_sign = {
        .op = "Neg", .opset = 13, .n_inputs = 1, .inputs = {tensor_typed(STRIDER_U8, DIMS(1), 1)}};
    op_test_expect_error(&no_sign, STRIDER_UNSUPPORTED, "uint8");
    OpTest not_bool = {.op = "Not", .opset = 1, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&not_bool, STRIDER_UNSUPPORTED, "float32");
    OpTest float_bits = {.op = "BitwiseNot", .opset = 18, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&float_bits, STRIDER_UNSUPPORTED, "float32");
    OpTest kind = {.op = "LeakyRelu",
                   .opset = 16,
                   .attrs = {attr_int("alpha", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&kind, STRIDER_BAD_MODEL, "alpha");
    OpTest form = {.op = "Gelu",
                   .opset = 20,
                   .attrs = {attr_string("approximate", "erf")},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1), 1)}};
    op_test_expect_error(&form, STRIDER_BAD_MODEL, "approximate");
}

static void operators_appear_with_their_first_opset(void **state) {
    (void)state;
    static const struct {
        const char *op;
        int since;
    } rows[] = {{"HardSwish", 14}, {"Swish", 24}, {"Mish", 18},      {"Gelu", 20},  {"Celu", 12},
                {"Erf", 9},        {"Sin", 7},    {"Sinh", 9},       {"Round", 11}, {"Sign", 9},
                {"IsInf", 10},     {"IsNaN", 9},  {"BitwiseNot", 18}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(op_find("", rows[i].op, rows[i].since - 1));
        assert_non_null(op_find("", rows[i].op, rows[i].since));
        assert_non_null(op_find("", rows[i].op, 28));
    }
}

/* --- clip --- */

static void clip_takes_bounds_from_attributes_before_opset_11(void **state) {
    (void)state;
    for (int opset = 1; opset <= 6; opset += 5) {
        OpTest test = {.op = "Clip",
                       .opset = opset,
                       .attrs = {attr_float("min", 0), attr_float("max", 6)},
                       .n_inputs = 1,
                       .inputs = {tensor_f32(DIMS(4), -1, 3, 7, NAN)}};
        Tensor y = tensor_f32(DIMS(4), 0, 3, 6, NAN);
        op_test_expect(&test, &y);
    }
    OpTest open = {.op = "Clip",
                   .opset = 6,
                   .attrs = {attr_float("max", 6)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(2), -1e38f, 7)}};
    Tensor y_open = tensor_f32(DIMS(2), -1e38f, 6);
    op_test_expect(&open, &y_open);
}

static void clip_takes_bounds_from_inputs_that_may_be_absent(void **state) {
    (void)state;
    const struct {
        bool low, high;
        double y[3];
    } rows[] = {{false, false, {-5, 0, 5}},
                {true, false, {-1, 0, 5}},
                {false, true, {-5, 0, 2}},
                {true, true, {-1, 0, 2}}};
    for (int r = 0; r < 4; r++)
        for (int t = 0; t < 4; t++) {
            uint64_t expected[3];
            OpTest test = {.op = "Clip",
                           .opset = 13,
                           .n_inputs = 3,
                           .inputs = {tensor_typed(float_types[t], DIMS(3), -5, 0, 5)}};
            Tensor low = tensor_typed(float_types[t], shape_scalar(), -1);
            Tensor high = tensor_typed(float_types[t], DIMS(1), 2);
            test.inputs[1] = rows[r].low ? low : (Tensor){0};
            test.inputs[2] = rows[r].high ? high : (Tensor){0};
            Tensor y = op_test_convert(float_types[t], DIMS(3), expected, rows[r].y, 3);
            op_test_expect(&test, &y);
        }
}

static void clip_of_integers_is_exact(void **state) {
    (void)state;
    const int64_t big = ((int64_t)1 << 53) + 1;
    OpTest test = {.op = "Clip",
                   .opset = 12,
                   .n_inputs = 3,
                   .inputs = {tensor_i64(DIMS(3), INT64_MIN, big, INT64_MAX),
                              tensor_i64(shape_scalar(), -big), tensor_i64(shape_scalar(), big)}};
    Tensor y = tensor_i64(DIMS(3), -big, big, big);
    op_test_expect(&test, &y);
    uint64_t x[] = {0, UINT64_MAX}, low[] = {1}, high[] = {UINT64_MAX - 1}, clipped[] = {1, UINT64_MAX - 1};
    OpTest wide = {.op = "Clip",
                   .opset = 12,
                   .n_inputs = 3,
                   .inputs = {op_test_tensor(STRIDER_U64, DIMS(2), x, 16),
                              op_test_tensor(STRIDER_U64, shape_scalar(), low, 8),
                              op_test_tensor(STRIDER_U64, shape_scalar(), high, 8)}};
    Tensor y_wide = op_test_tensor(STRIDER_U64, DIMS(2), clipped, 16);
    op_test_expect(&wide, &y_wide);
}

static void clip_with_crossed_bounds_gives_the_upper(void **state) {
    (void)state;
    OpTest test = {.op = "Clip",
                   .opset = 13,
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(3), -2, 0, 6), tensor_f32(shape_scalar(), 2),
                              tensor_f32(shape_scalar(), 1)}};
    Tensor y = tensor_f32(DIMS(3), 1, 1, 1);
    op_test_expect(&test, &y);
}

static void clip_refuses_bounds_that_are_no_scalars_of_its_type(void **state) {
    (void)state;
    OpTest shape = {.op = "Clip",
                    .opset = 13,
                    .n_inputs = 2,
                    .inputs = {tensor_f32(DIMS(2), 1, 2), tensor_f32(DIMS(2), 0, 0)}};
    op_test_expect_error(&shape, STRIDER_BAD_MODEL, "scalar");
    OpTest empty = {.op = "Clip",
                    .opset = 13,
                    .n_inputs = 2,
                    .inputs = {tensor_f32(DIMS(2), 1, 2), op_test_tensor(STRIDER_F32, DIMS(0), "", 0)}};
    op_test_expect_error(&empty, STRIDER_BAD_MODEL, "scalar");
    OpTest type = {.op = "Clip",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(2), 1, 2), tensor_i64(shape_scalar(), 0)}};
    op_test_expect_error(&type, STRIDER_BAD_MODEL, "int64");
}

/* --- node_activation() --- */

/* The activation of a node of one attribute, and of constant bounds where they are not NULL. */
static bool activation_of(const char *name, int opset, Attr attr, Tensor *low, Tensor *high,
                          Unary *activation) {
    Graph graph;
    Error err = {0};
    graph_init(&graph, allocator_default());
    const Op *op = op_find("", name, opset);
    assert_non_null(op);
    Tensor *bounds[] = {NULL, low, high};
    Node *node;
    assert_int_equal(graph_add_node(&graph, op, "", op->inputs.max, 1, &node, &err), STRIDER_OK);
    node->opset = opset;
    for (int i = 1; i < node->n_inputs; i++) {
        if (!bounds[i])
            continue;
        assert_int_equal(graph_add_value(&graph, i == 1 ? "low" : "high", &node->inputs[i], &err),
                         STRIDER_OK);
        if (bounds[i]->data)
            assert_int_equal(graph_set_constant(&graph, node->inputs[i], *bounds[i], &err), STRIDER_OK);
    }
    ParseContext parse = {
        .node = node, .attrs = &(AttrList){&attr, attr.name != NULL}, .region = &graph.region, .err = &err};
    if (op->parse)
        assert_int_equal(op->parse(&parse, node->attrs), STRIDER_OK);
    bool is = node_activation(node, activation);
    graph_free(&graph);
    return is;
}

static void passes_learn_which_activation_a_node_is(void **state) {
    (void)state;
    const struct {
        const char *op;
        int opset;
        Attr attr;
        Unary expected;
    } rows[] = {
        {"Relu", 14, {0}, {UNARY_RELU, 0, 0}},
        {"LeakyRelu", 16, attr_float("alpha", 0.25f), {UNARY_LEAKY_RELU, 0.25f, 0}},
        {"HardSigmoid", 6, {0}, {UNARY_HARD_SIGMOID, 0.2f, 0.5f}},
        {"HardSwish", 14, {0}, {UNARY_HARD_SWISH, 0, 0}},
        {"Sigmoid", 13, {0}, {UNARY_SIGMOID, 0, 0}},
        {"Swish", 24, attr_float("alpha", 2), {UNARY_SWISH, 2, 0}},
        {"Tanh", 13, {0}, {UNARY_TANH, 0, 0}},
        {"Elu", 6, {0}, {UNARY_ELU, 1, 0}},
        {"Softplus", 1, {0}, {UNARY_SOFTPLUS, 0, 0}},
        {"Mish", 18, {0}, {UNARY_MISH, 0, 0}},
        {"Gelu", 20, {0}, {UNARY_GELU, 0, 0}},
        {"Clip", 6, attr_float("max", 6), {UNARY_CLIP, -INFINITY, 6}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Unary got = {0};
        assert_true(activation_of(rows[i].op, rows[i].opset, rows[i].attr, NULL, NULL, &got));
        assert_int_equal(got.kind, rows[i].expected.kind);
        assert_true(got.alpha == rows[i].expected.alpha || got.kind == UNARY_RELU);
        assert_true(got.beta == rows[i].expected.beta);
    }
    Unary none;
    assert_false(activation_of("Gelu", 20, attr_string("approximate", "tanh"), NULL, NULL, &none));
    assert_false(activation_of("Exp", 13, (Attr){0}, NULL, NULL, &none));
}

static void clip_is_an_activation_where_its_bounds_are_constant(void **state) {
    (void)state;
    char odd_place[1 + sizeof(float)];
    memcpy(odd_place + 1, &(float){6}, sizeof(float));
    Tensor low = tensor_f32(shape_scalar(), 0), high = tensor_f32(shape_scalar(), 0), open = {.data = NULL};
    high.data = odd_place + 1;
    high.unaligned = true;
    Unary got;
    assert_true(activation_of("Clip", 13, (Attr){0}, &low, &high, &got));
    assert_int_equal(got.kind, UNARY_CLIP);
    assert_true(got.alpha == 0 && got.beta == 6);
    assert_false(activation_of("Clip", 13, (Attr){0}, &low, &open, &got));
    Tensor above = tensor_f32(shape_scalar(), 7);
    assert_false(activation_of("Clip", 13, (Attr){0}, &above, &high, &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_their_known_values_in_every_float_type),
        cmocka_unit_test(activations_have_their_known_values_in_every_float_type),
        cmocka_unit_test(defaults_are_those_of_the_opset),
        cmocka_unit_test(opset_1_ignores_consumed_inputs),
        cmocka_unit_test(integers_wrap_around_and_keep_all_their_bits),
        cmocka_unit_test(bits_and_bools_are_inverted),
        cmocka_unit_test(nan_and_infinities_are_found),
        cmocka_unit_test(unknown_shapes_pass_through),
        cmocka_unit_test(empty_tensors_and_scalars_are_fine),
        cmocka_unit_test(wrong_types_and_attributes_are_refused),
        cmocka_unit_test(operators_appear_with_their_first_opset),
        cmocka_unit_test(clip_takes_bounds_from_attributes_before_opset_11),
        cmocka_unit_test(clip_takes_bounds_from_inputs_that_may_be_absent),
        cmocka_unit_test(clip_of_integers_is_exact),
        cmocka_unit_test(clip_with_crossed_bounds_gives_the_upper),
        cmocka_unit_test(clip_refuses_bounds_that_are_no_scalars_of_its_type),
        cmocka_unit_test(passes_learn_which_activation_a_node_is),
        cmocka_unit_test(clip_is_an_activation_where_its_bounds_are_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
