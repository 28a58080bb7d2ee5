/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions on models; those on sessions are in run/session.c. */
#include <string.h>

#include "base/size.h"
#include "graph/op.h"
#include "loader/loader.h"
#include "optimize/optimize.h"
#include "run/model.h"

/* A model, and what it was loaded into. */
typedef struct OwnedModel {
    strider_model model; /* the first, so that a pointer to it is one to all */
    LoadedModel loaded;
} OwnedModel;

static const LoadedModel *loaded_of(const strider_model *model) {
    return &((const OwnedModel *)model)->loaded;
}

static Status set_input_shape(Graph *graph, const strider_input_shape *given, Error *err) {
    Value *value = given->name ? graph_find_value(graph, given->name) : NULL;
    if (!value || !value->is_input)
        return fail(err, STRIDER_INVALID_ARGUMENT, "the model has no input \"%s\", whose shape was given",
                    given->name ? given->name : "");
    Shape *declared = &value->declared.shape;
    bool fits = given->rank >= 0 && given->rank <= MAX_RANK;
    for (int i = 0; fits && i < given->rank; i++)
        fits = given->dims[i] >= DIM_UNKNOWN;
    if (!fits || (declared->rank >= 0 && declared->rank != given->rank)) {
        char text[SHAPE_TEXT];
        return fail(err, STRIDER_INVALID_ARGUMENT,
                    "a shape of %d dimensions was given for input \"%s\", which has the shape %s",
                    given->rank, value->name, shape_text(declared, text));
    }
    *declared = shape_make(given->rank, given->dims);
    return STRIDER_OK;
}

/* Input shapes that were given hold for both graphs of a model. */
static void copy_declarations(const Graph *from, Graph *to) {
    for (size_t i = 0; i < to->n_inputs; i++)
        to->inputs[i]->declared = graph_find_value(from, to->inputs[i]->name)->declared;
}

/* Both graphs have the model's inputs in one order, but one lacks those that have a default. */
static Status number_inputs(const Graph *graph, const Graph *border, Region *region, const int **numbers,
                            Error *err) {
    int *made = region_alloc_array(region, graph->n_inputs, sizeof *made);
    if (!made)
        return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
    for (size_t i = 0, at = 0; i < graph->n_inputs; i++, at++) {
        while (strcmp(border->inputs[at]->name, graph->inputs[i]->name) != 0)
            at++;
        made[i] = (int)at;
    }
    *numbers = made;
    return STRIDER_OK;
}

static Status make_program(strider_model *model, const LoadOptions *options, const Log *log, Graph *graph,
                           ModelProgram *made, Error *err) {
    TRY(graph_infer(graph, model->shapes, log, err));
    if (options->optimize)
        TRY(optimize_graph(graph, err));
    TRY(program_make(graph, &graph->region, &model->n_partitions, &made->program, err));
    return number_inputs(graph, model->border, &graph->region, &made->inputs, err);
}

static Status finish(OwnedModel *owned, const LoadOptions *options, Error *err) {
    strider_model *model = &owned->model;
    Graph *graph = &owned->loaded.graph, *overridable = owned->loaded.overridable;
    Graph *border = overridable ? overridable : graph;
    model->graph = graph;
    model->border = border;
    model->host = cpu_device(model->allocator);
    const PackMemory memory = device_pack_memory(&model->host);
    plan_cache_init(&model->plans, model->allocator);
    TRY(pack_cache_init(&model->packs, &memory, err));
    for (size_t i = 0; i < options->input_shape_count; i++)
        TRY(set_input_shape(border, &options->input_shapes[i], err));
    if (overridable)
        copy_declarations(overridable, graph);
    TRY(make_program(model, options, &model->log, graph, &model->fixed, err));
    /* What there is to say of shapes has been said. */
    return overridable ? make_program(model, options, NULL, overridable, &model->overridable, err)
                       : STRIDER_OK;
}

typedef struct Source {
    const char *path; /* NULL: memory */
    const void *data;
    size_t size_bytes;
    const char *folder;
} Source;

