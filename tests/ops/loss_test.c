/* SPDX-License-Identifier: Apache-2.0 */
/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const DType float_types[] = {STRIDER_F32, STRIDER_F64, STRIDER_F16, STRIDER_BF16};

/* [N, C, D] = [1, 3, 2]; labels 2 and 0. */
#define LIKELIHOODS(DTYPE) tensor_typed(DTYPE, DIMS(1, 3, 2), -1, -2, -4, -8, -16, -32)
#define LABELS tensor_i64(DIMS(1, 2), 2, 0)

static void likelihoods_of_labels_are_taken_and_reduced(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const DType dtype = float_types[i];
        const struct {
            const char *reduction;
            Tensor plain, weighted; /* with weights 2, 4, 0.5 */
        } rows[] = {
            {"none", tensor_typed(dtype, DIMS(1, 2), 16, 2), tensor_typed(dtype, DIMS(1, 2), 8, 4)},
            {"sum", tensor_typed(dtype, shape_scalar(), 18), tensor_typed(dtype, shape_scalar(), 12)},
            {"mean", tensor_typed(dtype, shape_scalar(), 9), tensor_typed(dtype, shape_scalar(), 4.8)}};
        for (int r = 0; r < 3; r++) {
            OpTest plain = {.op = "NegativeLogLikelihoodLoss",
                            .opset = 22,
                            .attrs = {attr_string("reduction", rows[r].reduction)},
                            .n_inputs = 2,
                            .inputs = {LIKELIHOODS(dtype), LABELS}};
            op_test_expect(&plain, &rows[r].plain);
            OpTest weighted = plain;
            memset(weighted.outputs, 0, sizeof weighted.outputs);
            weighted.n_inputs = 3;
            weighted.inputs[0] = LIKELIHOODS(dtype);
            weighted.inputs[1] = LABELS;
            weighted.inputs[2] = tensor_typed(dtype, DIMS(3), 2, 4, 0.5);
            op_test_expect(&weighted, &rows[r].weighted);
        }
    }
}

static void the_mean_is_the_default_and_labels_may_be_of_32_bits(void **state) {
    (void)state;
    OpTest test = {
        .op = "NegativeLogLikelihoodLoss",
        .opset = 12,
        .n_inputs = 2,
        .inputs = {tensor_f32(DIMS(2, 2), -1, -2, -3, -5), tensor_typed(STRIDER_I32, DIMS(2), 1, 0)}};
    Tensor y = tensor_f32(shape_scalar(), 2.5f);
    op_test_expect(&test, &y);
}

static void what_is_ignored_costs_and_counts_nothing(void **state) {
    (void)state;
    const int64_t ignored[] = {-5, 2, 1000};
    for (int i = 0; i < 3; i++)
        for (int weighted = 0; weighted < 2; weighted++) {
            OpTest mean = {.op = "NegativeLogLikelihoodLoss",
                           .opset = 13,
                           .attrs = {attr_int("ignore_index", ignored[i])},
                           .n_inputs = 2 + weighted,
                           .inputs = {tensor_f32(DIMS(2, 3), -1, -2, -3, -4, -5, -6),
                                      tensor_i64(DIMS(2), ignored[i], 1), tensor_f32(DIMS(3), 1, 3, 1)}};
            Tensor y = tensor_f32(shape_scalar(), 5);
            op_test_expect(&mean, &y);
            OpTest each = mean;
            memset(each.outputs, 0, sizeof each.outputs);
            each.attrs[1] = attr_string("reduction", "none");
            Tensor losses = tensor_f32(DIMS(2), 0, weighted ? 15 : 5);
            op_test_expect(&each, &losses);
        }
    OpTest all = {.op = "NegativeLogLikelihoodLoss",
                  .opset = 13,
                  .attrs = {attr_int("ignore_index", 7)},
                  .n_inputs = 2,
                  .inputs = {tensor_f32(DIMS(1, 1), -1), tensor_i64(DIMS(1), 7)}};
    Tensor nan = tensor_f32(shape_scalar(), NAN);
    op_test_expect(&all, &nan);
}

