/* SPDX-License-Identifier: Apache-2.0 */
#include "support/op_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/wrap.h"
#include "graph/evaluate.h"
#include "graph/graph.h"
#include "ops/op.h"
#include "support/device_case.h"
#include "support/infer_check.h"

Attr attr_int(const char *name, int64_t value) {
    return (Attr){.name = name, .kind = ATTR_INT, .i = value};
}

Attr attr_float(const char *name, float value) {
    return (Attr){.name = name, .kind = ATTR_FLOAT, .f = value};
}

Attr attr_string(const char *name, const char *value) {
    return (Attr){.name = name, .kind = ATTR_STRING, .s = value, .count = strlen(value)};
}

Tensor op_test_tensor(DType dtype, Shape shape, void *data, size_t size_bytes) {
    Tensor tensor = tensor_view(dtype, &shape, data);
    assert_int_equal(tensor.size_bytes, size_bytes);
    return tensor;
}

Tensor op_test_convert(DType dtype, Shape shape, void *memory, const double *values, size_t count) {
    Tensor tensor = tensor_view(dtype, &shape, memory);
    assert_int_equal(tensor_elements(&tensor), count);
    for (size_t i = 0; i < count; i++)
        tensor_set_f64(&tensor, (int64_t)i, values[i]);
    return tensor;
}

Tensor op_test_strings(Shape shape, String *memory, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++)
        memory[i] = (String){texts[i], strlen(texts[i])};
    return op_test_tensor(STRIDER_STRING, shape, memory, count * sizeof *memory);
}

WRAPS_AROUND void fill_random(float *values, size_t count, uint64_t seed) {
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 0x123456789u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values[i] = (float)((double)(state >> 40) * 0x1p-23 - 1);
    }
}

static Status run_in_graph(OpTest *test, Graph *graph) {
    Error *err = &test->error;
    const Op *op = op_find(test->domain ? test->domain : "", test->op, test->opset);
    if (!op)
        return (fail)(err, STRIDER_UNSUPPORTED, "no operator %s at opset %d", test->op, test->opset);
    int n_outputs = test->n_outputs ? test->n_outputs : 1;
    Node *node = NULL;
    TRY(graph_add_node(graph, op, "node under test", test->n_inputs, n_outputs, &node, err));
    node->opset = test->opset;
    ValueType input_types[OP_TEST_MAX_PORTS] = {0};
    Type tensors[2 * OP_TEST_MAX_PORTS] = {0};
    const Tensor *inputs[OP_TEST_MAX_PORTS] = {0}, *known[OP_TEST_MAX_PORTS] = {0};
    for (int i = 0; i < test->n_inputs; i++) {
        input_types[i].shape = shape_unknown();
        if (!test->inputs[i].type.dtype)
            continue;
        char name[16] = {'i', (char)('a' + i)};
        Value *value = NULL;
        TRY(graph_add_value(graph, name, &value, err));
        TRY(graph_add_input(graph, value, err));
        node_set_input(node, i, value);
        input_types[i] = value->type = value_type_tensor(test->inputs[i].type);
        inputs[i] = &test->inputs[i];
        known[i] = test->hide_inputs || !test->inputs[i].data ? NULL : inputs[i];
    }
    for (int i = 0; i < n_outputs; i++) {
        char name[16] = {'o', (char)('a' + i)};
        Value *value = NULL;
        TRY(graph_add_value(graph, name, &value, err));
        node_set_output(node, i, value);
        TRY(graph_add_output(graph, value, err));
    }
    size_t n_attrs = 0;
    while (n_attrs < sizeof test->attrs / sizeof *test->attrs && test->attrs[n_attrs].name)
        n_attrs++;
    AttrList attrs = {test->attrs, n_attrs};
    ParseContext parse = {.node = node, .attrs = &attrs, .region = &test->region, .err = err};
    if (op->parse)
        TRY(op->parse(&parse, node->attrs));
    TRY(graph_validate(graph, err));
    TRY(node_infer(node, input_types, known, graph->symbols, test->output_types, err));
    if (test->infer_only)
        return STRIDER_OK;
    if (!test->hide_inputs)
        infer_check(node, input_types, inputs, test->output_types);
    for (int i = 0; i < OP_TEST_MAX_PORTS; i++) {
        tensors[i] = input_types[i].tensor;
        tensors[OP_TEST_MAX_PORTS + i] = test->output_types[i].tensor;
    }
    test->scratch_bytes = op->scratch ? op->scratch(node, tensors, tensors + OP_TEST_MAX_PORTS).n : 0;
    TRY(node_evaluate_in_run(node, inputs, test->output_types, test->outputs, allocator_default(),
                             &test->region, err));
    device_case_run(test, graph, node);
    return STRIDER_OK;
}

