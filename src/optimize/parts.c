/* SPDX-License-Identifier: Apache-2.0 */
#include "optimize/parts.h"

#include <string.h>

#include "graph/op.h"

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

static Status append(Graph *graph, Node *node, const Node *part, Error *err) {
    const size_t n = (size_t)node->n_parts;
    Node **parts = region_alloc_array(&graph->region, n + 1, sizeof(Node *));
    if (!parts)
        return no_memory(err);
    if (n)
        memcpy(parts, node->parts, n * sizeof(Node *));
    TRY(copy_node(graph, part, &parts[n], err));
    node->parts = parts;
    node->n_parts++;
    return STRIDER_OK;
}

Status parts_begin(Graph *graph, Node *node, const Node *add, Error *err) {
    TRY(append(graph, node, node, err));
    Node *product = node->parts[0];
    product->parts = NULL;
    product->n_parts = 0;
    return append(graph, node, add, err);
}

Status parts_extend(Graph *graph, Node *node, const Node *next, Error *err) {
    return node->n_parts ? append(graph, node, next, err) : STRIDER_OK;
}

void parts_connect(Graph *graph) {
    for (size_t i = 0; i < graph->n_nodes; i++) {
        Node *node = graph->nodes[i];
        if (!node->n_parts)
            continue;
        Node *product = node->parts[0], *add = node->parts[1];
        for (int port = 0; port < product->n_inputs; port++)
            product->inputs[port] = node->inputs[port];
        add->inputs[add->inputs[0] == product->outputs[0]] =
            node->inputs[node_post_op(node, POST_RESIDUAL)->port];
        node->parts[node->n_parts - 1]->outputs[0] = node->outputs[0];
        for (int part = 0; part < node->n_parts; part++)
            node->parts[part]->index = node->index;
    }
}
