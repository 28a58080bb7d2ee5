/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/rewrite.h"

static bool is_false(const Tensor *constant) {
    return constant && tensor_elements(constant) == 1 && !tensor_get_i64(constant, 0);
}

/* Whether a Reshape or the like changes no size, of those that are known. */
static bool is_same_view(const Node *node) {
    const Type *in = &node->inputs[0]->type.tensor, *out = &node->outputs[0]->type.tensor;
    return (node->op->flags & OP_VIEW) && in->dtype && in->dtype == out->dtype &&
           shape_is_known(&in->shape) && shape_equal(&in->shape, &out->shape);
}

/* Whether output 0 is input 0, element by element and in shape. */
static bool is_identity(const Node *node) {
    const Value *in = node->n_inputs ? node->inputs[0] : NULL, *out = node->outputs[0];
    if (!in || !out)
        return false;
    for (int i = 1; i < node->n_outputs; i++)
        if (node->outputs[i] && node->outputs[i]->uses)
            return false;
    if (is_op(node, OP_Identity))
        return true;
    if (is_op(node, OP_Dropout))
        return node->n_inputs < 3 || !node->inputs[2] || is_false(node->inputs[2]->constant);
    if (is_op(node, OP_Cast) || is_op(node, OP_CastLike))
        return in->type.dtype && in->type.dtype == out->type.dtype;
    if (is_op(node, OP_Concat) || is_op(node, OP_Sum) || is_op(node, OP_Max) || is_op(node, OP_Min) ||
        is_op(node, OP_Mean))
        return node->n_inputs == 1;
    return is_same_view(node);
}

/* Where the output is one of the graph's it keeps its name, so the producer of the input writes to it: unless
 * the input's name has to stay as well. */
static void replace_output(Graph *graph, Node *node) {
    Value *in = node->inputs[0], *out = node->outputs[0];
    Node *producer = in->producer;
    if (!producer || is_graph_output(in))
        return;
    graph_remove_node(node);
    node_set_output(producer, in->producer_port, out);
    graph_replace_uses(graph, in, out);
}

Status pass_remove_identities(Graph *graph, Error *err) {
    (void)err;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        if (!is_identity(node))
            continue;
        Value *in = node->inputs[0], *out = node->outputs[0];
        if (is_graph_output(out)) {
            replace_output(graph, node);
        } else {
            graph_remove_node(node);
            graph_replace_uses(graph, out, in);
        }
    }
    graph_compact(graph);
    return STRIDER_OK;
}
