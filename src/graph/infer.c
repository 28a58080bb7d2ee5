/* SPDX-License-Identifier: Apache-2.0 */
/* Shape inference over a graph, and the comparison with what the model declares. */
#include <string.h>

#include "base/size.h"
#include "graph/evaluate.h"
#include "graph/op.h"

/* Takes from the declaration what inference left open.  Only names of dimensions are believed: a declared
 * number that nothing computes could be wrong. */
static void adopt_names(Value *value) {
    Shape *shape = &value->type.shape;
    const Shape *declared = &value->declared.shape;
    if (shape->rank != declared->rank)
        return;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] == DIM_UNKNOWN && declared->dims[i] < DIM_UNKNOWN)
            shape->dims[i] = declared->dims[i];
}

static Status compare_declared(const Node *node, const Value *value, strider_shape_policy shapes,
                               const Log *log, Error *err) {
    const ValueType *declared = &value->declared, *type = &value->type;
    char stated[SHAPE_TEXT], computed[SHAPE_TEXT], formula[EXPLANATION_TEXT] = "", text[NODE_TEXT];
    if (declared->dtype && type->dtype && declared->dtype != type->dtype)
        return node_fail(node, err, STRIDER_BAD_MODEL,
                         "output \"%s\" is declared as %s, but the operator makes %s", value->name,
                         dtype_name(declared->dtype), dtype_name(type->dtype));
    if (shape_agrees(&declared->shape, &type->shape))
        return STRIDER_OK;
    shape_text(&declared->shape, stated);
    shape_text(&type->shape, computed);
    if (node->op->explain_shape && node->op->strict_shape)
        node->op->explain_shape(node, &node->inputs[0]->type.shape, formula);
    const char *colon = formula[0] ? ": " : "";
    if (node->op->strict_shape && shapes == STRIDER_SHAPES_CHECK)
        return node_fail(node, err, STRIDER_BAD_MODEL, "output \"%s\" is declared as %s, but is %s%s%s",
                         value->name, stated, computed, colon, formula);
    if (!value->declarer || node_tell_stale(value->declarer))
        log_warning(log, "%s: output \"%s\" is declared as %s, but is %s%s%s; using the computed shape",
                    node_text(node, text), value->name, stated, computed, colon, formula);
    return STRIDER_OK;
}

Status graph_infer(Graph *graph, strider_shape_policy shapes, const Log *log, Error *err) {
    for (size_t i = 0; i < graph->n_inputs; i++)
        graph->inputs[i]->type = graph->inputs[i]->declared;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        const Allocator *allocator = graph->region.allocator;
        ValueType *outputs = memory_alloc_zeroed(allocator, (size_t)node->n_outputs + 1, sizeof *outputs);
        if (!outputs)
            return fail_memory(err, bytes_of(sizeof *outputs, node->n_outputs).n, "shape inference");
        Status status = node_infer_in_graph(node, graph->symbols, outputs, err);
        for (int port = 0; port < node->n_outputs && !status; port++) {
            Value *value = node->outputs[port];
            if (!value)
                continue;
            value->type = outputs[port];
            status = compare_declared(node, value, shapes, log, err);
            adopt_names(value);
        }
        memory_free(allocator, outputs);
        TRY(status);
    }
    return STRIDER_OK;
}
