/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/rewrite.h"

/* Whether output 0 is input 0, element by element and in shape. */
static bool is_identity(const Node *node) {
    const Value *in = node->n_inputs ? node->inputs[0] : NULL, *out = node->outputs[0];
    if (!in || !out)
        return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->uses)
            return false;
    if (is_op(node, "Identity"))
        return true;
    if (is_op(node, "Dropout"))
        return node->n_inputs < 3 || !node->inputs[2] ||
               (node->inputs[2]->constant && !tensor_get_i64(node->inputs[2]->constant, 0));
    bool same = in->type.dtype && in->type.dtype == out->type.dtype && shape_is_known(&in->type.shape) &&
                shape_equal(&in->type.shape, &out->type.shape);
    if (is_op(node, "Cast") || is_op(node, "CastLike"))
        return in->type.dtype && in->type.dtype == out->type.dtype;
    if (is_op(node, "Concat") || is_op(node, "Sum") || is_op(node, "Max") || is_op(node, "Min") ||
        is_op(node, "Mean"))
        return node->n_inputs == 1;
    return same && (node->op->flags & OP_VIEW);
}

/* Where the output is one of the graph's it keeps its name, so the producer of the input writes to it. */
static bool bypass_output(Graph *graph, Node *node) {
    Value *in = node->inputs[0], *out = node->outputs[0];
    Node *producer = in->producer;
    if (!producer || is_graph_output(graph, in))
        return false;
    graph_remove_node(graph, node);
    for (int i = 0; i < producer->n_outputs; i++)
        if (producer->outputs[i] == in)
            node_set_output(producer, i, out);
    in->producer = NULL;
    graph_replace_uses(graph, in, out);
    return true;
}

Status pass_remove_identities(Graph *graph, Error *err) {
    /* Nodes are in order, so one walk resolves chains: forward[v] is what to read instead of v. */
    Value **forward = memory_take_zeroed(graph->region.allocator, graph->n_values, sizeof(Value *));
    if (!forward)
        return fail_memory(err, graph->n_values * sizeof *forward, "a pass");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        for (int port = 0; port < node->n_inputs; port++) {
            Value *value = node->inputs[port];
            if (value && forward[value->index])
                set_input(node, port, forward[value->index]);
        }
        if (!is_identity(node))
            continue;
        if (is_graph_output(graph, node->outputs[0])) {
            bypass_output(graph, node);
            continue;
        }
        forward[node->outputs[0]->index] = node->inputs[0];
        graph_remove_node(graph, node);
    }
    memory_give(graph->region.allocator, forward);
    graph_compact(graph);
    graph_count_uses(graph);
    return STRIDER_OK;
}
