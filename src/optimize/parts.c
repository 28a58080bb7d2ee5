/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/parts.h"

#include <string.h>

#include "graph/op.h"

/* In the place of a port of the node. */
enum { AS_IT_IS = -1, RESIDUAL = -2 };

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

/* The node as it is now, with all that passes may change in it. */
static Status copy_node(Graph *graph, const Node *node, Node **copy, Error *err) {
    Region *region = &graph->region;
    const size_t n_inputs = (size_t)node->n_inputs, n_outputs = (size_t)node->n_outputs;
    Node *made = region_alloc(region, sizeof *made);
    Value **inputs = region_alloc_array(region, n_inputs, sizeof *inputs);
    Value **outputs = region_alloc_array(region, n_outputs, sizeof *outputs);
    void *attrs = region_alloc(region, node->op->attrs_size);
    if (!made || !inputs || !outputs || !attrs)
        return no_memory(err);
    *made = *node;
    made->inputs = inputs;
    made->outputs = outputs;
    made->input_uses = NULL;
    memcpy(inputs, node->inputs, n_inputs * sizeof *inputs);
    memcpy(outputs, node->outputs, n_outputs * sizeof *outputs);
    if (node->attrs)
        made->attrs = memcpy(attrs, node->attrs, node->op->attrs_size);
    *copy = made;
    return STRIDER_OK;
}

/* Which of its inputs are inputs of `node` is not known yet. */
static Status append(Graph *graph, Node *node, const Node *part, Error *err) {
    const size_t n = (size_t)node->n_parts, n_inputs = (size_t)part->n_inputs;
    Node **parts = region_alloc_array(&graph->region, n + 1, sizeof(Node *));
    int **ports = region_alloc_array(&graph->region, n + 1, sizeof(int *));
    int *own = region_alloc_array(&graph->region, n_inputs, sizeof *own);
    if (!parts || !ports || !own)
        return no_memory(err);
    if (n) {
        memcpy(parts, node->parts, n * sizeof(Node *));
        memcpy(ports, node->part_ports, n * sizeof(int *));
    }
    for (size_t i = 0; i < n_inputs; i++)
        own[i] = AS_IT_IS;
    ports[n] = own;
    TRY(copy_node(graph, part, &parts[n], err));
    node->parts = parts;
    node->part_ports = ports;
    node->n_parts++;
    return STRIDER_OK;
}

/* Another part comes after what makes the node's output until now. */
static void settle(Node *node) {
    if (node->n_parts)
        node->parts[node->n_parts - 1]->outputs[0] = node->outputs[0];
}

static Status append_product(Graph *graph, Node *node, Error *err) {
    TRY(append(graph, node, node, err));
    Node *product = node->parts[0];
    product->parts = NULL;
    product->part_ports = NULL;
    product->n_parts = 0;
    for (int port = 0; port < product->n_inputs; port++)
        node->part_ports[0][port] = port;
    return STRIDER_OK;
}

Status parts_begin(Graph *graph, Node *node, const Node *add, Error *err) {
    if (node->n_parts)
        settle(node);
    else
        TRY(append_product(graph, node, err));
    TRY(append(graph, node, add, err));
    node->part_ports[node->n_parts - 1][add->inputs[0] == node->outputs[0]] = RESIDUAL;
    return STRIDER_OK;
}

Status parts_extend(Graph *graph, Node *node, const Node *next, Error *err) {
    settle(node);
    return node->n_parts ? append(graph, node, next, err) : STRIDER_OK;
}

static Value *read_by_part(const Node *node, Value *as_it_is, int port) {
    if (port == AS_IT_IS)
        return as_it_is;
    return node->inputs[port == RESIDUAL ? node_post_op(node, POST_RESIDUAL)->port : port];
}

/* Lets the node's last part read what the node itself reads, where it does. */
static void find_ports(Node *node) {
    const Node *part = node->parts[node->n_parts - 1];
    for (int at = 0; at < part->n_inputs; at++)
        for (int port = 0; port < node->n_inputs; port++)
            if (part->inputs[at] && part->inputs[at] == node->inputs[port])
                node->part_ports[node->n_parts - 1][at] = port;
}

/* In the place of a node that has parts itself. */
static Status append_parts(Graph *graph, Node *node, Node *made_of, Error *err) {
    settle(made_of);
    for (int i = 0; i < made_of->n_parts; i++) {
        TRY(append(graph, node, made_of->parts[i], err));
        Node *part = node->parts[node->n_parts - 1];
        for (int at = 0; at < part->n_inputs; at++)
            part->inputs[at] = read_by_part(made_of, part->inputs[at], made_of->part_ports[i][at]);
        find_ports(node);
    }
    return STRIDER_OK;
}

Status parts_of(Graph *graph, Node *node, Node *const *nodes, int count, Error *err) {
    for (int i = 0; i < count; i++) {
        if (nodes[i]->n_parts) {
            TRY(append_parts(graph, node, nodes[i], err));
            continue;
        }
        TRY(append(graph, node, nodes[i], err));
        find_ports(node);
    }
    return STRIDER_OK;
}

void parts_connect(Graph *graph) {
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        for (int part = 0; part < node->n_parts; part++) {
            Node *own = node->parts[part];
            for (int at = 0; at < own->n_inputs; at++)
                own->inputs[at] = read_by_part(node, own->inputs[at], node->part_ports[part][at]);
            own->index = node->index;
        }
        if (node->n_parts)
            node->parts[node->n_parts - 1]->outputs[0] = node->outputs[0];
    }
}
