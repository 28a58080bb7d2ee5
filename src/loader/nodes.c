/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "loader/foreign.h"
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

Status scope_claim(Loading *loading, Scope *scope, const Where *where, int slot, Value **value) {
    char message[300];
    TRY(scope_value(loading, scope, slot, value));
    if (*value && !(*value)->producer && !(*value)->constant && !(*value)->is_input)
        return STRIDER_OK;
    text_format(message, sizeof message, "output \"%.100s\" is already made elsewhere",
                scope->body->names[slot].text);
    return where_fail(loading, where, STRIDER_BAD_MODEL, message);
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
                   .imports = function_imports(function, outer->imports),
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

static int64_t find_opset(const Loading *loading, const Where *where) {
    const char *domain = text_or_empty(where->proto->domain);
    const int64_t opset = imported_opset(where->scope->imports, domain);
    /* Before IR 3 there were no imports. */
    return !opset && is_default_domain(domain) && loading->model->ir_version < 3 ? 1 : opset;
}

static bool is_constant(const Onnx__NodeProto *proto) {
    return is_default_domain(text_or_empty(proto->domain)) &&
           strcmp(text_or_empty(proto->op_type), "Constant") == 0;
}

bool has_operator(const Loading *loading, const Where *where, int64_t *opset) {
    const char *domain = text_or_empty(where->proto->domain), *type = text_or_empty(where->proto->op_type);
    *opset = find_opset(loading, where);
    return is_constant(where->proto) || op_exists(domain, type) || op_find(domain, type, *opset) ||
           foreign_find(domain, type, *opset);
}

static Status find_op(Loading *loading, const Where *where, int64_t opset, const Op **op) {
    const char *domain = text_or_empty(where->proto->domain), *type = text_or_empty(where->proto->op_type);
    char message[300];
    *op = op_find(domain, type, opset);
    if (*op)
        return STRIDER_OK;
    if (opset)
        text_format(message, sizeof message, "the operator does not exist at opset %" PRId64, opset);
    else
        text_format(message, sizeof message, "the model imports no version of the operator domain \"%.100s\"",
                    domain);
    return where_fail(loading, where, STRIDER_BAD_MODEL, message);
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
        TRY(scope_claim(loading, scope, where, from->outputs[i], &value));
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
    const Status status = scope_claim(loading, scope, where, from->outputs[0], &value);
    if (status) {
        tensor_free(&tensor);
        return status;
    }
    return load_parameter(loading, scope->graph, value, tensor);
}

static Status count_node(Loading *loading, const Where *where) {
    return ++loading->n_nodes > loading->options->max_nodes
               ? where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                            "the model has more nodes than the limit (max_nodes)")
               : STRIDER_OK;
}

Status add_loaded_node(Loading *loading, Scope *scope, const Where *where, const Op *op, int64_t opset,
                       int n_inputs, int n_outputs, Node **node) {
    TRY(count_node(loading, where));
    TRY(graph_add_node(scope->graph, op, text_or_empty(where->proto->name), n_inputs, n_outputs, node,
                       loading->err));
    (*node)->opset = (int)opset;
    (*node)->source_index = (int)where->index;
    (*node)->byte_offset = where->offset;
    return STRIDER_OK;
}

/* A node of an operator that Strider has, at that opset. */
static Status add_node(Loading *loading, Scope *scope, const Where *where, const BodyNode *from, const Op *op,
                       int64_t opset) {
    Graph *graph = scope->graph;
    Node *node;
    AttrList attrs;
    const int n_outputs = op->flags & OP_COUNTS_OUTPUTS ? (int)from->proto->n_output : from->n_outputs;
    TRY(add_loaded_node(loading, scope, where, op, opset, from->n_inputs, n_outputs, &node));
    node->torch_scope = from->torch_scope;
    TRY(load_attributes(loading, graph, from, scope->bound, &attrs));
    ParseContext parse = {.node = node, .attrs = &attrs, .region = &graph->region, .err = loading->err};
    if (op->parse)
        TRY(op->parse(&parse, node->attrs));
    TRY(warn_of_unknown(loading, where, op, &attrs));
    TRY(connect(loading, scope, where, from, node));
    return op->bodies[0] ? load_bodies(loading, scope, where, from, node) : STRIDER_OK;
}

static Status load_node(Loading *loading, Scope *scope, const Where *where, BodyNode *from) {
    const Onnx__NodeProto *proto = from->proto;
    const int64_t opset = find_opset(loading, where);
    const Foreign *foreign = foreign_find(text_or_empty(proto->domain), text_or_empty(proto->op_type), opset);
    const Op *op = NULL;
    if (from->callee) {
        TRY(count_node(loading, where));
        return inline_function(loading, scope, where, from);
    }
    if (is_constant(proto)) {
        TRY(count_node(loading, where));
        return add_constant(loading, scope, where, from);
    }
    if (foreign && foreign->expand)
        return expand_foreign(loading, scope, where, from, foreign);
    if (foreign)
        return add_node(loading, scope, where, from, op_find("", foreign->as, foreign->opset),
                        foreign->opset);
    TRY(find_op(loading, where, opset, &op));
    return add_node(loading, scope, where, from, op, opset);
}

Where make_where(const Loading *loading, const Scope *scope, const BodyNode *node, size_t index) {
    const bool is_models = !scope->function && !scope->body->outer && index < loading->scan.n_nodes;
    return (Where){node->proto, scope, index, is_models ? (int64_t)loading->scan.node_offsets[index] : -1};
}

/* Those that depend on other nodes, or all others. */
static Status load_some(Loading *loading, Scope *scope, bool reads_graph) {
    for (size_t i = 0; i < scope->body->n_nodes; i++) {
        BodyNode *node = &scope->body->nodes[i];
        const Where where = make_where(loading, scope, node, i);
        if (foreign_reads_graph(node) == reads_graph)
            TRY(load_node(loading, scope, &where, node));
    }
    return STRIDER_OK;
}

Status load_nodes(Loading *loading, Scope *scope) {
    TRY(load_some(loading, scope, false));
    return load_some(loading, scope, true);
}
