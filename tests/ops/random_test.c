/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, which are NumPy's for the same seed; Dropout in training mode. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/generator/mersenne_twister.h"

/* Of numpy.random.RandomState(seed): uniform(size=4) and randn(4). */
static const struct {
    uint32_t seed;
    double uniform[4], normal[4];
} numbers[] = {{0,
                {0x1.18fe1565f12a8p-1, 0x1.6e2d4cf608733p-1, 0x1.349d66b6e894bp-1, 0x1.16faedb6395f5p-1},
                {0x1.c398ef3e5cfa5p+0, 0x1.99c2cfacc8953p-2, 0x1.f51d25222c9abp-1, 0x1.1ed5969e3314ep+1}},
               {42,
                {0x1.7f8771e5f51ecp-2, 0x1.e6c4068bbd654p-1, 0x1.76c7e8f1e6751p-1, 0x1.32835d6632cb0p-1},
                {0x1.fca2a28a9307cp-2, -0x1.1b2a505de052ap-3, 0x1.4b9dd50245e68p-1, 0x1.85e548e01aa2bp+0}},
               {4294967295u,
                {0x1.8fe69a3924820p-4, 0x1.d323d824032b1p-1, 0x1.93fc6f61af3f9p-1, 0x1.8f5ca1b151c07p-1},
                {0x1.4bfc38c486d8ap-1, 0x1.56b192e507eeep-1, -0x1.149e836f192fdp+0, 0x1.23543dec5a0fcp-2}}};

static void numbers_are_those_of_numpy(void **state) {
    (void)state;
    Twister twister;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        twister_seed(&twister, numbers[i].seed);
        for (int k = 0; k < 4; k++)
            assert_true(twister_uniform(&twister) == numbers[i].uniform[k]);
        twister_seed(&twister, numbers[i].seed);
        for (int k = 0; k < 4; k++)
            assert_true(fabs(twister_normal(&twister) - numbers[i].normal[k]) < 1e-15);
    }
    double last = 0;
    twister_seed(&twister, 7);
    for (int k = 0; k < 2000; k++) /* beyond the first 624 words */
        last = twister_uniform(&twister);
    assert_true(last == 0x1.4c12e65fd0007p-1);
}

static void distributions_are_scaled_and_moved(void **state) {
    (void)state;
    const struct {
        DType dtype;
        int number; /* ONNX's */
        double tolerance;
    } types[] = {
        {STRIDER_F32, 1, 1e-6}, {STRIDER_F64, 11, 1e-15}, {STRIDER_F16, 10, 4e-3}, {STRIDER_BF16, 16, 3e-2}};
    for (int i = 0; i < 4; i++)
        for (int like = 0; like < 2; like++) {
            OpTest uniform = {.op = like ? "RandomUniformLike" : "RandomUniform",
                              .opset = 22,
                              .attrs = {attr_float("seed", 42), attr_float("low", -1), attr_float("high", 3),
                                        attr_int("dtype", types[i].number), attr_ints("shape", 2, 2)},
                              .n_inputs = like,
                              .inputs = {tensor_i64(DIMS(2, 2), 0, 0, 0, 0)}};
            OpTest normal = {.op = like ? "RandomNormalLike" : "RandomNormal",
                             .opset = 1,
                             .attrs = {attr_float("seed", 0), attr_float("mean", 1), attr_float("scale", 2),
                                       attr_int("dtype", types[i].number), attr_ints("shape", 2, 2)},
                             .n_inputs = like,
                             .inputs = {tensor_i64(DIMS(2, 2), 0, 0, 0, 0)}};
            assert_int_equal(op_test_run(&uniform), STRIDER_OK);
            assert_int_equal(op_test_run(&normal), STRIDER_OK);
            for (int k = 0; k < 4; k++) {
                assert_int_equal(uniform.outputs[0].type.dtype, types[i].dtype);
                assert_true(fabs(tensor_get_f64(&uniform.outputs[0], k) - (4 * numbers[1].uniform[k] - 1)) <=
                            types[i].tolerance * 3);
                assert_true(fabs(tensor_get_f64(&normal.outputs[0], k) - (2 * numbers[0].normal[k] + 1)) <=
                            types[i].tolerance * 4);
            }
            op_test_free(&uniform);
            op_test_free(&normal);
        }
}

