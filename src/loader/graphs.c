/* SPDX-License-Identifier: Apache-2.0 */
/* GraphProto to Graph: the model's, and the bodies of nodes. */
#include <string.h>

#include "loader/loading.h"

Status load_parameter(Loading *loading, Graph *graph, Value *value, Tensor tensor) {
    TRY(graph_set_constant(graph, value, tensor, loading->err));
    loading->model->parameter_count += (uint64_t)tensor_elements(value->constant);
    loading->model->parameter_bytes += value->constant->size_bytes;
    return STRIDER_OK;
}

/* Whether it is the model's graph, read for the second time. */
static bool is_overridable(const Loading *loading, const Graph *graph) {
    return graph == loading->model->overridable;
}

static Status load_initializer(Loading *loading, Graph *graph, const Onnx__TensorProto *proto, Value *value) {
    Tensor tensor;
    if (is_overridable(loading, graph)) {
        const Value *first = graph_find_value(&loading->model->graph, proto->name);
        value->constant = first->constant;
        value->type = first->type;
        return STRIDER_OK;
    }
    TRY(load_tensor(&loading->scan, loading->files->items[0], loading->files, loading->options,
                    graph->region.allocator, proto, &tensor, loading->err));
    return load_parameter(loading, graph, value, tensor);
}

static Status load_initializers(Loading *loading, Scope *scope, const Onnx__GraphProto *proto) {
    if (proto->n_sparse_initializer)
        return fail(loading->err, STRIDER_UNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *initializer = proto->initializer[i];
        Value *value;
        if (!text_or_empty(initializer->name)[0])
            return fail(loading->err, STRIDER_BAD_MODEL, "initializer %zu has no name", i);
        const int slot = body_find_slot(scope->body, initializer->name);
        if (scope->values[slot])
            return fail(loading->err, STRIDER_BAD_MODEL, "two initializers are called \"%.120s\"",
                        initializer->name);
        TRY(scope_value(loading, scope, slot, &value));
        TRY(load_initializer(loading, scope->graph, initializer, value));
    }
    return STRIDER_OK;
}

/* An input that has an initializer.  Before IR 4 every initializer had to stand among the inputs, and no node
 * can give one of a body: a constant, and no input at all.  Else a default value. */
static bool is_constant_input(Loading *loading, const Graph *graph) {
    const bool is_default = !graph->outer && loading->model->ir_version >= 4;
    loading->has_defaults |= is_default;
    return !is_default || !is_overridable(loading, graph);
}

static Status load_inputs(Loading *loading, Scope *scope, const Onnx__GraphProto *proto) {
    Graph *graph = scope->graph;
    for (size_t i = 0; i < proto->n_input; i++) {
        Value *value;
        if (!text_or_empty(proto->input[i]->name)[0])
            return fail(loading->err, STRIDER_BAD_MODEL, "graph input %zu has no name", i);
        TRY(scope_value(loading, scope, body_find_slot(scope->body, proto->input[i]->name), &value));
        if (value->is_input)
            return fail(loading->err, STRIDER_BAD_MODEL, "two graph inputs are called \"%.120s\"",
                        value->name);
        if (value->constant && is_constant_input(loading, graph))
            continue;
        TRY(load_value_type(loading, proto->input[i], !graph->outer, &value->declared));
        value->default_value = value->constant;
        value->constant = NULL;
        value->type = value->declared;
        TRY(graph_add_input(graph, value, loading->err));
    }
    return STRIDER_OK;
}

static Status load_declarations(Loading *loading, Scope *scope, size_t n, Onnx__ValueInfoProto **infos,
                                bool outputs) {
    Graph *graph = scope->graph;
    for (size_t i = 0; i < n; i++) {
        const char *name = text_or_empty(infos[i]->name);
        const int slot = body_find_slot(scope->body, name);
        Value *value = NULL;
        ValueType declared;
        if (slot != NO_SLOT && scope->values[slot])
            TRY(scope_value(loading, scope, slot, &value));
        if (outputs && !value)
            return fail(loading->err, STRIDER_BAD_MODEL, "graph output \"%.120s\" is made by no node", name);
        if (!value)
            continue;
        TRY(load_value_type(loading, infos[i], outputs && !graph->outer, &declared));
        if (!value->is_input && !value->constant)
            value->declared = declared;
        if (outputs)
            TRY(graph_add_output(graph, value, loading->err));
    }
    return STRIDER_OK;
}

Status load_graph(Loading *loading, Scope *scope, size_t n_captured, Value *const *captured) {
    const Onnx__GraphProto *proto = scope->body->proto;
    Graph *graph = scope->graph;
    const char *name = text_or_empty(proto->name);
    graph->name = region_string(&graph->region, name, strlen(name));
    if (!graph->name)
        return no_memory(loading);
    TRY(load_initializers(loading, scope, proto));
    TRY(load_inputs(loading, scope, proto));
    for (size_t i = 0; i < n_captured; i++)
        TRY(graph_add_input(graph, captured[i], loading->err));
    TRY(load_nodes(loading, scope));
    TRY(load_declarations(loading, scope, proto->n_value_info, proto->value_info, false));
    TRY(load_declarations(loading, scope, proto->n_output, proto->output, true));
    TRY(graph_validate(graph, loading->err));
    return graph_sort(graph, loading->err);
}
