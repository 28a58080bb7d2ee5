/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "graph/op.h"
#include "loader/loading.h"
#include "ops/op.h"

const char *where_text(const Where *where, char text[WHERE_TEXT]) {
    char place[WHERE_TEXT] = "";
    if (where->scope->function)
        text_format(place, sizeof place, "function \"%.100s\": ", where->scope->function);
    text_format(text, WHERE_TEXT, "%snode %zu \"%.100s\" (%.60s)", place, where->index,
                text_or_empty(where->proto->name), text_or_empty(where->proto->op_type));
    return text;
}

Status where_fail(Loading *loading, const Where *where, Status status, const char *message) {
    char text[WHERE_TEXT];
    status = fail_at(loading->err, status, where->offset, "%s: %s", where_text(where, text), message);
    error_name_node(loading->err, where->proto->name, where->proto->op_type);
    return status;
}

/* Stands for an optional input that a call left out. */
static Value absent_value;

/* Names in functions are cut to this, each part of them: calls of calls would make them ever longer. */
enum { LONGEST_PART = 100 };

/* "PREFIX/NAME", and a number where that is taken. */
static Status inner_name(Loading *loading, const Scope *scope, const char *name, const char **full) {
    Graph *graph = scope->graph;
    *full = region_format(&graph->region, "%s/%.*s", scope->prefix, (int)text_cut(name, LONGEST_PART), name);
    if (!*full)
        return no_memory(loading);
    return graph_find_value(graph, *full) ? graph_unique_name(graph, *full, full, loading->err) : STRIDER_OK;
}

Status scope_value(Loading *loading, Scope *scope, int slot, Value **value) {
    Value **known = &scope->values[slot];
    if (*known) {
        *value = *known == &absent_value ? NULL : *known;
        return STRIDER_OK;
    }
    Graph *graph = scope->graph;
    const char *name = scope->body->names[slot].text;
    /* The model's own names stay as they are; those in functions give way. */
    Value *taken = scope->prefix[0] ? NULL : graph_find_value(graph, name);
    if (taken)
        TRY(graph_rename_value(graph, taken, loading->err));
    if (scope->prefix[0])
        TRY(inner_name(loading, scope, name, &name));
    TRY(graph_add_value(graph, name, value, loading->err));
    *known = *value;
    return STRIDER_OK;
}

void scope_leave_out(Scope *scope, int slot) {
    scope->values[slot] = &absent_value;
}

/* --- local functions --- */

static Status bind_attributes(Loading *loading, const Scope *outer, const BodyNode *call, Scope *inner) {
    const Function *function = call->callee;
    const size_t count = function->body.parameters.count;
    const Onnx__AttributeProto **bound = region_alloc_array(&loading->parsed, count, sizeof *bound);
    if (!bound)
        return no_memory(loading);
    for (size_t i = 0; i < call->proto->n_attribute; i++)
        if (call->targets[i] != NO_SLOT)
            bound[call->targets[i]] = bound_attribute(call, i, outer->bound);
    for (size_t i = 0; i < count; i++)
        bound[i] = bound[i] ? bound[i] : function->defaults[i];
    inner->bound = bound;
    return STRIDER_OK;
}

static Status bind_values(Loading *loading, Scope *outer, const BodyNode *call, Scope *inner) {
    const Function *function = call->callee;
    inner->values = region_alloc_array(&loading->parsed, function->body.slots.count, sizeof(Value *));
    if (!inner->values)
        return no_memory(loading);
    for (size_t i = 0; i < function->proto->n_input; i++) {
        Value *value = NULL;
        if (function->inputs[i] == NO_SLOT)
            continue;
        if (i < (size_t)call->n_inputs && call->inputs[i] != NO_SLOT)
            TRY(scope_value(loading, outer, call->inputs[i], &value));
        inner->values[function->inputs[i]] = value ? value : &absent_value;
    }
    for (int i = 0; i < call->n_outputs; i++) {
        const int slot = function->outputs[i];
        Value *value;
        if (call->outputs[i] == NO_SLOT || slot == NO_SLOT || inner->values[slot])
            continue;
        TRY(scope_value(loading, outer, call->outputs[i], &value));
        inner->values[slot] = value ? value : &absent_value;
    }
    return STRIDER_OK;
}