static void like_takes_the_inputs_type_unless_one_is_stated(void **state) {
    (void)state;
    OpTest test = {.op = "RandomNormalLike",
                   .opset = 1,
                   .n_inputs = 1,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F16, DIMS(-7, 3)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_int_equal(test.output_types[0].dtype, STRIDER_F16);
    assert_shape(&test.output_types[0].shape, DIMS(-7, 3));
    op_test_free(&test);
    OpTest integers = {
        .op = "RandomNormalLike", .opset = 1, .n_inputs = 1, .inputs = {tensor_i64(DIMS(1), 0)}};
    op_test_expect_error(&integers, STRIDER_BAD_MODEL, "int64, which is no float");
    OpTest stated = {
        .op = "RandomUniform", .opset = 1, .attrs = {attr_ints("shape", 2), attr_int("dtype", 7)}};
    op_test_expect_error(&stated, STRIDER_BAD_MODEL, "int64, which is no float");
    OpTest no_shape = {.op = "RandomUniform", .opset = 1};
    op_test_expect_error(&no_shape, STRIDER_BAD_MODEL, "attribute shape is missing");
    OpTest negative = {.op = "RandomUniform", .opset = 1, .attrs = {attr_ints("shape", 2, -1)}};
    op_test_expect_error(&negative, STRIDER_BAD_MODEL, "dimension 1 of attribute shape is -1");
}

/* The first of RandomUniform(shape=[1]) with the seed; without it where `stated` is false. */
static double first_uniform(bool stated, float seed) {
    OpTest test = {
        .op = "RandomUniform", .opset = 1, .attrs = {attr_ints("shape", 1), attr_float("seed", seed)}};
    if (!stated)
        test.attrs[1] = (Attr){.name = NULL};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    const double value = tensor_get_f64(&test.outputs[0], 0);
    op_test_free(&test);
    return value;
}

static void every_float_is_a_seed_and_none_is_one_too(void **state) {
    (void)state;
    assert_true(fabs(first_uniform(true, 42.9f) - numbers[1].uniform[0]) < 1e-7);
    assert_true(fabs(first_uniform(true, 4294967296.0f) - numbers[0].uniform[0]) <
                1e-7); /* 2^32: bits above do not count */
    const float odd[] = {-1, INFINITY, -INFINITY, 1e30f};
    for (int i = 0; i < 4; i++)
        assert_true(first_uniform(true, odd[i]) >= 0);
    assert_true(fabs(first_uniform(true, -1) - numbers[2].uniform[0]) < 1e-7);
    assert_true(first_uniform(false, 0) == first_uniform(false, 0));
    assert_true(first_uniform(false, 0) == first_uniform(true, NAN));
}

/* As numpy.random.RandomState(42).binomial(1, p). */
static void bernoulli_draws_what_numpy_draws(void **state) {
    (void)state;
    static const double p[12] = {0, .1, .3, .5, .6, .9, 1, .5, .7, .2, .8, .45},
                        y[12] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1};
    const int onnx_types[] = {1, 11, 9, 7, 2};
    const DType types[] = {STRIDER_F32, STRIDER_F64, STRIDER_BOOL, STRIDER_I64, STRIDER_U8};
    for (int i = 0; i < 5; i++) {
        uint64_t in[12], out[12];
        OpTest test = {.op = "Bernoulli",
                       .opset = 15,
                       .attrs = {attr_float("seed", 42), attr_int("dtype", onnx_types[i])},
                       .n_inputs = 1,
                       .inputs = {op_test_convert(STRIDER_F64, DIMS(3, 4), in, p, 12)}};
        Tensor expected = op_test_convert(types[i], DIMS(3, 4), out, y, 12);
        op_test_expect(&test, &expected);
    }
    const float wrong[] = {-0.1f, 1.1f, NAN};
    for (int i = 0; i < 3; i++) {
        OpTest test = {
            .op = "Bernoulli", .opset = 15, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1), wrong[i])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "is no probability");
    }
}

