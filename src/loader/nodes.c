/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "graph/op.h"
#include "loader/loading.h"
#include "ops/op.h"

static Status no_memory(Loading *loading) {
    return fail(loading->err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

static const char *text_or_empty(const char *text) {
    return text ? text : "";
}

/* A node that is being loaded, for messages. */
typedef struct Where {
    const Onnx__NodeProto *proto;
    const Scope *scope;
    size_t index;   /* in its graph or function */
    int64_t offset; /* in the file, or -1 */
} Where;

static Status where_fail(Loading *loading, const Where *where, Status status, const char *message) {
    char place[160] = "";
    if (where->scope->function)
        snprintf(place, sizeof place, "function \"%.100s\": ", where->scope->function);
    status =
        fail_at(loading->err, status, where->offset, "%snode %zu \"%.100s\" (%.60s): %s", place, where->index,
                text_or_empty(where->proto->name), text_or_empty(where->proto->op_type), message);
    if (loading->err) {
        snprintf(loading->err->node, sizeof loading->err->node, "%s", text_or_empty(where->proto->name));
        snprintf(loading->err->op, sizeof loading->err->op, "%s", text_or_empty(where->proto->op_type));
    }
    return status;
}

Status scope_value(Loading *loading, Scope *scope, const char *name, Value **value) {
    void *found = NULL;
    if (names_find(&scope->values, name, &found)) {
        *value = found;
        return STRIDER_OK;
    }
    Graph *graph = loading->graph;
    const char *full = name;
    /* The model's own names stay as they are; those in functions give way. */
    Value *taken = scope->prefix[0] ? NULL : graph_find_value(graph, name);
    if (taken)
        TRY(graph_rename_value(graph, taken, loading->err));
    if (scope->prefix[0]) {
        full = region_format(&graph->region, "%s/%s", scope->prefix, name);
        if (!full)
            return no_memory(loading);
        if (graph_find_value(graph, full))
            TRY(graph_unique_name(graph, full, &full, loading->err));
    }
    TRY(graph_add_value(graph, full, value, loading->err));
    if (!names_add(&scope->values, name, *value))
        return no_memory(loading);
    return STRIDER_OK;
}

static bool is_default_domain(const char *domain) {
    return !domain[0] || strcmp(domain, "ai.onnx") == 0;
}

/* 0 where the domain is not imported. */
static int64_t imported_opset(const Scope *scope, const char *domain) {
    for (size_t i = 0; i < scope->n_opsets; i++) {
        const char *imported = text_or_empty(scope->opsets[i]->domain);
        if (strcmp(imported, domain) == 0 || (is_default_domain(imported) && is_default_domain(domain)))
            return scope->opsets[i]->version;
    }
    return 0;
}

static const Onnx__FunctionProto *find_function(const Loading *loading, const Onnx__NodeProto *proto) {
    const Onnx__ModelProto *model = loading->proto;
    for (size_t i = 0; model && i < model->n_functions; i++) {
        const Onnx__FunctionProto *function = model->functions[i];
        if (strcmp(text_or_empty(function->name), text_or_empty(proto->op_type)) == 0 &&
            strcmp(text_or_empty(function->domain), text_or_empty(proto->domain)) == 0 &&
            strcmp(text_or_empty(function->overload), text_or_empty(proto->overload)) == 0)
            return function;
    }
    return NULL;
}

/* The module path that torch's exporter leaves: a list such as ['', 'layer1', 'layer1.0.conv1'], of which the
 * last is the innermost. */
static const char *torch_scope(Loading *loading, const Onnx__NodeProto *proto) {
    for (size_t i = 0; i < proto->n_metadata_props; i++) {
        const char *key = text_or_empty(proto->metadata_props[i]->key);
        const char *text = text_or_empty(proto->metadata_props[i]->value);
        if (strcmp(key, "pkg.torch.onnx.name_scopes") != 0)
            continue;
        const char *end = strrchr(text, '\'');
        const char *begin = end;
        while (begin && begin > text && begin[-1] != '\'')
            begin--;
        /* The last entry is the node's own name; the one before it, the module's. */
        const char *previous_end =
            begin && begin - 1 > text ? memrchr(text, '\'', (size_t)(begin - 1 - text)) : NULL;
        const char *previous = previous_end;
        while (previous && previous > text && previous[-1] != '\'')
            previous--;
        if (previous_end)
            return text_or_empty(
                region_string(&loading->graph->region, previous, (size_t)(previous_end - previous)));
    }
    return "";
}

/* --- local functions
 * ------------------------------------------------------------------------------------------- */

static Status bind_attributes(Loading *loading, const Onnx__NodeProto *call,
                              const Onnx__FunctionProto *function, const Bindings *outer,
                              Bindings *bindings) {
    size_t most = call->n_attribute + function->n_attribute_proto;
    const Onnx__AttributeProto **items = region_take_array(&loading->parsed, most, sizeof *items);
    if (!items)
        return no_memory(loading);
    *bindings = (Bindings){.items = items};
    for (size_t i = 0; i < call->n_attribute; i++) {
        const Onnx__AttributeProto *resolved = resolve_attribute(call->attribute[i], outer);
        if (!resolved)
            continue;
        if (resolved != call->attribute[i]) { /* found under the outer name, needed under the inner one */
            Onnx__AttributeProto *renamed = region_take(&loading->parsed, sizeof *renamed);
            if (!renamed)
                return no_memory(loading);
            *renamed = *resolved;
            renamed->name = call->attribute[i]->name;
            resolved = renamed;
        }
        items[bindings->count++] = resolved;
    }
    for (size_t i = 0; i < function->n_attribute_proto; i++) /* defaults, behind what was given */
        items[bindings->count++] = function->attribute_proto[i];
    return STRIDER_OK;
}

static Status bind_values(Loading *loading, Scope *outer, const Onnx__NodeProto *call,
                          const Onnx__FunctionProto *function, Scope *inner) {
    for (size_t i = 0; i < function->n_input; i++) {
        Value *value = NULL;
        if (i < call->n_input && call->input[i][0])
            TRY(scope_value(loading, outer, call->input[i], &value));
        if (names_find(&inner->values, function->input[i], NULL))
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "function \"%.100s\": two inputs are called \"%.100s\"",
                        text_or_empty(function->name), function->input[i]);
        if (!names_add(&inner->values, function->input[i], value))
            return no_memory(loading);
    }
    for (size_t i = 0; i < call->n_output && i < function->n_output; i++) {
        Value *value;
        if (!call->output[i][0] || names_find(&inner->values, function->output[i], NULL))
            continue;
        TRY(scope_value(loading, outer, call->output[i], &value));
        if (!names_add(&inner->values, function->output[i], value))
            return no_memory(loading);
    }
    return STRIDER_OK;
}

/* Outputs that are the function's inputs, or another of its outputs again, have no node that could write to
 * the caller's value. */
static Status forward_outputs(Loading *loading, Scope *outer, const Onnx__NodeProto *call,
                              const Onnx__FunctionProto *function, const Scope *inner) {
    for (size_t i = 0; i < call->n_output && i < function->n_output; i++) {
        Value *to;
        void *from = NULL;
        if (!call->output[i][0])
            continue;
        TRY(scope_value(loading, outer, call->output[i], &to));
        if (!names_find(&inner->values, function->output[i], &from) || from == to)
            continue;
        const Op *identity = op_find("", "Identity", 1);
        Node *node;
        if (!from || !identity)
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "function \"%.100s\": output \"%.100s\" is an absent input",
                        text_or_empty(function->name), function->output[i]);
        TRY(graph_add_node(loading->graph, identity, text_or_empty(call->name), 1, 1, &node, loading->err));
        node->opset = 1;
        node_set_input(node, 0, from);
        node_set_output(node, 0, to);
    }
    return STRIDER_OK;
}

