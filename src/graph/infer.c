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

/* Of a tensor without a data type nothing is known, not even that it is a tensor. */
static bool is_kind_known(const ValueType *type) {
    return type->kind != VALUE_TENSOR || type->dtype;
}

static bool kinds_agree(const ValueType *a, const ValueType *b) {
    return !is_kind_known(a) || !is_kind_known(b) ||
           (a->kind == b->kind && (a->kind != VALUE_OPTIONAL || a->held == b->held));
}

/* What no shape and no run can mend. */
static Status compare_kinds(const Node *node, const Value *value, Error *err) {
    const ValueType *declared = &value->declared, *type = &value->type;
    char stated[VALUE_TYPE_TEXT], computed[VALUE_TYPE_TEXT];
    if (!kinds_agree(declared, type))
        return node_fail(node, err, STRIDER_BAD_MODEL,
                         "output \"%s\" is declared as %s, but the operator makes %s", value->name,
                         value_type_text(declared, stated), value_type_text(type, computed));
    if (declared->dtype && type->dtype && declared->dtype != type->dtype)
        return node_fail(node, err, STRIDER_BAD_MODEL,
                         "output \"%s\" is declared as %s, but the operator makes %s", value->name,
                         dtype_name(declared->dtype), dtype_name(type->dtype));
    return STRIDER_OK;
}

static Status compare_declared(const Node *node, const Value *value, strider_shape_policy shapes,
                               const Log *log, Error *err) {
    const ValueType *declared = &value->declared, *type = &value->type;
    char stated[SHAPE_TEXT], computed[SHAPE_TEXT], formula[EXPLANATION_TEXT] = "", text[NODE_TEXT];
    TRY(compare_kinds(node, value, err));
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

static void tell_doubt(const Node *node, const Log *log) {
    char text[NODE_TEXT];
    const char *doubt = node->op->doubt ? node->op->doubt(node) : NULL;
    if (doubt)
        log_warning(log, "%s: %s", node_text(node, text), doubt);
}

/* What a graph that is inferred is held against; NULL for bodies, which may be inferred several times. */
typedef struct Declarations {
    strider_shape_policy shapes;
    const Log *log;
} Declarations;

static Status in_body(const Node *node, int index, Status status, Error *err) {
    char text[NODE_TEXT];
    return status ? error_within(err, status, "%s: %s", node_text(node, text), node_body_name(node, index))
                  : status;
}

static Status compare_bodies(const Node *node, const Declarations *declarations, Error *err);

static Status compare_body(const Graph *body, const Declarations *declarations, Error *err) {
    for (size_t i = 0; i < body->n_nodes; i++) {
        const Node *node = body->nodes[i];
        tell_doubt(node, declarations->log);
        for (int port = 0; port < node->n_outputs; port++)
            if (node->outputs[port])
                TRY(compare_declared(node, node->outputs[port], declarations->shapes, declarations->log,
                                     err));
        TRY(compare_bodies(node, declarations, err));
    }
    return STRIDER_OK;
}

/* When the types in them are final. */
static Status compare_bodies(const Node *node, const Declarations *declarations, Error *err) {
    for (int i = 0; i < node->n_bodies; i++)
        if (!node->bodies[i]->cannot_run)
            TRY(in_body(node, i, compare_body(node->bodies[i], declarations, err), err));
    return STRIDER_OK;
}

static Status infer_node(Graph *graph, Node *node, const Declarations *declarations, Error *err) {
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
        if (declarations)
            status = compare_declared(node, value, declarations->shapes, declarations->log, err);
        adopt_names(value);
    }
    memory_free(allocator, outputs);
    return status;
}

Status graph_infer(Graph *graph, strider_shape_policy shapes, const Log *log, Error *err) {
    const Declarations declarations = {shapes, log};
    for (size_t i = 0; i < graph->n_inputs; i++)
        graph->inputs[i]->type = graph->inputs[i]->declared;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        TRY(infer_node(graph, graph->nodes[i], &declarations, err));
        tell_doubt(graph->nodes[i], log);
        TRY(compare_bodies(graph->nodes[i], &declarations, err));
    }
    return STRIDER_OK;
}

/* --- bodies --- */

/* Nodes that a model's bodies may have, counted each time they are inferred, before nested loops are no
 * longer inferred until their types stay: each level would multiply the rounds of those around it. */
enum { MAX_INFERRED_IN_BODIES = 1 << 20 };

bool infer_may_repeat(const InferContext *ctx) {
    return graph_of_model(ctx->node->bodies[0])->inferred_in_bodies < MAX_INFERRED_IN_BODIES;
}

/* A declared type that differs in what no run can change is an error.  Declared shapes of inputs that a loop
 * carries are often those of its first iteration, and are not believed. */
static Status set_input_type(Value *input, const ValueType *type, Error *err) {
    const ValueType *declared = &input->declared;
    char stated[VALUE_TYPE_TEXT], given[VALUE_TYPE_TEXT];
    if (type->dtype && declared->dtype && (type->dtype != declared->dtype || type->kind != declared->kind))
        return fail(err, STRIDER_BAD_MODEL, "input \"%.100s\" is declared as %s, but gets %s", input->name,
                    value_type_text(declared, stated), value_type_text(type, given));
    input->type = *type;
    return STRIDER_OK;
}

static Status set_inputs(const InferContext *ctx, Graph *body, const ValueType *inputs, int count) {
    const int captures = ctx->node->n_captures;
    const ValueType *captured = ctx->inputs + ctx->n_inputs - captures;
    if (body->n_inputs != (size_t)count + (size_t)captures)
        return fail(ctx->err, STRIDER_BAD_MODEL, "it takes %zu inputs, and gets %d",
                    body->n_inputs - (size_t)captures, count);
    for (int i = 0; i < count; i++)
        TRY(set_input_type(body->inputs[i], &inputs[i], ctx->err));
    for (int i = 0; i < captures; i++)
        body->inputs[count + i]->type = captured[i];
    return STRIDER_OK;
}

Status infer_body(InferContext *ctx, int index, const ValueType *inputs, int count) {
    Graph *body = ctx->node->bodies[index];
    if (!ctx->infers_bodies)
        return STRIDER_OK;
    graph_of_model(body)->inferred_in_bodies += body->n_nodes + 1;
    Status status = set_inputs(ctx, body, inputs, count);
    for (size_t i = 0; i < body->n_nodes && !status; i++)
        status = infer_node(body, body->nodes[i], NULL, ctx->err);
    return in_body(ctx->node, index, status, ctx->err);
}