static Status load(const Source *source, const strider_load_options *options, strider_model **model,
                   Error *err) {
    *model = NULL;
    LoadOptions used = options ? *options : strider_load_options_default();
    if (!used.allocator)
        used.allocator = allocator_default();
    OwnedModel *made = memory_alloc_zeroed(used.allocator, 1, sizeof *made);
    if (!made)
        return fail_memory(err, sizeof *made, "a model");
    made->model = (strider_model){.allocator = used.allocator,
                                  .shapes = used.input_shape_count ? STRIDER_SHAPES_WARN : used.shapes,
                                  .log = {used.log, used.log_context}};
    Status status = source->path ? loader_load_file(source->path, &used, &made->loaded, err)
                                 : loader_load_memory(source->data, source->size_bytes, source->folder, &used,
                                                      &made->loaded, err);
    if (status) {
        memory_free(used.allocator, made);
        return status;
    }
    status = loader_status(&made->loaded, finish(made, &used, err), err);
    if (status) {
        strider_model_free(&made->model);
        return status;
    }
    *model = &made->model;
    return STRIDER_OK;
}

strider_status strider_model_load(const char *path, const strider_load_options *options,
                                  strider_model **model, strider_error *error) {
    return load(&(Source){.path = path}, options, model, error);
}

strider_status strider_model_load_memory(const void *data, size_t size, const char *folder,
                                         const strider_load_options *options, strider_model **model,
                                         strider_error *error) {
    return load(&(Source){.data = data, .size_bytes = size, .folder = folder}, options, model, error);
}

void strider_model_free(strider_model *model) {
    if (!model)
        return;
    const Allocator *allocator = model->allocator;
    plan_cache_free(&model->plans);
    pack_cache_free(&model->packs);
    loader_unload(&((OwnedModel *)model)->loaded);
    memory_free(allocator, model);
}

/* --- questions --- */

strider_model_info strider_model_get_info(const strider_model *model) {
    const LoadedModel *loaded = loaded_of(model);
    return (strider_model_info){.ir_version = loaded->ir_version,
                                .opset = loaded->opset,
                                .producer_name = loaded->producer_name,
                                .producer_version = loaded->producer_version,
                                .graph_name = loaded->graph.name,
                                .node_count = loaded->graph.n_nodes,
                                .parameter_count = loaded->parameter_count,
                                .parameter_bytes = loaded->parameter_bytes};
}

static strider_value_info describe(const strider_model *model, const Value *value) {
    strider_value_info info = {.name = "", .rank = -1};
    if (!value)
        return info;
    const ValueType *type = value->is_input ? &value->declared : &value->type;
    info = (strider_value_info){.name = value->name,
                                .dtype = type->dtype,
                                .rank = type->shape.rank,
                                .is_optional = value->default_value != NULL,
                                .kind = (strider_value_kind)type->kind,
                                .held = (strider_value_kind)type->held};
    for (int i = 0; i < type->shape.rank; i++) {
        info.dims[i] = type->shape.dims[i] < 0 ? -1 : type->shape.dims[i];
        info.dim_names[i] = symbol_text(model->graph->symbols, type->shape.dims[i]);
    }
    return info;
}

size_t strider_model_input_count(const strider_model *model) {
    return model->border->n_inputs;
}

size_t strider_model_output_count(const strider_model *model) {
    return model->border->n_outputs;
}

strider_status strider_model_get_input(const strider_model *model, size_t index, strider_value_info *info) {
    if (index >= model->border->n_inputs)
        return STRIDER_INVALID_ARGUMENT;
    *info = describe(model, model->border->inputs[index]);
    return STRIDER_OK;
}

strider_status strider_model_get_output(const strider_model *model, size_t index, strider_value_info *info) {
    if (index >= model->border->n_outputs)
        return STRIDER_INVALID_ARGUMENT;
    *info = describe(model, model->border->outputs[index]);
    return STRIDER_OK;
}

static const Node *node_at(const strider_model *model, size_t index) {
    return index < model->graph->n_nodes ? model->graph->nodes[index] : NULL;
}

