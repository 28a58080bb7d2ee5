/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "graph/op.h"

void graph_init(Graph *graph, const Allocator *allocator) {
    *graph = (Graph){.name = ""};
    region_init(&graph->region, allocator, 0);
    graph->symbols = &graph->own_symbols;
    graph->own_symbols.region = graph->names.region = &graph->region;
}

void graph_free(Graph *graph) {
    for (Graph *body = graph->bodies, *next; body; body = next) {
        next = body->next;
        graph_free(body);
    }
    tensor_list_free(&graph->tensors);
    region_free(&graph->region);
    *graph = (Graph){0};
}

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

Status graph_add_value(Graph *graph, const char *name, Value **value, Error *err) {
    if (!region_grow(&graph->region, &graph->values, graph->n_values, &graph->values_capacity,
                     sizeof(Value *)))
        return no_memory(err);
    Value *added = region_alloc(&graph->region, sizeof *added);
    char *copy = region_string(&graph->region, name, strlen(name));
    if (!added || !copy)
        return no_memory(err);
    *added = (Value){.name = copy, .index = (int)graph->n_values};
    added->type.shape = added->declared.shape = shape_unknown();
    if (graph_find_value(graph, name))
        return fail(err, STRIDER_BAD_MODEL, "two values are called \"%.100s\"", name);
    if (!names_add(&graph->names, copy, added))
        return no_memory(err);
    graph->values[graph->n_values++] = added;
    *value = added;
    return STRIDER_OK;
}

Value *graph_find_value(const Graph *graph, const char *name) {
    void *value = NULL;
    return names_find(&graph->names, name, &value) ? value : NULL;
}

Status graph_unique_name(Graph *graph, const char *stem, const char **name, Error *err) {
    /* The index of the value to come is new; a name of the model may still end in the same digits. */
    if (graph->next_suffix < graph->n_values)
        graph->next_suffix = graph->n_values;
    do {
        *name = region_format(&graph->region, "%s.%zu", stem, graph->next_suffix++);
        if (!*name)
            return no_memory(err);
    } while (graph_find_value(graph, *name));
    return STRIDER_OK;
}

Status graph_rename_value(Graph *graph, Value *value, Error *err) {
    const char *name;
    TRY(graph_unique_name(graph, value->name, &name, err));
    names_forget(&graph->names, value->name);
    if (!names_add(&graph->names, name, value))
        return no_memory(err);
    value->name = name;
    return STRIDER_OK;
}

Status graph_add_node(Graph *graph, const Op *op, const char *name, int n_inputs, int n_outputs, Node **node,
                      Error *err) {
    Region *region = &graph->region;
    if (!region_grow(region, &graph->nodes, graph->n_nodes, &graph->nodes_capacity, sizeof(Node *)))
        return no_memory(err);
    Node *added = region_alloc(region, sizeof *added);
    char *copy = region_string(region, name, strlen(name));
    Value **inputs = region_alloc_array(region, (size_t)n_inputs, sizeof *inputs);
    Use *input_uses = region_alloc_array(region, (size_t)n_inputs, sizeof *input_uses);
    Value **outputs = region_alloc_array(region, (size_t)n_outputs, sizeof *outputs);
    void *attrs = op->attrs_size ? region_alloc(region, op->attrs_size) : NULL;
    if (!added || !copy || !inputs || !input_uses || !outputs || (op->attrs_size && !attrs))
        return no_memory(err);
    *added = (Node){.op = op,
                    .name = copy,
                    .torch_scope = "",
                    .index = (int)graph->n_nodes,
                    .source_index = -1,
                    .byte_offset = -1,
                    .attrs = attrs,
                    .n_inputs = n_inputs,
                    .n_outputs = n_outputs,
                    .inputs = inputs,
                    .input_uses = input_uses,
                    .outputs = outputs};
    graph->nodes[graph->n_nodes++] = added;
    *node = added;
    return STRIDER_OK;
}

Status graph_add_body(Graph *outer, Graph **body, Error *err) {
    *body = region_alloc(&outer->region, sizeof **body);
    if (!*body)
        return no_memory(err);
    graph_init(*body, outer->region.allocator);
    (*body)->outer = outer;
    (*body)->symbols = outer->symbols;
    (*body)->next = outer->bodies;
    outer->bodies = *body;
    return STRIDER_OK;
}

/* --- inputs and constants --- */

