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

static Status load_initializers(Loading *loading, Scope *scope, const Onnx__GraphProto *proto) {
    if (proto->n_sparse_initializer)
        return fail(loading->err, STRIDER_UNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < proto->n_initializer; i++) {
        const Onnx__TensorProto *initializer = proto->initializer[i];
        Value *value;
        Tensor tensor;
        if (!text_or_empty(initializer->name)[0])
            return fail(loading->err, STRIDER_BAD_MODEL, "initializer %zu has no name", i);
        const int slot = body_find_slot(scope->body, initializer->name);
        if (scope->values[slot])
            return fail(loading->err, STRIDER_BAD_MODEL, "two initializers are called \"%.120s\"",
                        initializer->name);
        TRY(load_tensor(&loading->scan, loading->files->items[0], loading->files, loading->options,
                        scope->graph->region.allocator, initializer, &tensor, loading->err));
        Status status = scope_value(loading, scope, slot, &value);
        if (status) {
            tensor_free(&tensor);
            return status;
        }
        TRY(load_parameter(loading, scope->graph, value, tensor));
    }
    return STRIDER_OK;
}

static Status load_inputs(Loading *loading, Scope *scope, const Onnx__GraphProto *proto) {
    for (size_t i = 0; i < proto->n_input; i++) {
        Value *value;
        if (!text_or_empty(proto->input[i]->name)[0])
            return fail(loading->err, STRIDER_BAD_MODEL, "graph input %zu has no name", i);
        TRY(scope_value(loading, scope, body_find_slot(scope->body, proto->input[i]->name), &value));
        if (value->is_input)
            return fail(loading->err, STRIDER_BAD_MODEL, "two graph inputs are called \"%.120s\"",
                        value->name);
        if (value->constant && (scope->graph->outer || loading->model->ir_version < 4))
            continue; /* every initializer had to stand among the inputs before IR 4, and no node can give one
                       * of a body: a constant, not an input */
        TRY(load_value_type(loading, proto->input[i], !scope->graph->outer, &value->declared));
        value->default_value = value->constant;
        value->constant = NULL;
        value->type = value->declared;
        TRY(graph_add_input(scope->graph, value, loading->err));
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
