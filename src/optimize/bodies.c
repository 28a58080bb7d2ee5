/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/bodies.h"

#include "ops/op.h"
#include "optimize/rewrite.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

/* --- bodies that run once --- */

Graph *body_to_inline(const Node *node) {
    const Tensor *condition = is_op(node, OP_If) ? node->inputs[0]->constant : NULL;
    if (!condition || tensor_elements(condition) != 1 || node->n_bodies != 2)
        return NULL;
    return node->bodies[tensor_get_i64(condition, 0) ? 0 : 1];
}

/* What stands for the values of a body in the graph around, by their index; NULL: they move there themselves.
 */
typedef struct Inlining {
    Graph *graph, *body;
    Value **stand_ins;
    Node **after;
    size_t n_after;
    Error *err;
} Inlining;

static void connect_captures(const Inlining *in, const Node *node) {
    const size_t first = in->body->n_inputs - (size_t)node->n_captures;
    for (int i = 0; i < node->n_captures; i++) {
        Value *inner = in->body->inputs[first + (size_t)i];
        Value *outer = node->inputs[node->n_inputs - node->n_captures + i];
        in->stand_ins[inner->index] = outer;
        graph_replace_uses(in->body, inner, outer);
        inner->is_input = false;
    }
}

/* A constant that was captured has the tensor of the value that it is around. */
static void join_constants(const Inlining *in) {
    for (size_t i = 0; i < in->body->n_values; i++) {
        Value *inner = in->body->values[i];
        Value *outer = inner->constant ? graph_find_value(in->graph, inner->name) : NULL;
        if (!outer || outer->constant != inner->constant)
            continue;
        in->stand_ins[i] = outer;
        graph_replace_uses(in->body, inner, outer);
    }
}

static Status add_identity(Inlining *in, const Node *node, Value *from, Value *to) {
    Node *identity;
    TRY(graph_add_node(in->graph, op_find("", "Identity", 1), node->name, 1, 1, &identity, in->err));
    identity->opset = 1;
    identity->torch_scope = node->torch_scope;
    identity->byte_offset = node->byte_offset;
    node_set_input(identity, 0, from);
    node_set_output(identity, 0, to);
    in->after[in->n_after++] = identity;
    return STRIDER_OK;
}

/* Outputs of the graph around keep their names: whoever makes the body's output writes there. */
static Status connect_output(Inlining *in, const Node *node, Value *result, Value *output) {
    Value *from = in->stand_ins[result->index];
    if (!from && result->producer) {
        node_set_output(result->producer, result->producer_port, output);
        graph_replace_uses(in->body, result, output);
        in->stand_ins[result->index] = output;
        return STRIDER_OK;
    }
    from = from ? from : result;
    if (is_graph_output(output))
        return add_identity(in, node, from, output);
    graph_replace_uses(in->graph, output, from);
    return STRIDER_OK;
}

static Status move_contents(Inlining *in) {
    for (size_t i = 0; i < in->body->n_values; i++) {
        Value *value = in->body->values[i];
        if (!in->stand_ins[i] && (value->uses || value->producer))
            TRY(graph_adopt_value(in->graph, value, in->err));
    }
    /* They stay in the body's list, which the graph around frees with it. */
    for (Graph *nested = in->body->bodies; nested; nested = nested->next)
        nested->outer = in->graph;
    return STRIDER_OK;
}

Status inline_body(Graph *graph, Node *node, Graph *body, Node ***after, size_t *n_after, Error *err) {
    Region *region = &graph->region;
    Inlining in = {.graph = graph,
                   .body = body,
                   .stand_ins = region_alloc_array(region, body->n_values, sizeof(Value *)),
                   .after = region_alloc_array(region, (size_t)node->n_outputs, sizeof(Node *)),
                   .err = err};
    if (!in.stand_ins || !in.after)
        return no_memory(err);
    graph_drop_outputs(body);
    connect_captures(&in, node);
    join_constants(&in);
    graph_remove_node(node);
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i])
            TRY(connect_output(&in, node, body->outputs[i], node->outputs[i]));
    TRY(move_contents(&in));
    *after = in.after;
    *n_after = in.n_after;
    return STRIDER_OK;
}

/* --- all others --- */

/* Where the outputs of a body begin that nothing but outputs of the node read. */
static size_t first_free_output(const Node *node) {
    if (is_op(node, OP_If))
        return 0;
    if (is_op(node, OP_Loop)) /* after the condition and what is carried */
        return node->bodies[0]->n_inputs - (size_t)node->n_captures - 1;
    return SIZE_MAX;
}

static Status keep_read_outputs(Graph *graph, const Node *node, Graph *body, Error *err) {
    const size_t first = first_free_output(node), shift = is_op(node, OP_Loop);
    bool *keep = region_alloc_array(&graph->region, body->n_outputs, sizeof *keep);
    if (!keep)
        return no_memory(err);
    for (size_t i = 0; i < body->n_outputs; i++)
        keep[i] = i < first || (i - shift < (size_t)node->n_outputs && node->outputs[i - shift]);
    return graph_keep_outputs(body, keep, err);
}

/* Of the node itself, whose ports the outputs of its bodies follow. */
static void drop_unread_ports(Node *node) {
    const size_t first = first_free_output(node) - is_op(node, OP_Loop);
    int kept = 0;
    for (int i = 0; i < node->n_outputs; i++) {
        Value *output = node->outputs[i];
        if ((size_t)i >= first && !output)
            continue;
        if (i != kept) {
            node->outputs[i] = NULL;
            node_set_output(node, kept, output);
        }
        kept++;
    }
    node->n_outputs = kept;
}

/* After remove_dead, which takes outputs away that nobody reads. */
static Status drop_unread_outputs(Graph *graph, Node *node, Error *err) {
    if (first_free_output(node) == SIZE_MAX)
        return STRIDER_OK;
    for (int i = 0; i < node->n_bodies; i++)
        TRY(keep_read_outputs(graph, node, node->bodies[i], err));
    drop_unread_ports(node);
    return STRIDER_OK;
}

Status pass_bodies(Graph *graph, Error *err) {
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        if (!node->n_bodies)
            continue;
        TRY(drop_unread_outputs(graph, node, err));
        for (int b = 0; b < node->n_bodies; b++)
            if (!node->bodies[b]->cannot_run)
                TRY(optimize_graph(node->bodies[b], err));
        node_settle_captures(node);
    }
    return STRIDER_OK;
}