/* Of scores ln 1, ln 2, ln 5 the probabilities are 1/8, 2/8 and 5/8. */
static void cross_entropy_is_the_loss_of_the_softmax(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const DType dtype = float_types[i];
        const double tolerance = dtype == STRIDER_BF16 ? 2e-2 : dtype == STRIDER_F16 ? 2e-3 : 1e-6;
        OpTest test = {.op = "SoftmaxCrossEntropyLoss",
                       .opset = 13,
                       .attrs = {attr_string("reduction", "none")},
                       .n_inputs = 2,
                       .n_outputs = 2,
                       .inputs = {tensor_typed(dtype, DIMS(2, 3), 0, 0.6931471805599453, 1.6094379124341003,
                                               1000, 1000, 1000),
                                  tensor_i64(DIMS(2), 2, 0)}};
        if (op_test_run(&test))
            fail_msg("%s", test.error.message);
        Tensor loss = tensor_typed(dtype, DIMS(2), 0.4700036292457356, 1.0986122886681098);
        Tensor logs =
            tensor_typed(dtype, DIMS(2, 3), -2.0794415416798357, -1.3862943611198906, -0.4700036292457356,
                         -1.0986122886681098, -1.0986122886681098, -1.0986122886681098);
        assert_tensor_close(&test.outputs[0], &loss, tolerance, tolerance);
        assert_tensor_close(&test.outputs[1], &logs, tolerance, tolerance);
        op_test_free(&test);
    }
}

static void labels_that_are_no_classes_are_refused(void **state) {
    (void)state;
    const int64_t wrong[] = {-1, 3, INT64_MIN, INT64_MAX};
    static const char *const ops[] = {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"};
    for (int i = 0; i < 8; i++) {
        OpTest test = {.op = ops[i / 4],
                       .opset = 13,
                       .n_inputs = 2,
                       .inputs = {tensor_f32(DIMS(1, 3), -1, -2, -3), tensor_i64(DIMS(1), wrong[i % 4])}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, "is none of 3 classes");
    }
}

static void shapes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        int64_t x[3], labels[2], weights[1];
        const char *message;
    } rows[] = {{{2, 3, 4}, {2, 5}, {3}, "4 and 5 places"},
                {{2, 3, 4}, {1, 4}, {3}, "2 and 1 places"},
                {{2, 3, 4}, {2, 4}, {4}, "3 and 4 classes"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        OpTest test = {.op = "SoftmaxCrossEntropyLoss",
                       .opset = 13,
                       .n_inputs = 3,
                       .infer_only = true,
                       .inputs = {{.type = {STRIDER_F32, shape_make(3, rows[i].x)}},
                                  {.type = {STRIDER_I64, shape_make(2, rows[i].labels)}},
                                  {.type = {STRIDER_F32, shape_make(1, rows[i].weights)}}}};
        op_test_expect_error(&test, STRIDER_BAD_MODEL, rows[i].message);
    }
    OpTest rank = {.op = "SoftmaxCrossEntropyLoss",
                   .opset = 13,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(1, 1), 1), tensor_i64(shape_scalar(), 0)}};
    op_test_expect_error(&rank, STRIDER_BAD_MODEL, "rank 0");
    OpTest reduction = {.op = "SoftmaxCrossEntropyLoss",
                        .opset = 13,
                        .attrs = {attr_string("reduction", "product")},
                        .n_inputs = 2,
                        .inputs = {tensor_f32(DIMS(1, 1), 1), tensor_i64(DIMS(1), 0)}};
    op_test_expect_error(&reduction, STRIDER_BAD_MODEL, "unknown value \"product\"");
}

static void what_either_input_knows_of_the_places_is_known(void **state) {
    (void)state;
    OpTest test = {.op = "NegativeLogLikelihoodLoss",
                   .opset = 13,
                   .attrs = {attr_string("reduction", "none")},
                   .n_inputs = 2,
                   .infer_only = true,
                   .inputs = {{.type = {STRIDER_F32, DIMS(-7, DIM_UNKNOWN, 4)}},
                              {.type = {STRIDER_I64, DIMS(2, DIM_UNKNOWN)}}}};
    assert_int_equal(op_test_run(&test), STRIDER_OK);
    assert_shape(&test.output_types[0].shape, DIMS(2, 4));
    op_test_free(&test);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likelihoods_of_labels_are_taken_and_reduced),
        cmocka_unit_test(the_mean_is_the_default_and_labels_may_be_of_32_bits),
        cmocka_unit_test(what_is_ignored_costs_and_counts_nothing),
        cmocka_unit_test(cross_entropy_is_the_loss_of_the_softmax),
        cmocka_unit_test(labels_that_are_no_classes_are_refused),
        cmocka_unit_test(shapes_that_do_not_fit_are_refused),
        cmocka_unit_test(what_either_input_knows_of_the_places_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