static Status inline_function(Loading *loading, Scope *outer, const Where *where,
                              const Onnx__FunctionProto *function) {
    const Onnx__NodeProto *call = where->proto;
    Graph *graph = loading->graph;
    if (outer->depth >= loading->options->max_depth)
        return where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                          "function calls are nested too deeply, or a function calls itself");
    if (call->n_input > function->n_input || call->n_output > function->n_output)
        return where_fail(loading, where, STRIDER_BAD_MODEL, "more inputs or outputs than the function has");
    Bindings bindings;
    TRY(bind_attributes(loading, call, function, outer->bindings, &bindings));
    const char *own = text_or_empty(call->name)[0] ? call->name : text_or_empty(call->op_type);
    Scope inner = {.values = {.region = &loading->parsed},
                   .bindings = &bindings,
                   .n_opsets = function->n_opset_import,
                   .opsets = function->opset_import,
                   .function = text_or_empty(function->name),
                   .depth = outer->depth + 1};
    inner.prefix = outer->prefix[0] ? region_format(&graph->region, "%s/%s", outer->prefix, own) : own;
    if (!inner.prefix)
        return no_memory(loading);
    if (!function->n_opset_import) {
        inner.n_opsets = outer->n_opsets;
        inner.opsets = outer->opsets;
    }
    TRY(bind_values(loading, outer, call, function, &inner));
    TRY(load_nodes(loading, &inner, function->n_node, function->node));
    return forward_outputs(loading, outer, call, function, &inner);
}

/* --- nodes
 * ----------------------------------------------------------------------------------------------------- */

