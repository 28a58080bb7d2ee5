/* SPDX-License-Identifier: Apache-2.0 */
#include "support/graph_builder.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "graph/op.h"
#include "ops/op.h"

Error error;

Value *add_input(Graph *graph, const char *name, Shape shape) {
    Value *value = NULL;
    OK(graph_add_value(graph, name, &value, &error));
    OK(graph_add_input(graph, value, &error));
    value->declared = value->type = value_type_tensor(type_of(STRIDER_F32, shape));
    return value;
}

Value *add_constant(Graph *graph, const char *name, Shape shape, uint64_t seed, float low) {
    Value *value = NULL;
    Tensor tensor;
    OK(graph_add_value(graph, name, &value, &error));
    OK(tensor_alloc(&tensor, graph->region.allocator, STRIDER_F32, &shape, &error));
    fill_random(tensor.data, (size_t)tensor_elements(&tensor), seed);
    for (int64_t i = 0; i < tensor_elements(&tensor); i++)
        ((float *)tensor.data)[i] =
            low > 0 ? low + fabsf(((float *)tensor.data)[i]) : ((float *)tensor.data)[i];
    OK(graph_set_constant(graph, value, tensor, &error));
    return value;
}

Value *add_scalar(Graph *graph, const char *name, float number) {
    Value *value = add_constant(graph, name, shape_scalar(), 1, 0);
    *(float *)value->constant->data = number;
    return value;
}

Value *add_of(Graph *graph, int opset, const char *op, const char *name, Attrs attrs, int n, Value **inputs) {
    Node *node = NULL;
    Value *out = NULL;
    const Op *row = op_find("", op, opset);
    assert_non_null(row);
    OK(graph_add_node(graph, row, name, n, 1, &node, &error));
    node->opset = opset;
    size_t count = 0;
    while (count < 4 && attrs.items[count].name)
        count++;
    AttrList list = {attrs.items, count};
    ParseContext parse = {.node = node, .attrs = &list, .region = &graph->region, .err = &error};
    if (row->parse)
        OK(row->parse(&parse, node->attrs));
    for (int port = 0; port < n; port++)
        node_set_input(node, port, inputs[port]);
    OK(graph_add_value(graph, name, &out, &error));
    node_set_output(node, 0, out);
    return out;
}

Value *add(Graph *graph, const char *op, const char *name, Attrs attrs, int n, Value **inputs) {
    return add_of(graph, 21, op, name, attrs, n, inputs);
}

Value *add_old(Graph *graph, const char *op, const char *name, Attrs attrs, Value *x) {
    return add_of(graph, 12, op, name, attrs, 1, &x);
}

void finish(Graph *graph, Value *output) {
    OK(graph_add_output(graph, output, &error));
    OK(graph_sort(graph, &error));
    OK(graph_validate(graph, &error));
    OK(graph_infer(graph, STRIDER_SHAPES_CHECK, NULL, &error));
}

size_t count_nodes(const Graph *graph, const char *op) {
    size_t count = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        count += strcmp(graph->nodes[i]->op->name, op) == 0;
    return count;
}