/* Outputs that are the function's inputs, or another of its outputs again, have no node that could write to
 * the caller's value. */
static Status forward_outputs(Loading *loading, Scope *outer, const BodyNode *call, const Scope *inner) {
    const Function *function = call->callee;
    for (int i = 0; i < call->n_outputs; i++) {
        const int slot = function->outputs[i];
        Value *to, *from = slot == NO_SLOT ? NULL : inner->values[slot];
        if (call->outputs[i] == NO_SLOT)
            continue;
        TRY(scope_value(loading, outer, call->outputs[i], &to));
        if (!from || from == to)
            continue;
        const Op *identity = op_find("", "Identity", 1);
        Node *node;
        if (from == &absent_value || !to || !identity)
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "function \"%.100s\": output \"%.100s\" is an absent input",
                        text_or_empty(function->proto->name), function->proto->output[i]);
        TRY(graph_add_node(outer->graph, identity, text_or_empty(call->proto->name), 1, 1, &node,
                           loading->err));
        node->opset = 1;
        node_set_input(node, 0, from);
        node_set_output(node, 0, to);
    }
    return STRIDER_OK;
}

/* "PREFIX/CALL", of which what goes beyond the longest is cut off. */
static const char *inner_prefix(Loading *loading, const Scope *outer, const BodyNode *call) {
    const char *own = text_or_empty(call->proto->name);
    if (!own[0])
        own = text_or_empty(call->proto->op_type);
    const int length = (int)text_cut(own, LONGEST_PART);
    char *prefix = outer->prefix[0] ? region_format(&loading->parsed, "%s/%.*s", outer->prefix, length, own)
                                    : region_string(&loading->parsed, own, (size_t)length);
    if (prefix)
        prefix[text_cut(prefix, LONGEST_PART)] = '\0';
    return prefix;
}

static Status inline_function(Loading *loading, Scope *outer, const Where *where, BodyNode *call) {
    Function *function = call->callee;
    const Onnx__FunctionProto *proto = function->proto;
    if (outer->depth >= loading->options->max_depth)
        return where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                          "function calls are nested too deeply, or a function calls itself");
    if (call->proto->n_input > proto->n_input || call->proto->n_output > proto->n_output)
        return where_fail(loading, where, STRIDER_BAD_MODEL, "more inputs or outputs than the function has");
    TRY(prepare_call(loading, call));
    Scope inner = {.graph = outer->graph,
                   .body = &function->body,
                   .prefix = inner_prefix(loading, outer, call),
                   .imports = proto->n_opset_import ? &function->body.imports : outer->imports,
                   .function = text_or_empty(proto->name),
                   .depth = outer->depth + 1};
    if (!inner.prefix)
        return no_memory(loading);
    TRY(bind_attributes(loading, outer, call, &inner));
    TRY(bind_values(loading, outer, call, &inner));
    TRY(load_nodes(loading, &inner));
    return forward_outputs(loading, outer, call, &inner);
}

/* --- nodes --- */

static Status find_op(Loading *loading, const Where *where, const Op **op, int64_t *opset) {
    const char *domain = text_or_empty(where->proto->domain), *type = text_or_empty(where->proto->op_type);
    char message[300];
    *opset = imported_opset(where->scope->imports, domain);
    if (!*opset && is_default_domain(domain) && loading->model->ir_version < 3)
        *opset = 1; /* before IR 3 there were no imports */
    if (!*opset) {
        text_format(message, sizeof message, "the model imports no version of the operator domain \"%.100s\"",
                    domain);
        return where_fail(loading, where, op_exists(domain, type) ? STRIDER_BAD_MODEL : STRIDER_UNSUPPORTED,
                          message);
    }
    *op = op_find(domain, type, *opset);
    if (*op)
        return STRIDER_OK;
    if (op_exists(domain, type))
        text_format(message, sizeof message, "the operator does not exist at opset %" PRId64, *opset);
    else
        text_format(message, sizeof message,
                    "the operator is not supported (domain \"%.100s\", opset %" PRId64 ")",
                    is_default_domain(domain) ? "ai.onnx" : domain, *opset);
    return where_fail(loading, where, op_exists(domain, type) ? STRIDER_BAD_MODEL : STRIDER_UNSUPPORTED,
                      message);
}