static void multinomial_draws_in_proportion(void **state) {
    (void)state;
    enum { N = 20000 };
    for (int wide = 0; wide < 2; wide++) { /* ln 1, -inf, ln 3, ln 4: 1/8, 0, 3/8, 1/2 */
        OpTest test = {
            .op = "Multinomial",
            .opset = 7,
            .attrs = {attr_float("seed", 3), attr_int("sample_size", N), attr_int("dtype", wide ? 7 : 6)},
            .n_inputs = 1,
            .inputs = {tensor_f32(DIMS(2, 4), 0, -INFINITY, 1.0986123f, 1.3862944f, 800, 0, 0, 0)}};
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        assert_int_equal(test.outputs[0].type.dtype, wide ? STRIDER_I64 : STRIDER_I32);
        assert_shape(&test.outputs[0].type.shape, DIMS(2, N));
        int counts[4] = {0};
        for (int i = 0; i < N; i++) {
            counts[tensor_get_i64(&test.outputs[0], i)]++;
            assert_int_equal(tensor_get_i64(&test.outputs[0], N + i), 0);
        }
        assert_int_equal(counts[1], 0);
        assert_true(abs(counts[0] - N / 8) < N / 100 && abs(counts[3] - N / 2) < N / 100);
        op_test_free(&test);
    }
    OpTest none = {
        .op = "Multinomial", .opset = 7, .n_inputs = 1, .inputs = {tensor_f32(DIMS(1, 1), -INFINITY)}};
    op_test_expect_error(&none, STRIDER_BAD_MODEL, "row 0 has no probabilities");
    OpTest type = {.op = "Multinomial",
                   .opset = 7,
                   .attrs = {attr_int("dtype", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(1, 1), 0)}};
    op_test_expect_error(&type, STRIDER_BAD_MODEL, "must be int32 or int64");
    OpTest empty = {.op = "Multinomial",
                    .opset = 7,
                    .n_inputs = 1,
                    .inputs = {op_test_tensor(STRIDER_F32, DIMS(1, 0), "", 0)}};
    op_test_expect_error(&empty, STRIDER_BAD_MODEL, "no classes");
}

/* --- Dropout --- */

static Tensor on(void) {
    static uint8_t yes = 1;
    return op_test_tensor(STRIDER_BOOL, shape_scalar(), &yes, 1);
}

static void dropout_in_training_drops_what_numpy_draws(void **state) {
    (void)state;
    static const int opsets[] = {12, 13, 22};
    for (int i = 0; i < 3; i++) { /* seed 42: 0.37, 0.95, 0.73, 0.60 */
        OpTest test = {.op = "Dropout",
                       .opset = opsets[i],
                       .attrs = {attr_int("seed", 42)},
                       .n_inputs = 3,
                       .n_outputs = 2,
                       .inputs = {tensor_f32(DIMS(4), 1, 2, 3, 4), tensor_f32(shape_scalar(), 0.75f), on()}};
        assert_int_equal(op_test_run(&test), STRIDER_OK);
        Tensor y = tensor_f32(DIMS(4), 0, 8, 0, 0), mask = tensor_typed(STRIDER_BOOL, DIMS(4), 0, 1, 0, 0);
        assert_tensor_close(&test.outputs[0], &y, 1e-6, 0);
        assert_tensor_close(&test.outputs[1], &mask, 0, 0);
        op_test_free(&test);
    }
    OpTest half = {.op = "Dropout",
                   .opset = 13,
                   .attrs = {attr_int("seed", 42)},
                   .n_inputs = 3,
                   .inputs = {tensor_f32(DIMS(4), 1, NAN, 3, 4), {.data = NULL}, on()}};
    Tensor y = tensor_f32(DIMS(4), 0, NAN, 6, 8);
    op_test_expect(&half, &y);
}

static void dropout_refuses_other_ratios(void **state) {
    (void)state;
    const float wrong[] = {1, -0.5f, 2, NAN};
    for (int i = 0; i < 4; i++) {
        OpTest test = {.op = "Dropout",
                       .opset = 13,
                       .n_inputs = 3,
                       .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(shape_scalar(), wrong[i]), on()}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "must be in [0, 1)");
    }
    OpTest two = {.op = "Dropout",
                  .opset = 13,
                  .n_inputs = 3,
                  .inputs = {tensor_f32(DIMS(1), 1), tensor_f32(DIMS(2), 0, 0), on()}};
    op_test_expect_error(&two, STRIDER_BAD_MODEL, "input 1 must be a scalar");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_numpy),
        cmocka_unit_test(distributions_are_scaled_and_moved),
        cmocka_unit_test(like_takes_the_inputs_type_unless_one_is_stated),
        cmocka_unit_test(every_float_is_a_seed_and_none_is_one_too),
        cmocka_unit_test(bernoulli_draws_what_numpy_draws),
        cmocka_unit_test(multinomial_draws_in_proportion),
        cmocka_unit_test(dropout_in_training_drops_what_numpy_draws),
        cmocka_unit_test(dropout_refuses_other_ratios),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
