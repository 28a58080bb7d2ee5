/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/bodies.h"

#include "ops/op.h"
#include "optimize/rewrite.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

/* --- bodies that run once, or never --- */

/* Inputs of a loop, and of its body besides what is carried: the number of the iteration and cond. */
enum { LOOP_TRIPS, LOOP_CONDITION, LOOP_CARRIED };

static bool is_one_constant(const Value *value, int64_t *number) {
    if (!value || !value->constant || tensor_elements(value->constant) != 1)
        return false;
    *number = tensor_get_i64(value->constant, 0);
    return true;
}

static bool is_known_branch(const Node *node, Graph **body) {
    int64_t condition;
    if (node->n_bodies != 2 || !is_one_constant(node->inputs[0], &condition))
        return false;
    *body = node->bodies[condition ? 0 : 1];
    return true;
}

static int count_carried(const Node *node) {
    const int own = node->n_inputs - node->n_captures;
    return own > LOOP_CARRIED ? own - LOOP_CARRIED : 0;
}

/* Of a loop that never runs: items have shapes that the body would have, and an optional may be another kind
 * of value after it. */
static bool hands_on_all(const Node *node) {
    const int n_carried = count_carried(node);
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] &&
            (i >= n_carried || node->outputs[i]->type.kind != node->inputs[LOOP_CARRIED + i]->type.kind))
            return false;
    return true;
}

static bool is_known_loop(const Node *node, Graph **body) {
    const int own = node->n_inputs - node->n_captures;
    const Value *given = own > LOOP_CONDITION ? node->inputs[LOOP_CONDITION] : NULL;
    int64_t trips, condition = 1;
    if (own <= LOOP_TRIPS || !is_one_constant(node->inputs[LOOP_TRIPS], &trips) || trips > 1 ||
        (given && !is_one_constant(given, &condition)))
        return false;
    *body = trips == 1 && condition ? node->bodies[0] : NULL;
    return *body || hands_on_all(node);
}

bool can_inline(const Node *node, Graph **body) {
    *body = NULL;
    return (is_op(node, OP_If) && is_known_branch(node, body)) ||
           (is_op(node, OP_Loop) && is_known_loop(node, body));
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

static void connect_input(const Inlining *in, Value *inner, Value *outer) {
    in->stand_ins[inner->index] = outer;
    graph_replace_uses(in->body, inner, outer);
    inner->is_input = false;
}

/* A constant of the body in the place of an input. */
static Status set_scalar(const Inlining *in, size_t input, DType dtype, int64_t number) {
    Value *value = in->body->inputs[input];
    const Shape shape = value->type.shape.rank == 1 ? shape_make(1, (const int64_t[]){1}) : shape_scalar();
    Tensor tensor;
    TRY(tensor_alloc(&tensor, in->body->region.allocator, dtype, &shape, in->err));
    tensor_set_i64(&tensor, 0, number);
    value->is_input = false;
    return graph_set_constant(in->body, value, tensor, in->err);
}

static Status connect_loop(const Inlining *in, const Node *node) {
    Value *condition =
        node->n_inputs - node->n_captures > LOOP_CONDITION ? node->inputs[LOOP_CONDITION] : NULL;
    if (condition)
        connect_input(in, in->body->inputs[1], condition);
    else
        TRY(set_scalar(in, 1, STRIDER_BOOL, true));
    return set_scalar(in, 0, STRIDER_I64, 0);
}

/* Its own inputs aside, the body's are the node's last ones, in the same order. */
static Status connect_inputs(const Inlining *in, const Node *node) {
    const bool is_loop = is_op(node, OP_Loop);
    const int count = node->n_captures + (is_loop ? count_carried(node) : 0);
    for (int i = 1; i <= count; i++)
        connect_input(in, in->body->inputs[in->body->n_inputs - (size_t)i], node->inputs[node->n_inputs - i]);
    return is_loop ? connect_loop(in, node) : STRIDER_OK;
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

static Status add_node_after(Inlining *in, const Node *node, const char *op, int n_inputs, Value *from,
                             Value *to, Node **made) {
    enum { OPSET = 13 };
    TRY(graph_add_node(in->graph, op_find("", op, OPSET), node->name, n_inputs, 1, made, in->err));
    (*made)->opset = OPSET;
    (*made)->torch_scope = node->torch_scope;
    (*made)->byte_offset = node->byte_offset;
    node_set_input(*made, 0, from);
    node_set_output(*made, 0, to);
    in->after[in->n_after++] = *made;
    return STRIDER_OK;
}

static Status add_identity(Inlining *in, const Node *node, Value *from, Value *to) {
    Node *identity;
    return add_node_after(in, node, "Identity", 1, from, to, &identity);
}

/* The one item of a loop's output, along its new first axis. */
static Status connect_item(Inlining *in, const Node *node, Value *result, Value *output) {
    const Shape shape = shape_make(1, (const int64_t[]){1});
    const char *name = NULL;
    Value *axis, *from = in->stand_ins[result->index];
    Tensor tensor;
    Node *unsqueeze;
    TRY(graph_unique_name(in->graph, "first_axis", &name, in->err));
    TRY(graph_add_value(in->graph, name, &axis, in->err));
    TRY(tensor_alloc(&tensor, in->graph->region.allocator, STRIDER_I64, &shape, in->err));
    tensor_set_i64(&tensor, 0, 0);
    TRY(graph_set_constant(in->graph, axis, tensor, in->err));
    TRY(add_node_after(in, node, "Unsqueeze", 2, from ? from : result, output, &unsqueeze));
    node_set_input(unsqueeze, 1, axis);
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

/* The body's, from `first` on; the node has them as they are, but for those after `n_whole`. */
static Status connect_outputs(Inlining *in, const Node *node, int first, int n_whole) {
    for (int i = 0; i < node->n_outputs; i++) {
        Value *output = node->outputs[i], *result = in->body->outputs[i + first];
        if (output)
            TRY(i < n_whole ? connect_output(in, node, result, output)
                            : connect_item(in, node, result, output));
    }
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

static Status inline_once(Inlining *in, Node *node) {
    const bool is_loop = is_op(node, OP_Loop);
    const int n_whole = is_loop ? count_carried(node) : node->n_outputs;
    graph_drop_outputs(in->body);
    TRY(connect_inputs(in, node));
    join_constants(in);
    graph_remove_node(node);
    TRY(connect_outputs(in, node, is_loop, n_whole));
    return move_contents(in);
}

/* Of a loop. */
static Status hand_on(Inlining *in, Node *node) {
    for (int i = 0; i < node->n_outputs; i++) {
        Value *from = node->outputs[i] ? node->inputs[LOOP_CARRIED + i] : NULL, *output = node->outputs[i];
        if (!from)
            continue;
        if (is_graph_output(output))
            TRY(add_identity(in, node, from, output));
        else
            graph_replace_uses(in->graph, output, from);
    }
    graph_remove_node(node);
    return STRIDER_OK;
}

Status inline_body(Graph *graph, Node *node, Graph *body, Node ***after, size_t *n_after, Error *err) {
    Region *region = &graph->region;
    const size_t n_values = body ? body->n_values : 0;
    Inlining in = {.graph = graph,
                   .body = body,
                   .stand_ins = region_alloc_array(region, n_values + 1, sizeof(Value *)),
                   .after = region_alloc_array(region, (size_t)node->n_outputs, sizeof(Node *)),
                   .err = err};
    if (!in.stand_ins || !in.after)
        return no_memory(err);
    TRY(body ? inline_once(&in, node) : hand_on(&in, node));
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
