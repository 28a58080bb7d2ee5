/* SPDX-License-Identifier: Apache-2.0 */
/* LabelEncoder, ArrayFeatureExtractor, Binarizer: of the domain ai.onnx.ml. */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ATTR_LIST(NAME, KIND, FIELD, TYPE, ...)                                                              \
    ((Attr){.name = NAME,                                                                                    \
            .kind = KIND,                                                                                    \
            .FIELD = (TYPE[]){__VA_ARGS__},                                                                  \
            .count = sizeof((TYPE[]){__VA_ARGS__}) / sizeof(TYPE)})
#define attr_strings(NAME, ...) ATTR_LIST(NAME, ATTR_STRINGS, strings, const char *const, __VA_ARGS__)
#define attr_floats(NAME, ...) ATTR_LIST(NAME, ATTR_FLOATS, floats, const float, __VA_ARGS__)
#define attr_tensor(NAME, TENSOR) ((Attr){.name = NAME, .kind = ATTR_TENSOR, .tensor = TENSOR})

static OpTest encoder(int opset, Tensor x) {
    return (OpTest){
        .op = "LabelEncoder", .domain = "ai.onnx.ml", .opset = opset, .n_inputs = 1, .inputs = {x}};
}

static void strings_become_integers(void **state) {
    (void)state;
    OpTest test = encoder(2, tensor_strings(DIMS(2, 2), "b", "ab", "a", ""));
    test.attrs[0] = attr_strings("keys_strings", "a", "b", "ab", "b"); /* the last of equal keys counts */
    test.attrs[1] = attr_ints("values_int64s", 10, 20, 30, 40);
    test.attrs[2] = attr_int("default_int64", 7);
    Tensor y = tensor_i64(DIMS(2, 2), 40, 30, 10, 7);
    op_test_expect(&test, &y);
    test.attrs[2] = (Attr){0};
    Tensor without = tensor_i64(DIMS(2, 2), 40, 30, 10, -1);
    op_test_expect(&test, &without);
}

static void numbers_become_strings(void **state) {
    (void)state;
    OpTest test = encoder(4, tensor_f32(DIMS(5), NAN, -0.0f, 2, 3, INFINITY));
    test.attrs[0] = attr_floats("keys_floats", 0, NAN, INFINITY, 2);
    test.attrs[1] = attr_strings("values_strings", "zero", "none", "endless", "two");
    Tensor y = tensor_strings(DIMS(5), "none", "zero", "two", "_Unused", "endless");
    op_test_expect(&test, &y);
}

static void tensors_are_lists_of_further_types(void **state) {
    (void)state;
    const Tensor keys = tensor_typed(STRIDER_I32, DIMS(3), -5, 0, 9),
                 values = tensor_typed(STRIDER_F64, DIMS(3), 1.5, 2.5, 3.5),
                 fallback = tensor_typed(STRIDER_F64, DIMS(1), -1);
    OpTest test = encoder(4, tensor_typed(STRIDER_I32, DIMS(4), 9, -5, 5, 0));
    test.attrs[0] = attr_tensor("keys_tensor", &keys);
    test.attrs[1] = attr_tensor("values_tensor", &values);
    test.attrs[2] = attr_tensor("default_tensor", &fallback);
    Tensor y = tensor_typed(STRIDER_F64, DIMS(4), 3.5, 1.5, -1, 2.5);
    op_test_expect(&test, &y);
}

static void version_1_counts_classes(void **state) {
    (void)state;
    OpTest test = encoder(1, tensor_strings(DIMS(3), "cat", "cow", "dog"));
    test.attrs[0] = attr_strings("classes_strings", "dog", "cat");
    Tensor y = tensor_i64(DIMS(3), 1, -1, 0);
    op_test_expect(&test, &y);
    test.inputs[0] = tensor_i64(DIMS(3), 1, 2, -1);
    Tensor names = tensor_strings(DIMS(3), "cat", "_Unused", "_Unused");
    op_test_expect(&test, &names);
}

static void lists_that_do_not_fit_are_refused(void **state) {
    (void)state;
    OpTest test = encoder(2, tensor_i64(DIMS(1), 1));
    test.attrs[0] = attr_ints("keys_int64s", 1, 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "attributes values_... are missing");
    test.attrs[1] = attr_ints("values_int64s", 1);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "there are 2 keys and 1 values");
    test.attrs[2] = attr_floats("values_floats", 1, 2);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "one of two lists");
    OpTest other = encoder(2, tensor_f32(DIMS(1), 1));
    other.attrs[0] = attr_ints("keys_int64s", 1);
    other.attrs[1] = attr_ints("values_int64s", 1);
    op_test_expect_error(&other, STRIDER_UNSUPPORTED, "float32");
}

static void features_are_taken_from_the_last_dimension(void **state) {
    (void)state;
    OpTest test = {.op = "ArrayFeatureExtractor",
                   .domain = "ai.onnx.ml",
                   .opset = 1,
                   .n_inputs = 2,
                   .inputs = {tensor_f32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), tensor_i64(DIMS(1, 2), 2, 0)}};
    Tensor y = tensor_f32(DIMS(2, 2), 3, 1, 6, 4), row = tensor_f32(DIMS(1, 2), 3, 1);
    op_test_expect(&test, &y);
    test.inputs[0] = tensor_f32(DIMS(3), 1, 2, 3);
    op_test_expect(&test, &row);
    test.inputs[1] = tensor_i64(DIMS(1), 3);
    op_test_expect_error(&test, STRIDER_BAD_MODEL, "place 3 is outside [0, 3)");
}

static void thresholds_are_exclusive(void **state) {
    (void)state;
    OpTest test = {.op = "Binarizer",
                   .domain = "ai.onnx.ml",
                   .opset = 1,
                   .attrs = {attr_float("threshold", 1)},
                   .n_inputs = 1,
                   .inputs = {tensor_f32(DIMS(4), 0, 1, 2, NAN)}};
    Tensor y = tensor_f32(DIMS(4), 0, 0, 1, 0);
    op_test_expect(&test, &y);
    test.inputs[0] = tensor_typed(STRIDER_I32, DIMS(2), 1, 2);
    Tensor integers = tensor_typed(STRIDER_I32, DIMS(2), 0, 1);
    op_test_expect(&test, &integers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_become_integers),
        cmocka_unit_test(numbers_become_strings),
        cmocka_unit_test(tensors_are_lists_of_further_types),
        cmocka_unit_test(version_1_counts_classes),
        cmocka_unit_test(lists_that_do_not_fit_are_refused),
        cmocka_unit_test(features_are_taken_from_the_last_dimension),
        cmocka_unit_test(thresholds_are_exclusive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