Status op_test_run(OpTest *test) {
    Graph graph;
    graph_init(&graph, allocator_default());
    region_init(&test->region, allocator_default(), 0);
    Status status = run_in_graph(test, &graph);
    graph_free(&graph);
    return status;
}

void op_test_free(OpTest *test) {
    for (int i = 0; i < OP_TEST_MAX_PORTS; i++)
        tensor_free(&test->outputs[i]);
    region_free(&test->region);
}

void assert_tensor_close(const Tensor *got, const Tensor *expected, double rtol, double atol) {
    assert_string_equal(dtype_name(got->type.dtype), dtype_name(expected->type.dtype));
    char got_shape[SHAPE_TEXT], expected_shape[SHAPE_TEXT];
    assert_string_equal(shape_text(&got->type.shape, got_shape),
                        shape_text(&expected->type.shape, expected_shape));
    for (int64_t i = 0; got->type.dtype == STRIDER_STRING && i < tensor_elements(expected); i++) {
        const String a = ((const String *)got->data)[i], b = ((const String *)expected->data)[i];
        if (!string_equal(a, b))
            fail_msg("element %lld is \"%.*s\", expected \"%.*s\"", (long long)i, (int)a.size, a.data,
                     (int)b.size, b.data);
    }
    for (int64_t i = 0; i < tensor_elements(expected); i++) {
        double a = tensor_get_f64(got, i), b = tensor_get_f64(expected, i);
        bool same = a == b || (isnan(a) && isnan(b));
        if (!dtype_is_float(got->type.dtype) && !dtype_is_narrow_float(got->type.dtype)) {
            same = tensor_get_bits(got, i) == tensor_get_bits(expected, i);
            if (!same)
                fail_msg("element %lld is %lld, expected %lld", (long long)i,
                         (long long)tensor_get_bits(got, i), (long long)tensor_get_bits(expected, i));
        }
        if (!same && !(fabs(a - b) <= atol + rtol * fabs(b)))
            fail_msg("element %lld is %.9g, expected %.9g", (long long)i, a, b);
    }
}

void assert_shape(const Shape *got, Shape expected) {
    char is[SHAPE_TEXT], wanted[SHAPE_TEXT];
    if (!shape_equal(got, &expected))
        fail_msg("%s, not %s", shape_text(got, is), shape_text(&expected, wanted));
}

void op_test_expect(OpTest *test, const Tensor *expected) {
    if (op_test_run(test))
        fail_msg("%s", test->error.message);
    assert_tensor_close(&test->outputs[0], expected, 1e-6, 1e-6);
    op_test_free(test);
}

void op_test_expect_error(OpTest *test, Status status, const char *message_part) {
    Status got = op_test_run(test);
    if (got != status || !strstr(test->error.message, message_part))
        fail_msg("status %d, \"%s\"; expected %d, \"%s\"", (int)got, test->error.message, (int)status,
                 message_part);
    op_test_free(test);
}

void op_test_expect_type(OpTest test, DType dtype, Shape shape) {
    test.infer_only = true;
    if (op_test_run(&test))
        fail_msg("%s", test.error.message);
    assert_int_equal(test.output_types[0].dtype, dtype);
    assert_shape(&test.output_types[0].shape, shape);
    op_test_free(&test);
}
