/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/rewrite.h"

#include <string.h>

#include "graph/evaluate.h"
#include "ops/op.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

bool is_op(const Node *node, OpKind kind) {
    return node && !node->removed && node->op->kind == (int)kind;
}

Node *made_by(const Value *value, OpKind kind) {
    return value && value->uses == 1 && is_op(value->producer, kind) ? value->producer : NULL;
}

void absorb(Node *front, Node *next) {
    Value *result = next->outputs[0];
    graph_remove_node(next);
    node_set_output(front, 0, result);
}

Status add_vector(Graph *graph, const char *stem, DType dtype, const double *values, int64_t count,
                  Value **value, Error *err) {
    const char *name = NULL;
    Tensor tensor;
    Shape shape = shape_make(1, &count);
    TRY(graph_unique_name(graph, stem, &name, err));
    TRY(graph_add_value(graph, name, value, err));
    TRY(tensor_alloc(&tensor, graph->region.allocator, dtype, &shape, err));
    for (int64_t i = 0; i < count; i++)
        tensor_set_f64(&tensor, i, values[i]);
    return graph_set_constant(graph, *value, tensor, err);
}

Status add_integers(Graph *graph, const char *stem, const int64_t *values, int64_t count, Value **value,
                    Error *err) {
    const char *name = NULL;
    Tensor tensor;
    Shape shape = shape_make(1, &count);
    TRY(graph_unique_name(graph, stem, &name, err));
    TRY(graph_add_value(graph, name, value, err));
    TRY(tensor_alloc(&tensor, graph->region.allocator, STRIDER_I64, &shape, err));
    for (int64_t i = 0; i < count; i++)
        tensor_set_i64(&tensor, i, values[i]);
    return graph_set_constant(graph, *value, tensor, err);
}

enum { STATED_OPSET = 18, STATED_INPUTS = 5 };

Status add_stated(Graph *graph, const Node *node, const char *op, const Attr *attrs, size_t n_attrs,
                  Value *const *inputs, int n_inputs, Value **result, Error *err) {
    const char *name = NULL;
    Node *made;
    ValueType types[STATED_INPUTS];
    const Tensor *contents[STATED_INPUTS];
    TRY(graph_add_node(graph, op_find("", op, STATED_OPSET), node->name, n_inputs, 1, &made, err));
    made->opset = STATED_OPSET;
    made->torch_scope = node->torch_scope;
    made->byte_offset = node->byte_offset;
    made->source_index = node->source_index;
    for (int i = 0; i < n_inputs; i++) {
        node_set_input(made, i, inputs[i]);
        types[i] = inputs[i]->type;
        contents[i] = inputs[i]->constant;
    }
    const AttrList list = {attrs, n_attrs};
    ParseContext parse = {.node = made, .attrs = &list, .region = &graph->region, .err = err};
    if (made->op->parse)
        TRY(made->op->parse(&parse, made->attrs));
    TRY(graph_unique_name(graph, inputs[0]->name, &name, err));
    TRY(graph_add_value(graph, name, result, err));
    node_set_output(made, 0, *result);
    return node_infer(made, types, contents, graph->symbols, &(*result)->type, err);
}

bool scalar_constant(const Value *value, double *number) {
    if (!value || !value->constant || !dtype_is_float(value->constant->type.dtype) ||
        tensor_elements(value->constant) != 1)
        return false;
    *number = tensor_get_f64(value->constant, 0);
    return true;
}

Status note_fused(Graph *graph, Node *node, const char *what, Error *err) {
    const char *before = node->fused ? node->fused : "";
    node->fused = region_format(&graph->region, "%s%s%s", before, before[0] ? "+" : "", what);
    return node->fused ? STRIDER_OK : no_memory(err);
}
