/* SPDX-License-Identifier: Apache-2.0 */
/* What `strider check` compares, and by which rule. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "program.h"
#include "support/tiny_model.h"

enum { BF16 = 16 };

static const char *write_model(const char *name, Proto *graph) {
    Proto model = make_model(graph, 8, 17);
    const char *path = write_file(name, model.data, model.size);
    proto_free(&model);
    return path;
}

/* A TensorProto of one dimension, as a file. */
static const char *write_tensor(const char *name, int elem_type, int64_t count, const void *data,
                                size_t size) {
    Proto tensor = {0};
    proto_int(&tensor, 1, count);
    proto_int(&tensor, 2, elem_type);
    proto_text(&tensor, 8, "y");
    proto_bytes(&tensor, 9, data, size);
    const char *path = write_file(name, tensor.data, tensor.size);
    proto_free(&tensor);
    return path;
}

/* An output that nothing is given for passes nobody by. */
static void outputs_that_are_not_compared_are_told(void **state) {
    (void)state;
    static const int64_t two = 2;
    static const float ones[] = {1, 1};
    Proto graph = start_graph(2);
    proto_value(&graph, GRAPH_OUTPUT, "z", ONNX_FLOAT, &two, 1);
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    put_node(&graph, GRAPH_NODE, "Neg", "", "x", "z");
    const char *model = write_model("two_outputs.onnx", &graph);
    const char *expected = write_tensor("two_outputs.pb", ONNX_FLOAT, 2, ones, sizeof ones);
    const Result *result = expect(0, strider("check", model, "ones", "--expect", expected, NULL));
    assert_non_null(strstr(result->out, "; 1 output not compared\n"));
    result = expect(0, strider("check", model, "ones", "--expect", expected, "--json", NULL));
    json_t *all = json_loads(result->out, 0, NULL);
    json_t *names = json_object_get(json_array_get(json_object_get(all, "cases"), 0), "not_compared");
    assert_int_equal(json_array_size(names), 1);
    assert_string_equal(json_string_value(json_array_get(names, 0)), "z");
    json_decref(all);
}

/* 1, of which the next number is 1 + 2^-7, may differ by two of these steps; unless equality is asked for. */
static void two_steps_of_bf16_are_no_difference(void **state) {
    (void)state;
    static const uint16_t same[] = {0x3f80, 0x3f80}, near[] = {0x3f80, 0x3f81}, far[] = {0x3f80, 0x3f83};
    Proto graph = {0}, cast = make_node("Cast", "", "x", "y");
    const int64_t dims[] = {2};
    proto_int_attribute(&cast, "to", BF16);
    proto_message(&graph, GRAPH_NODE, &cast);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", BF16, dims, 1);
    const char *model = write_model("bf16.onnx", &graph);
    const char *path = write_tensor("near.pb", BF16, 2, near, sizeof near);
    expect(0, strider("check", model, "ones", "--rtol", "1e-3", "--atol", "0", "--expect", path, NULL));
    expect(1, strider("check", model, "ones", "--rtol", "0", "--atol", "0", "--expect", path, NULL));
    path = write_tensor("same.pb", BF16, 2, same, sizeof same);
    expect(0, strider("check", model, "ones", "--rtol", "0", "--atol", "0", "--expect", path, NULL));
    path = write_tensor("far.pb", BF16, 2, far, sizeof far);
    expect(1, strider("check", model, "ones", "--rtol", "1e-3", "--atol", "0", "--expect", path, NULL));
}

int check_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_that_are_not_compared_are_told),
        cmocka_unit_test(two_steps_of_bf16_are_no_difference),
    };
    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
