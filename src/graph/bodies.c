/* SPDX-License-Identifier: Apache-2.0 */
/* What binds bodies to the graph around them. */
#include <string.h>

#include "graph/op.h"

Graph *graph_of_model(Graph *graph) {
    while (graph->outer)
        graph = graph->outer;
    return graph;
}

const char *node_body_name(const Node *node, int index) {
    for (int i = 0; i < MAX_BODIES && node->op->bodies[i]; i++)
        if (!(node->absent_bodies >> i & 1) && index-- == 0)
            return node->op->bodies[i];
    return NULL;
}

/* --- captures --- */

static Value **captured_inputs(const Node *node, int body) {
    const Graph *graph = node->bodies[body];
    return graph->inputs + graph->n_inputs - (size_t)node->n_captures;
}

static bool is_read(const Node *node, int capture) {
    for (int i = 0; i < node->n_bodies; i++)
        if (captured_inputs(node, i)[capture]->uses)
            return true;
    return false;
}

/* The graph around owns the contents, and outlives its bodies. */
static void make_constant(const Node *node, int capture, const Value *outer) {
    for (int i = 0; i < node->n_bodies; i++) {
        Value *inner = captured_inputs(node, i)[capture];
        inner->constant = outer->constant;
        inner->type = outer->type;
    }
}

static void drop_inputs(const Node *node, int capture) {
    for (int i = 0; i < node->n_bodies; i++)
        captured_inputs(node, i)[capture]->is_input = false;
}

static void move_capture(Node *node, int from, int to) {
    const int first = node->n_inputs - node->n_captures;
    if (from == to)
        return;
    node_set_input(node, first + to, node->inputs[first + from]);
    for (int i = 0; i < node->n_bodies; i++)
        captured_inputs(node, i)[to] = captured_inputs(node, i)[from];
}

void node_settle_captures(Node *node) {
    const int first = node->n_inputs - node->n_captures;
    int kept = 0;
    for (int i = 0; i < node->n_captures; i++) {
        const Value *outer = node->inputs[first + i];
        if (outer->constant)
            make_constant(node, i, outer);
        if (outer->constant || !is_read(node, i))
            drop_inputs(node, i);
        else
            move_capture(node, i, kept++);
    }
    for (int i = 0; i < node->n_bodies; i++)
        node->bodies[i]->n_inputs -= (size_t)(node->n_captures - kept);
    node_drop_inputs(node, first + kept);
    node->n_captures = kept;
}

/* --- outputs and values --- */

Status graph_keep_outputs(Graph *body, const bool *keep, Error *err) {
    const size_t count = body->n_outputs;
    graph_drop_outputs(body);
    for (size_t i = 0; i < count; i++)
        if (keep[i])
            TRY(graph_add_output(body, body->outputs[i], err));
    return STRIDER_OK;
}

Status graph_adopt_value(Graph *graph, Value *value, Error *err) {
    const char *name = value->name;
    if (graph_find_value(graph, name))
        TRY(graph_unique_name(graph, name, &name, err));
    if (!region_grow(&graph->region, &graph->values, graph->n_values, &graph->values_capacity,
                     sizeof(Value *)) ||
        !names_add(&graph->names, name, value))
        return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
    value->name = name;
    value->index = (int)graph->n_values;
    graph->values[graph->n_values++] = value;
    return STRIDER_OK;
}
