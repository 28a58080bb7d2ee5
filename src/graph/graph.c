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

/* --- uses --- */

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

/* --- inputs, outputs and constants --- */

Status graph_add_input(Graph *graph, Value *value, Error *err) {
    if (!region_grow(&graph->region, &graph->inputs, graph->n_inputs, &graph->inputs_capacity,
                     sizeof(Value *)))
        return no_memory(err);
    graph->inputs[graph->n_inputs++] = value;
    value->is_input = true;
    return STRIDER_OK;
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

/* Kahn's algorithm with a binary heap of ready nodes by position, so that order is kept where it can be. */
static void heap_push(Node **heap, size_t *count, Node *node) {
    size_t at = (*count)++;
    while (at && heap[(at - 1) / 2]->index > node->index) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = node;
}

static Node *heap_pop(Node **heap, size_t *count) {
    Node *top = heap[0], *last = heap[--*count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= *count)
            break;
        if (child + 1 < *count && heap[child + 1]->index < heap[child]->index)
            child++;
        if (heap[child]->index > last->index)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return top;
}

typedef struct SortState {
    int *waiting;                          /* inputs of node i whose producers have not run */
    size_t *first_reader, *readers_filled; /* readers of node i's outputs in `readers` */
    Node **readers, **heap, **order;
} SortState;

static size_t count_edges(const Graph *graph, SortState *state) {
    size_t edges = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++) {
            const Value *value = graph->nodes[i]->inputs[port];
            if (!value || !value->producer)
                continue;
            state->waiting[i]++;
            state->readers_filled[value->producer->index]++;
            edges++;
        }
    return edges;
}

static void sort_nodes(const Graph *graph, SortState *state, size_t *ordered) {
    size_t ready = 0;
    *ordered = 0;
    for (size_t i = 0, first = 0; i < graph->n_nodes; i++) {
        state->first_reader[i] = first;
        first += state->readers_filled[i];
        state->readers_filled[i] = 0;
        if (!state->waiting[i])
            heap_push(state->heap, &ready, graph->nodes[i]);
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int port = 0; port < graph->nodes[i]->n_inputs; port++) {
            const Value *value = graph->nodes[i]->inputs[port];
            if (!value || !value->producer)
                continue;
            int producer = value->producer->index;
            state->readers[state->first_reader[producer] + state->readers_filled[producer]++] =
                graph->nodes[i];
        }
    while (ready) {
        Node *node = heap_pop(state->heap, &ready);
        state->order[(*ordered)++] = node;
        for (size_t i = 0; i < state->readers_filled[node->index]; i++) {
            Node *reader = state->readers[state->first_reader[node->index] + i];
            if (--state->waiting[reader->index] == 0)
                heap_push(state->heap, &ready, reader);
        }
    }
}

Status graph_sort(Graph *graph, Error *err) {
    size_t n = graph->n_nodes, ordered = 0;
    Region scratch;
    region_init(&scratch, graph->region.allocator, 0);
    SortState state = {.waiting = region_alloc_array(&scratch, n, sizeof(int)),
                       .first_reader = region_alloc_array(&scratch, n, sizeof(size_t)),
                       .readers_filled = region_alloc_array(&scratch, n, sizeof(size_t)),
                       .heap = region_alloc_array(&scratch, n, sizeof(Node *)),
                       .order = region_alloc_array(&scratch, n, sizeof(Node *))};
    Status status = STRIDER_OK;
    for (size_t i = 0; i < n; i++)
        graph->nodes[i]->index = (int)i;
    if (!state.waiting || !state.first_reader || !state.readers_filled || !state.heap || !state.order) {
        status = no_memory(err);
        goto done;
    }
    state.readers = region_alloc_array(&scratch, count_edges(graph, &state), sizeof(Node *));
    if (!state.readers) {
        status = no_memory(err);
        goto done;
    }
    sort_nodes(graph, &state, &ordered);
    if (ordered < n) {
        size_t stuck = 0;
        while (!state.waiting[stuck])
            stuck++;
        status = node_fail(
            graph->nodes[stuck], err, STRIDER_BAD_MODEL,
            "the graph has a cycle: this node waits for its own output, directly or through others");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        graph->nodes[i] = state.order[i];
        graph->nodes[i]->index = (int)i;
    }
done:
    region_free(&scratch);
    return status;
}

/* As the operator's table row says; the graphs themselves are checked when they are made. */
static Status check_bodies(const Node *node, Error *err) {
    for (int i = 0; i < MAX_BODIES && node->op->bodies[i]; i++)
        if (i >= node->n_bodies)
            return node_fail(node, err, STRIDER_BAD_MODEL, "required attribute %s is missing",
                             node->op->bodies[i]);
    return STRIDER_OK;
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
