/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads a value: ports of nodes, and outputs of the graph; and who makes it. */
#include "graph/graph.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

/* At the end, so that readers stand in the order in which they came. */
static void add_use(Value *value, Use *use, Node *node, int port) {
    *use = (Use){.node = node, .port = port, .previous = value->last_use};
    *(use->previous ? &use->previous->next : &value->first_use) = use;
    value->last_use = use;
    value->uses++;
    value->output_uses += !node;
}

static void drop_use(Value *value, Use *use) {
    *(use->previous ? &use->previous->next : &value->first_use) = use->next;
    *(use->next ? &use->next->previous : &value->last_use) = use->previous;
    value->uses--;
    value->output_uses -= !use->node;
}

void node_set_input(Node *node, int port, Value *value) {
    if (node->inputs[port])
        drop_use(node->inputs[port], &node->input_uses[port]);
    node->inputs[port] = value;
    if (value)
        add_use(value, &node->input_uses[port], node, port);
}

static void move_use(Value *value, Use *from, Use *to) {
    *to = *from;
    *(to->previous ? &to->previous->next : &value->first_use) = to;
    *(to->next ? &to->next->previous : &value->last_use) = to;
}

Status graph_widen_inputs(Graph *graph, Node *node, int count, Error *err) {
    if (node->n_inputs >= count)
        return STRIDER_OK;
    Value **inputs = region_alloc_array(&graph->region, (size_t)count, sizeof *inputs);
    Use *uses = region_alloc_array(&graph->region, (size_t)count, sizeof *uses);
    if (!inputs || !uses)
        return no_memory(err);
    for (int port = 0; port < node->n_inputs; port++) {
        inputs[port] = node->inputs[port];
        if (inputs[port])
            move_use(inputs[port], &node->input_uses[port], &uses[port]);
    }
    node->inputs = inputs;
    node->input_uses = uses;
    node->n_inputs = count;
    return STRIDER_OK;
}

void node_drop_inputs(Node *node, int count) {
    for (int port = count; port < node->n_inputs; port++)
        node_set_input(node, port, NULL);
    node->n_inputs = count;
}

void graph_replace_uses(Graph *graph, Value *from, Value *to) {
    if (from == to)
        return;
    for (Use *use = from->first_use, *next; use; use = next) {
        next = use->next;
        *(use->node ? &use->node->inputs[use->port] : &graph->outputs[use->port]) = to;
        add_use(to, use, use->node, use->port);
    }
    from->first_use = from->last_use = NULL;
    from->uses = from->output_uses = 0;
}

void graph_remove_node(Node *node) {
    node->removed = true;
    for (int port = 0; port < node->n_inputs; port++)
        node_set_input(node, port, NULL);
    for (int port = 0; port < node->n_outputs; port++)
        if (node->outputs[port] && node->outputs[port]->producer == node)
            node->outputs[port]->producer = NULL;
}

void node_set_output(Node *node, int port, Value *value) {
    Value *before = node->outputs[port];
    if (before && before->producer == node)
        before->producer = NULL;
    node->outputs[port] = value;
    if (!value)
        return;
    value->producer = node;
    value->producer_port = port;
}

Status graph_add_output(Graph *graph, Value *value, Error *err) {
    if (!region_grow(&graph->region, &graph->outputs, graph->n_outputs, &graph->outputs_capacity,
                     sizeof(Value *)))
        return no_memory(err);
    Use *use = region_alloc(&graph->region, sizeof *use);
    if (!use)
        return no_memory(err);
    add_use(value, use, NULL, (int)graph->n_outputs);
    graph->outputs[graph->n_outputs++] = value;
    return STRIDER_OK;
}

/* One walk over the uses of each value that is an output, however often it is one. */
void graph_drop_outputs(Graph *graph) {
    for (size_t i = 0; i < graph->n_outputs; i++) {
        Value *value = graph->outputs[i];
        for (Use *use = value->first_use, *next; use && value->output_uses; use = next) {
            next = use->next;
            if (!use->node)
                drop_use(value, use);
        }
    }
    graph->n_outputs = 0;
}
