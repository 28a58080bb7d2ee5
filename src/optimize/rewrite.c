/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/rewrite.h"

#include <string.h>

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

bool is_op(const Node *node, const char *name) {
    return node && !node->removed && !(node->op->domain && node->op->domain[0]) &&
           strcmp(node->op->name, name) == 0;
}

bool is_graph_output(const Graph *graph, const Value *value) {
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

Node *made_by(const Value *value, const char *op) {
    return value && value->uses == 1 && is_op(value->producer, op) ? value->producer : NULL;
}

Status readers_find(const Graph *graph, Region *scratch, Readers *readers, Error *err) {
    readers->only = region_take_array(scratch, graph->n_values, sizeof *readers->only);
    if (!readers->only)
        return no_memory(err);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++)
            if (!graph->nodes[i]->removed && graph->nodes[i]->inputs[port])
                readers->only[graph->nodes[i]->inputs[port]->index] = graph->nodes[i];
    for (size_t i = 0; i < graph->n_outputs; i++)
        readers->only[graph->outputs[i]->index] = NULL;
    return STRIDER_OK;
}

void absorb(Graph *graph, Node *front, Node *behind) {
    Value *between = front->outputs[0], *result = behind->outputs[0];
    graph_remove_node(graph, behind);
    between->producer = NULL;
    node_set_output(front, 0, result);
}

Status widen_inputs(Graph *graph, Node *node, int count, Error *err) {
    if (node->n_inputs >= count)
        return STRIDER_OK;
    Value **inputs = region_take_array(&graph->region, (size_t)count, sizeof(Value *));
    if (!inputs)
        return no_memory(err);
    memcpy(inputs, node->inputs, (size_t)node->n_inputs * sizeof *inputs);
    node->inputs = inputs;
    node->n_inputs = count;
    return STRIDER_OK;
}

void set_input(Node *node, int port, Value *value) {
    if (node->inputs[port])
        node->inputs[port]->uses--;
    node->inputs[port] = value;
    value->uses++;
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