static Status connect(Loading *loading, Scope *scope, const Where *where, const BodyNode *from, Node *node) {
    Value *value;
    for (int i = 0; i < from->n_inputs; i++)
        if (from->inputs[i] != NO_SLOT) {
            TRY(scope_value(loading, scope, from->inputs[i], &value));
            node_set_input(node, i, value);
        }
    for (int i = 0; i < from->n_outputs; i++) {
        if (from->outputs[i] == NO_SLOT)
            continue;
        TRY(scope_value(loading, scope, from->outputs[i], &value));
        if (!value || value->producer || value->constant || value->is_input) {
            char message[700];
            text_format(message, sizeof message, "output \"%.100s\" is already made elsewhere",
                        scope->body->names[from->outputs[i]].text);
            return where_fail(loading, where, STRIDER_BAD_MODEL, message);
        }
        node_set_output(node, i, value);
        value->declarer = node;
    }
    return STRIDER_OK;
}

static Status add_constant(Loading *loading, Scope *scope, const Where *where, const BodyNode *from) {
    const Onnx__NodeProto *proto = from->proto;
    AttrList attrs;
    Tensor tensor;
    Value *value;
    if (proto->n_output != 1 || from->n_outputs != 1 || proto->n_input)
        return where_fail(loading, where, STRIDER_BAD_MODEL, "it must have no input and one output");
    TRY(load_attributes(loading, scope->graph, from, scope->bound, &attrs));
    TRY(load_constant(loading, &attrs, text_or_empty(proto->name), &tensor));
    Status status = scope_value(loading, scope, from->outputs[0], &value);
    if (!status && (!value || value->producer || value->constant || value->is_input))
        status = where_fail(loading, where, STRIDER_BAD_MODEL, "its output is already made elsewhere");
    if (status) {
        tensor_free(&tensor);
        return status;
    }
    return load_parameter(loading, scope->graph, value, tensor);
}

static Status load_node(Loading *loading, Scope *scope, const Where *where, BodyNode *from) {
    const Onnx__NodeProto *proto = from->proto;
    Graph *graph = scope->graph;
    if (++loading->n_nodes > loading->options->max_nodes)
        return where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                          "the model has more nodes than the limit (max_nodes)");
    if (from->callee)
        return inline_function(loading, scope, where, from);
    if (is_default_domain(text_or_empty(proto->domain)) &&
        strcmp(text_or_empty(proto->op_type), "Constant") == 0)
        return add_constant(loading, scope, where, from);
    const Op *op = NULL;
    int64_t opset;
    TRY(find_op(loading, where, &op, &opset));
    Node *node;
    const int n_outputs = op->flags & OP_COUNTS_OUTPUTS ? (int)proto->n_output : from->n_outputs;
    TRY(graph_add_node(graph, op, text_or_empty(proto->name), from->n_inputs, n_outputs, &node,
                       loading->err));
    node->opset = (int)opset;
    node->source_index = (int)where->index;
    node->byte_offset = where->offset;
    node->torch_scope = from->torch_scope;
    AttrList attrs;
    TRY(load_attributes(loading, graph, from, scope->bound, &attrs));
    ParseContext parse = {.node = node, .attrs = &attrs, .region = &graph->region, .err = loading->err};
    if (op->parse)
        TRY(op->parse(&parse, node->attrs));
    TRY(connect(loading, scope, where, from, node));
    return op->bodies[0] ? load_bodies(loading, scope, where, from, node) : STRIDER_OK;
}

Status load_nodes(Loading *loading, Scope *scope) {
    for (size_t i = 0; i < scope->body->n_nodes; i++) {
        BodyNode *node = &scope->body->nodes[i];
        Where where = {node->proto, scope, i, -1};
        if (!scope->function && !scope->graph->outer && i < loading->scan.n_nodes)
            where.offset = (int64_t)loading->scan.node_offsets[i];
        TRY(load_node(loading, scope, &where, node));
    }
    return STRIDER_OK;
}