static Status find_op(Loading *loading, const Where *where, const Op **op, int64_t *opset) {
    const char *domain = text_or_empty(where->proto->domain), *type = text_or_empty(where->proto->op_type);
    char message[300];
    *opset = imported_opset(where->scope, domain);
    if (!*opset && is_default_domain(domain) && loading->model->ir_version < 3)
        *opset = 1; /* before IR 3 there were no imports */
    if (!*opset) {
        snprintf(message, sizeof message, "the model imports no version of the operator domain \"%.100s\"",
                 domain);
        return where_fail(loading, where, op_exists(domain, type) ? STRIDER_BAD_MODEL : STRIDER_UNSUPPORTED,
                          message);
    }
    *op = op_find(domain, type, *opset);
    if (*op)
        return STRIDER_OK;
    if (op_exists(domain, type))
        snprintf(message, sizeof message, "the operator does not exist at opset %" PRId64, *opset);
    else
        snprintf(message, sizeof message,
                 "the operator is not supported (domain \"%.100s\", opset %" PRId64 ")",
                 is_default_domain(domain) ? "ai.onnx" : domain, *opset);
    return where_fail(loading, where, op_exists(domain, type) ? STRIDER_BAD_MODEL : STRIDER_UNSUPPORTED,
                      message);
}

static Status connect(Loading *loading, Scope *scope, const Where *where, Node *node) {
    const Onnx__NodeProto *proto = where->proto;
    Value *value;
    for (int i = 0; i < node->n_inputs; i++)
        if (proto->input[i][0]) {
            TRY(scope_value(loading, scope, proto->input[i], &value));
            node_set_input(node, i, value);
        }
    for (int i = 0; i < node->n_outputs; i++) {
        if (!proto->output[i][0])
            continue;
        TRY(scope_value(loading, scope, proto->output[i], &value));
        if (!value || value->producer || value->constant || value->is_input) {
            char message[200];
            snprintf(message, sizeof message, "output \"%.100s\" is already made elsewhere",
                     proto->output[i]);
            return where_fail(loading, where, STRIDER_BAD_MODEL, message);
        }
        node_set_output(node, i, value);
    }
    return STRIDER_OK;
}

/* Trailing empty names are the same as none. */
static int count_ports(size_t n, char **names) {
    while (n && !names[n - 1][0])
        n--;
    return (int)n;
}

static Status add_constant(Loading *loading, Scope *scope, const Where *where) {
    const Onnx__NodeProto *proto = where->proto;
    AttrList attrs;
    Tensor tensor;
    Value *value;
    if (proto->n_output != 1 || proto->n_input)
        return where_fail(loading, where, STRIDER_BAD_MODEL, "it must have no input and one output");
    TRY(load_attributes(loading, proto, scope->bindings, &attrs));
    TRY(load_constant(loading, &attrs, text_or_empty(proto->name), &tensor));
    Status status = scope_value(loading, scope, proto->output[0], &value);
    if (!status && (value->producer || value->constant || value->is_input))
        status = where_fail(loading, where, STRIDER_BAD_MODEL, "its output is already made elsewhere");
    if (status) {
        tensor_free(&tensor);
        return status;
    }
    return graph_set_constant(loading->graph, value, tensor, loading->err);
}

static Status load_node(Loading *loading, Scope *scope, const Where *where) {
    const Onnx__NodeProto *proto = where->proto;
    Graph *graph = loading->graph;
    if (++loading->n_nodes > loading->options->max_nodes)
        return where_fail(loading, where, STRIDER_LIMIT_EXCEEDED,
                          "the model has more nodes than the limit (max_nodes)");
    const Onnx__FunctionProto *function = find_function(loading, proto);
    if (function)
        return inline_function(loading, scope, where, function);
    if (is_default_domain(text_or_empty(proto->domain)) &&
        strcmp(text_or_empty(proto->op_type), "Constant") == 0)
        return add_constant(loading, scope, where);
    const Op *op = NULL;
    int64_t opset;
    TRY(find_op(loading, where, &op, &opset));
    Node *node;
    TRY(graph_add_node(graph, op, text_or_empty(proto->name), count_ports(proto->n_input, proto->input),
                       count_ports(proto->n_output, proto->output), &node, loading->err));
    node->opset = (int)(opset > INT32_MAX ? INT32_MAX : opset);
    node->source_index = (int)where->index;
    node->byte_offset = where->offset;
    node->torch_scope = torch_scope(loading, proto);
    AttrList attrs;
    TRY(load_attributes(loading, proto, scope->bindings, &attrs));
    ParseContext parse = {.node = node, .attrs = &attrs, .region = &graph->region, .err = loading->err};
    if (op->parse)
        TRY(op->parse(&parse, node->attrs));
    return connect(loading, scope, where, node);
}

Status load_nodes(Loading *loading, Scope *scope, size_t n_nodes, Onnx__NodeProto **nodes) {
    for (size_t i = 0; i < n_nodes; i++) {
        Where where = {nodes[i], scope, i, -1};
        if (!scope->function && i < loading->scan.n_nodes)
            where.offset = (int64_t)loading->scan.node_offsets[i];
        TRY(load_node(loading, scope, &where));
    }
    return STRIDER_OK;
}
