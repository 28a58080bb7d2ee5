/* SPDX-License-Identifier: Apache-2.0 */
#include "support/flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "ops/op.h"
#include "support/op_test.h"

enum { NAME = 64, MAX_PORTS = 16 };

static void ok(Status status, const Error *error) {
    if (status)
        fail_msg("%s", error->message);
}

/* --- making --- */

/* The next name of a list, or NULL. */
static const char *next_name(const char **list, char name[NAME]) {
    *list += strspn(*list, " ");
    const size_t length = strcspn(*list, " ");
    assert_true(length < NAME);
    memcpy(name, *list, length);
    name[length] = '\0';
    *list += length;
    return length ? name : NULL;
}

static int count_names(const char *list) {
    char name[NAME];
    int count = 0;
    while (next_name(&list, name))
        count++;
    return count;
}

static Value *find_or_add(Graph *graph, const char *name) {
    Error error;
    Value *value = strcmp(name, "-") == 0 ? NULL : graph_find_value(graph, name);
    if (!value && strcmp(name, "-") != 0)
        ok(graph_add_value(graph, name, &value, &error), &error);
    return value;
}

/* The row of "Operator" or "domain:Operator". */
static const Op *find_row(const char *op, int opset) {
    char domain[NAME] = "";
    const char *colon = strchr(op, ':');
    if (colon) {
        assert_true((size_t)(colon - op) < sizeof domain);
        memcpy(domain, op, (size_t)(colon - op));
    }
    const Op *row = op_find(domain, colon ? colon + 1 : op, opset);
    assert_non_null(row);
    return row;
}

Node *flow_node_of(Graph *graph, int opset, const char *op, const char *inputs, const char *outputs,
                   const Attr *attrs, const char *captures) {
    const Op *row = find_row(op, opset);
    const int n_inputs = count_names(inputs), n_captures = count_names(captures);
    Node *node;
    Error error;
    char name[NAME];
    ok(graph_add_node(graph, row, op, n_inputs, count_names(outputs), &node, &error), &error);
    node->opset = opset;
    size_t n_attrs = 0;
    while (attrs && attrs[n_attrs].name)
        n_attrs++;
    const AttrList list = {attrs, n_attrs};
    ParseContext parse = {.node = node, .attrs = &list, .region = &graph->region, .err = &error};
    if (row->parse)
        ok(row->parse(&parse, node->attrs), &error);
    ok(graph_widen_inputs(graph, node, n_inputs + n_captures, &error), &error);
    node->n_captures = n_captures;
    for (int i = 0; next_name(&inputs, name); i++)
        node_set_input(node, i, find_or_add(graph, name));
    for (int i = 0; next_name(&captures, name); i++)
        node_set_input(node, n_inputs + i, find_or_add(graph, name));
    for (int i = 0; next_name(&outputs, name); i++)
        node_set_output(node, i, find_or_add(graph, name));
    return node;
}

Node *flow_node(Graph *graph, int opset, const char *op, const char *inputs, const char *outputs) {
    return flow_node_of(graph, opset, op, inputs, outputs, NULL, "");
}

Graph *flow_body(Graph *graph, Node *node, const char *inputs) {
    Error error;
    Graph *body;
    if (!node->bodies)
        node->bodies = region_alloc_array(&graph->region, MAX_BODIES, sizeof *node->bodies);
    ok(graph_add_body(graph, &body, &error), &error);
    node->bodies[node->n_bodies++] = body;
    flow_inputs(body, inputs);
    for (int i = node->n_inputs - node->n_captures; i < node->n_inputs; i++)
        flow_inputs(body, node->inputs[i]->name);
    return body;
}

void flow_inputs(Graph *graph, const char *names) {
    char name[NAME];
    Error error;
    while (next_name(&names, name))
        ok(graph_add_input(graph, find_or_add(graph, name), &error), &error);
}

void flow_outputs(Graph *graph, const char *names) {
    char name[NAME];
    Error error;
    while (next_name(&names, name))
        ok(graph_add_output(graph, find_or_add(graph, name), &error), &error);
}

void flow_declare(Graph *graph, const char *name, ValueType type) {
    find_or_add(graph, name)->declared = type;
}