strider_status strider_model_get_node(const strider_model *model, size_t index, strider_node_info *info) {
    const Node *node = node_at(model, index);
    if (!node)
        return STRIDER_INVALID_ARGUMENT;
    *info = (strider_node_info){.name = node->name,
                                .op_type = node->op->name,
                                .domain = node->op->domain ? node->op->domain : "",
                                .torch_scope = node->torch_scope,
                                .fused = node->fused ? node->fused : "",
                                .input_count = (size_t)node->n_inputs,
                                .output_count = (size_t)node->n_outputs};
    return STRIDER_OK;
}

strider_status strider_model_get_node_input(const strider_model *model, size_t node, size_t port,
                                            strider_value_info *info) {
    const Node *at = node_at(model, node);
    if (!at || port >= (size_t)at->n_inputs)
        return STRIDER_INVALID_ARGUMENT;
    *info = describe(model, at->inputs[port]);
    return STRIDER_OK;
}

strider_status strider_model_get_node_output(const strider_model *model, size_t node, size_t port,
                                             strider_value_info *info) {
    const Node *at = node_at(model, node);
    if (!at || port >= (size_t)at->n_outputs)
        return STRIDER_INVALID_ARGUMENT;
    *info = describe(model, at->outputs[port]);
    return STRIDER_OK;
}

strider_status strider_model_get_node_formula(const strider_model *model, size_t node, char *text,
                                              size_t size) {
    const Node *at = node_at(model, node);
    if (!at || !text || !size)
        return STRIDER_INVALID_ARGUMENT;
    text[0] = '\0';
    if (at->op->explain_shape) {
        char formula[EXPLANATION_TEXT];
        strncat(text, at->op->explain_shape(at, &at->inputs[0]->type.shape, formula), size - 1);
    }
    return STRIDER_OK;
}

strider_status strider_tensor_from_onnx(const void *data, size_t size, strider_tensor *tensor, char *name,
                                        size_t name_size, strider_error *error) {
    Tensor read;
    *tensor = (strider_tensor){0};
    TRY(loader_read_tensor(data, size, allocator_default(), &read, name, name_size, error));
    *tensor = tensor_to_public(&read);
    return STRIDER_OK;
}

void strider_tensor_free(strider_tensor *tensor) {
    memory_free(allocator_default(), tensor->data);
    *tensor = (strider_tensor){0};
}

/* Nobody else holds what was just read: its memory goes over to the caller.  Sequences hold tensors,
 * optionals one of both: this ends after two levels. */
static Status take_value(RunValue *from, strider_value *to, Error *err) {
    *to = (strider_value){.kind = (strider_value_kind)from->kind, .dtype = from->dtype};
    if (from->kind == VALUE_TENSOR) {
        to->tensor = tensor_to_public(&from->tensor);
        from->tensor.data = NULL;
        return STRIDER_OK;
    }
    to->items = memory_alloc_zeroed(allocator_default(), from->n_items, sizeof *to->items);
    if (!to->items)
        return fail_memory(err, bytes_of(sizeof *to->items, (int64_t)from->n_items).n, "a value");
    for (; to->count < from->n_items; to->count++)
        TRY(take_value(from->items[to->count], &to->items[to->count], err));
    return STRIDER_OK;
}

strider_status strider_value_from_onnx(const void *data, size_t size, strider_value_kind kind,
                                       strider_value *value, char *name, size_t name_size,
                                       strider_error *error) {
    RunValue *read;
    *value = (strider_value){0};
    if (kind != STRIDER_TENSOR && kind != STRIDER_SEQUENCE && kind != STRIDER_OPTIONAL)
        return fail(error, STRIDER_INVALID_ARGUMENT, "there is no kind of values %d", (int)kind);
    TRY(loader_read_value(data, size, (ValueKind)kind, allocator_default(), &read, name, name_size, error));
    const Status status = take_value(read, value, error);
    run_value_release(read);
    if (status)
        strider_value_free(value);
    return status;
}

void strider_value_free(strider_value *value) {
    for (size_t i = 0; i < value->count; i++)
        strider_value_free(&value->items[i]);
    memory_free(allocator_default(), value->items);
    strider_tensor_free(&value->tensor);
    *value = (strider_value){0};
}