Status graph_add_input(Graph *graph, Value *value, Error *err) {
    if (!region_grow(&graph->region, &graph->inputs, graph->n_inputs, &graph->inputs_capacity,
                     sizeof(Value *)))
        return no_memory(err);
    graph->inputs[graph->n_inputs++] = value;
    value->is_input = true;
    return STRIDER_OK;
}

Status graph_keep_tensor(Graph *graph, Tensor tensor, const Tensor **kept, Error *err) {
    return tensor_list_add(&graph->tensors, &graph->region, tensor, kept, err);
}

Status graph_set_constant(Graph *graph, Value *value, Tensor tensor, Error *err) {
    const Tensor *kept = NULL;
    TRY(graph_keep_tensor(graph, tensor, &kept, err));
    value->constant = kept;
    value->type = value_type_tensor(kept->type);
    return STRIDER_OK;
}

/* As the operator's table row says; the graphs themselves are checked when they are made. */
static Status check_bodies(const Node *node, Error *err) {
    const char *missing = node_body_name(node, node->n_bodies);
    return missing ? node_fail(node, err, STRIDER_BAD_MODEL, "required attribute %s is missing", missing)
                   : STRIDER_OK;
}

int node_own_inputs(const Node *node) {
    for (int i = 0; i < node->n_post_ops; i++)
        if (node->post_ops[i].port >= 0)
            return node->op->inputs.max;
    return node->n_inputs;
}

static Status check_arity(const Node *node, const char *what, int count, int min, int max, Error *err) {
    if (count < min || (max >= 0 && count > max)) {
        if (min == max)
            return node_fail(node, err, STRIDER_BAD_MODEL, "has %d %s, takes %d", count, what, min);
        if (max < 0)
            return node_fail(node, err, STRIDER_BAD_MODEL, "has %d %s, takes at least %d", count, what, min);
        return node_fail(node, err, STRIDER_BAD_MODEL, "has %d %s, takes %d to %d", count, what, min, max);
    }
    return STRIDER_OK;
}

Status graph_validate(const Graph *graph, Error *err) {
    if (!graph->n_outputs)
        return fail(err, STRIDER_BAD_MODEL, "the graph has no outputs");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const Node *node = graph->nodes[i];
        TRY(check_arity(node, "inputs", node_own_inputs(node) - node->n_captures, node->op->inputs.min,
                        node->op->inputs.max, err));
        TRY(check_arity(node, "outputs", node->n_outputs, node->op->outputs.min, node->op->outputs.max, err));
        TRY(check_bodies(node, err));
        for (int port = 0; port < node->n_inputs; port++) {
            const Value *value = node->inputs[port];
            if (!value && port < node->op->inputs.min)
                return node_fail(node, err, STRIDER_BAD_MODEL, "required input %d is missing", port);
            if (value && !value->producer && !value->constant && !value->is_input)
                return node_fail(node, err, STRIDER_BAD_MODEL, "input %d \"%s\" is made by no node", port,
                                 value->name);
        }
        for (int port = 0; port < node->n_outputs; port++) {
            const Value *value = node->outputs[port];
            if (value && (value->producer != node || value->is_input || value->constant))
                return node_fail(node, err, STRIDER_BAD_MODEL, "output %d \"%s\" is already made elsewhere",
                                 port, value->name);
        }
    }
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const Value *value = graph->outputs[i];
        if (!value->producer && !value->constant && !value->is_input)
            return fail(err, STRIDER_BAD_MODEL, "graph output \"%s\" is made by no node", value->name);
    }
    return STRIDER_OK;
}

void graph_compact(Graph *graph) {
    size_t kept = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (!graph->nodes[i]->removed) {
            graph->nodes[kept] = graph->nodes[i];
            graph->nodes[kept]->index = (int)kept;
            kept++;
        }
    graph->n_nodes = kept;
}

const char *node_text(const Node *node, char text[NODE_TEXT]) {
    const char *op = node->op ? node->op->name : "?";
    int index = node->source_index >= 0 ? node->source_index : node->index;
    if (node->name && node->name[0])
        text_format(text, NODE_TEXT, "node %d \"%.120s\" (%s)", index, node->name, op);
    else
        text_format(text, NODE_TEXT, "node %d (%s)", index, op);
    return text;
}

Status node_fail(const Node *node, Error *err, Status status, const char *format, ...) {
    char text[NODE_TEXT], message[sizeof err->message];
    va_list args;
    va_start(args, format);
    text_vformat(message, sizeof message, format, args);
    va_end(args);
    status = fail_at(err, status, node->byte_offset, "%s: %s", node_text(node, text), message);
    error_name_node(err, node->name, node->op ? node->op->name : NULL);
    return status;
}