void flow_constant(Graph *graph, const char *name, Tensor tensor) {
    Tensor copy;
    Error error;
    ok(tensor_alloc(&copy, graph->region.allocator, tensor.type.dtype, &tensor.type.shape, &error), &error);
    memcpy(copy.data, tensor.data, tensor.size_bytes);
    ok(graph_set_constant(graph, find_or_add(graph, name), copy, &error), &error);
}

static Status check(Graph *graph, Error *err) {
    TRY(graph_sort(graph, err));
    TRY(graph_validate(graph, err));
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int b = 0; b < graph->nodes[i]->n_bodies; b++)
            TRY(check(graph->nodes[i]->bodies[b], err));
    return STRIDER_OK;
}

Status flow_infer(Graph *graph, Error *err) {
    TRY(check(graph, err));
    return graph_infer(graph, STRIDER_SHAPES_CHECK, NULL, err);
}

/* --- values --- */

RunValue *flow_tensor(const Allocator *allocator, Tensor tensor) {
    RunValue *value;
    Error error;
    ok(run_value_new_tensor(allocator, tensor.type.dtype, &tensor.type.shape, &value, &error), &error);
    if (tensor.size_bytes)
        memcpy(value->tensor.data, tensor.data, tensor.size_bytes);
    return value;
}

RunValue *flow_sequence(const Allocator *allocator, DType dtype, RunValue *const *items) {
    RunValue *sequence;
    Error error;
    ok(run_value_new_sequence(allocator, dtype, &sequence, &error), &error);
    for (; *items; items++) {
        ok(run_value_insert(sequence, sequence->n_items, *items, &error), &error);
        run_value_release(*items);
    }
    return sequence;
}

void flow_expect(RunValue *value, Tensor expected) {
    assert_non_null(value);
    assert_int_equal(value->kind, VALUE_TENSOR);
    assert_tensor_close(&value->tensor, &expected, 1e-6, 1e-6);
    run_value_release(value);
}

/* --- running --- */

/* The values of a graph while it runs, each as long as a node is to come that reads it. */
typedef struct Frame {
    const Graph *graph;
    const Allocator *allocator;
    RunValue **values;
    int *reads_left;
    Error *err;
} Frame;

typedef struct Call {
    HostContext host;
    RunValue **captured;
} Call;

static void read_once(Frame *frame, const Value *value) {
    if (value && --frame->reads_left[value->index] <= 0) {
        run_value_release(frame->values[value->index]);
        frame->values[value->index] = NULL;
    }
}

static Status call_body(HostContext *ctx, int index, RunValue *const *inputs, RunValue **outputs) {
    const Call *call = (const Call *)ctx;
    const Graph *body = ctx->node->bodies[index];
    RunValue *all[MAX_PORTS] = {0};
    const size_t own = body->n_inputs - (size_t)ctx->node->n_captures;
    assert_true(body->n_inputs <= MAX_PORTS);
    for (size_t i = 0; i < body->n_inputs; i++)
        all[i] = i < own ? inputs[i] : run_value_hold(call->captured[i - own]);
    return flow_run(body, ctx->allocator, all, outputs, ctx->err);
}

static Status run_host(Frame *frame, const Node *node, RunValue **inputs, RunValue **outputs) {
    const int own = node->n_inputs - node->n_captures;
    Call call = {.host = {.node = node,
                          .n_inputs = own,
                          .n_outputs = node->n_outputs,
                          .inputs = inputs,
                          .outputs = outputs,
                          .allocator = frame->allocator,
                          .call = call_body,
                          .err = frame->err},
                 .captured = inputs + own};
    return node->op->host(&call.host);
}

static Status run_reference(Frame *frame, const Node *node, RunValue **inputs, RunValue **outputs) {
    const Tensor *tensors[MAX_PORTS] = {0};
    ValueType types[MAX_PORTS] = {0}, output_types[MAX_PORTS] = {0};
    Tensor made[MAX_PORTS] = {0};
    for (int i = 0; i < node->n_inputs; i++) {
        types[i] = inputs[i] ? value_type_tensor(inputs[i]->tensor.type) : value_type_unknown();
        tensors[i] = inputs[i] ? &inputs[i]->tensor : NULL;
    }
    TRY(node_infer(node, types, tensors, frame->graph->symbols, output_types, frame->err));
    TRY(node_evaluate(node, tensors, output_types, made, frame->allocator, frame->err));
    Status status = STRIDER_OK;
    for (int i = 0; i < node->n_outputs; i++)
        if (node->outputs[i] && !status)
            status = run_value_wrap(frame->allocator, made[i], &outputs[i], frame->err);
        else
            tensor_free(&made[i]);
    return status;
}

static bool is_for_host(const Node *node, RunValue *const *inputs) {
    bool are_tensors = node->op->reference != NULL;
    for (int i = 0; i < node->n_inputs; i++)
        are_tensors = are_tensors && (!inputs[i] || inputs[i]->kind == VALUE_TENSOR);
    return !are_tensors;
}

/* A reference more where the value is read again: what only one holds is the node's to change. */
static void hold_for_later(const Frame *frame, const Node *node, int change) {
    for (int i = 0; i < node->n_inputs; i++) {
        const Value *value = node->inputs[i];
        if (!value || frame->reads_left[value->index] == 1)
            continue;
        RunValue *held = frame->values[value->index];
        if (change > 0)
            run_value_hold(held);
        else
            run_value_release(held);
    }
}

static Status run_node(Frame *frame, const Node *node) {
    RunValue *inputs[MAX_PORTS] = {0}, *outputs[MAX_PORTS] = {0};
    assert_true(node->n_inputs <= MAX_PORTS && node->n_outputs <= MAX_PORTS);
    for (int i = 0; i < node->n_inputs; i++)
        inputs[i] = node->inputs[i] ? frame->values[node->inputs[i]->index] : NULL;
    hold_for_later(frame, node, 1);
    const Status status = is_for_host(node, inputs) ? run_host(frame, node, inputs, outputs)
                                                    : run_reference(frame, node, inputs, outputs);
    hold_for_later(frame, node, -1);
    for (int i = 0; i < node->n_outputs; i++) {
        const Value *value = node->outputs[i];
        assert_true(status || !value || outputs[i]);
        if (value && value->uses)
            frame->values[value->index] = outputs[i];
        else
            run_value_release(outputs[i]);
    }
    for (int i = 0; i < node->n_inputs && !status; i++)
        read_once(frame, node->inputs[i]);
    return status;
}

/* Constants may lie at any address. */
static Status hold_constant(Frame *frame, const Value *value) {
    const Tensor *constant = value->constant;
    RunValue **held = &frame->values[value->index];
    TRY(run_value_new_tensor(frame->allocator, constant->type.dtype, &constant->type.shape, held,
                             frame->err));
    if (constant->size_bytes)
        memcpy((*held)->tensor.data, constant->data, constant->size_bytes);
    return STRIDER_OK;
}

static Status run_frame(Frame *frame, RunValue **outputs) {
    const Graph *graph = frame->graph;
    for (size_t i = 0; i < graph->n_values; i++) {
        frame->reads_left[i] = graph->values[i]->uses;
        if (graph->values[i]->constant && graph->values[i]->uses)
            TRY(hold_constant(frame, graph->values[i]));
    }
    for (size_t i = 0; i < graph->n_inputs; i++)
        if (!graph->inputs[i]->uses)
            read_once(frame, graph->inputs[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        TRY(run_node(frame, graph->nodes[i]));
    for (size_t i = 0; i < graph->n_outputs; i++) {
        outputs[i] = run_value_hold(frame->values[graph->outputs[i]->index]);
        read_once(frame, graph->outputs[i]);
    }
    return STRIDER_OK;
}

Status flow_run(const Graph *graph, const Allocator *allocator, RunValue *const *inputs, RunValue **outputs,
                Error *err) {
    Frame frame = {.graph = graph,
                   .allocator = allocator,
                   .values = calloc(graph->n_values + 1, sizeof *frame.values),
                   .reads_left = calloc(graph->n_values + 1, sizeof *frame.reads_left),
                   .err = err};
    for (size_t i = 0; i < graph->n_inputs; i++)
        frame.values[graph->inputs[i]->index] = inputs[i];
    const Status status = run_frame(&frame, outputs);
    for (size_t i = 0; i < graph->n_values; i++)
        run_value_release(frame.values[i]);
    for (size_t i = 0; i < graph->n_outputs && status; i++)
        outputs[i] = NULL;
    free(frame.reads_left);
    free(frame.values);
    return status;
}
