/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/loading.h"

static Status no_memory(Loading *loading) {
    return fail(loading->err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

static const char *text_or_empty(const char *text) {
    return text ? text : "";
}

strider_load_options strider_load_options_default(void) {
    return (strider_load_options){.struct_size = sizeof(strider_load_options),
                                  .optimize = true,
                                  .shapes = STRIDER_SHAPES_CHECK,
                                  .max_file_bytes = INT32_MAX,
                                  .max_tensor_bytes = (uint64_t)16 << 30,
                                  .max_nodes = 1000000,
                                  .max_depth = 64,
                                  .max_parse_bytes = (uint64_t)768 << 20,
                                  .allocator = allocator_default()};
}

/* --- protobuf-c --- */

/* protobuf-c says no more than that it failed. */
typedef struct Unpacking {
    Region *region;
    size_t refused_bytes; /* 0: it had all the memory that it asked for */
} Unpacking;

static void *unpack_allocate(void *context, size_t size) {
    Unpacking *unpacking = context;
    void *memory = region_alloc(unpacking->region, size);
    if (!memory)
        unpacking->refused_bytes = size ? size : 1;
    return memory;
}

static void unpack_release(void *context, void *memory) {
    (void)context;
    (void)memory; /* all at once, with the region */
}

static Status unpack(Region *region, const ProtobufCMessageDescriptor *descriptor, Scan *scan,
                     ProtobufCMessage **message, Error *err) {
    Unpacking unpacking = {.region = region};
    ProtobufCAllocator allocator = {unpack_allocate, unpack_release, &unpacking};
    *message = protobuf_c_message_unpack(descriptor, &allocator, scan->reduced_bytes, scan->reduced);
    scan_free_reduced(scan, region);
    if (*message)
        return STRIDER_OK;
    if (unpacking.refused_bytes)
        return fail_memory(err, unpacking.refused_bytes, "parsing");
    return fail(err, STRIDER_BAD_MODEL, "not a valid ONNX message");
}

/* --- types --- */

static Status load_dim(Loading *loading, const char *name, const Onnx__TensorShapeProto__Dimension *dim,
                       int64_t *result) {
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
        if (dim->dim_value < DIM_UNKNOWN)
            return fail(loading->err, STRIDER_BAD_MODEL,
                        "value \"%.120s\" is declared with a dimension of %" PRId64, name, dim->dim_value);
        /* -1 is how some exporters (Paddle's) write a dimension that is not known. */
        *result = dim->dim_value;
    } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) {
        *result = symbol_dim(loading->graph->symbols, dim->dim_param);
    } else {
        *result = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

/* `must_be_tensor` for what crosses the model's border. */
static Status load_type(Loading *loading, const Onnx__ValueInfoProto *info, bool must_be_tensor,
                        ValueType *type) {
    *type = value_type_unknown();
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return must_be_tensor && info->type && info->type->value_case
                   ? fail(loading->err, STRIDER_UNSUPPORTED, "value \"%.120s\" is no tensor", info->name)
                   : STRIDER_OK;
    const Onnx__TypeProto__Tensor *tensor = info->type->tensor_type;
    type->dtype = dtype_from_onnx(tensor->elem_type);
    if (!type->dtype && tensor->elem_type && must_be_tensor)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has data type %d (%s), which is not supported", info->name,
                    tensor->elem_type, dtype_onnx_name(tensor->elem_type));
    if (!tensor->shape)
        return STRIDER_OK;
    if (tensor->shape->n_dim > MAX_RANK)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "value \"%.120s\" has %zu dimensions, at most %d are supported", info->name,
                    tensor->shape->n_dim, MAX_RANK);
    type->shape.rank = (int)tensor->shape->n_dim;
    for (size_t i = 0; i < tensor->shape->n_dim; i++)
        TRY(load_dim(loading, info->name, tensor->shape->dim[i], &type->shape.dims[i]));
    return STRIDER_OK;
}

/* --- the graph --- */

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
                        loading->graph->region.allocator, initializer, &tensor, loading->err));
        Status status = scope_value(loading, scope, slot, &value);
        if (status) {
            tensor_free(&tensor);
            return status;
        }
        TRY(graph_set_constant(loading->graph, value, tensor, loading->err));
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
        if (value->constant && loading->model->ir_version < 4)
            continue; /* every initializer had to stand among the inputs then: a constant, not an input */
        TRY(load_type(loading, proto->input[i], true, &value->declared));
        value->default_value = value->constant;
        value->constant = NULL;
        value->type = value->declared;
        TRY(graph_add_input(loading->graph, value, loading->err));
    }
    return STRIDER_OK;
}

static Status load_declarations(Loading *loading, Scope *scope, size_t n, Onnx__ValueInfoProto **infos,
                                bool outputs) {
    for (size_t i = 0; i < n; i++) {
        const char *name = text_or_empty(infos[i]->name);
        const int slot = body_find_slot(scope->body, name);
        Value *value = slot == NO_SLOT ? NULL : scope->values[slot];
        ValueType declared;
        if (outputs && !value)
            return fail(loading->err, STRIDER_BAD_MODEL, "graph output \"%.120s\" is made by no node", name);
        if (!value)
            continue;
        TRY(load_type(loading, infos[i], outputs, &declared));
        if (!value->is_input && !value->constant)
            value->declared = declared;
        if (outputs)
            TRY(graph_add_output(loading->graph, value, loading->err));
    }
    return STRIDER_OK;
}

/* Slots of what no node may read. */
static Status make_slots(Loading *loading, const Onnx__GraphProto *proto, Body *body) {
    int slot;
    for (size_t i = 0; i < proto->n_initializer; i++)
        TRY(body_slot(loading, body, text_or_empty(proto->initializer[i]->name), &slot));
    for (size_t i = 0; i < proto->n_input; i++)
        TRY(body_slot(loading, body, text_or_empty(proto->input[i]->name), &slot));
    return STRIDER_OK;
}

static Status load_graph(Loading *loading) {
    const Onnx__ModelProto *model = loading->proto;
    const Onnx__GraphProto *proto = model->graph;
    Graph *graph = loading->graph;
    if (!proto)
        return fail(loading->err, STRIDER_BAD_MODEL, "the model has no graph: is this an ONNX file?");
    graph->name =
        region_string(&graph->region, text_or_empty(proto->name), strlen(text_or_empty(proto->name)));
    if (!graph->name)
        return no_memory(loading);
    Body body = {0};
    Scope scope = {.body = &body, .prefix = "", .imports = &body.imports};
    TRY(list_functions(loading));
    TRY(make_body(loading, proto->n_node, proto->node, model->n_opset_import, model->opset_import, &body));
    loading->model->opset = body.imports.onnx;
    TRY(make_slots(loading, proto, &body));
    scope.values = region_alloc_array(&loading->parsed, body.slots.count, sizeof(Value *));
    if (!scope.values)
        return no_memory(loading);
    TRY(load_initializers(loading, &scope, proto));
    TRY(load_inputs(loading, &scope, proto));
    TRY(load_nodes(loading, &scope));
    TRY(load_declarations(loading, &scope, proto->n_value_info, proto->value_info, false));
    TRY(load_declarations(loading, &scope, proto->n_output, proto->output, true));
    TRY(graph_validate(graph, loading->err));
    return graph_sort(graph, loading->err);
}

static void count_parameters(LoadedModel *model) {
    for (size_t i = 0; i < model->graph.n_values; i++) {
        const Tensor *constant = model->graph.values[i]->constant;
        if (!constant)
            continue;
        model->parameter_count += (uint64_t)tensor_elements(constant);
        model->parameter_bytes += constant->size_bytes;
    }
}

static Status load_info(Loading *loading) {
    const Onnx__ModelProto *proto = loading->proto;
    LoadedModel *model = loading->model;
    Region *region = &loading->graph->region;
    const char *name = text_or_empty(proto->producer_name), *version = text_or_empty(proto->producer_version);
    model->ir_version = proto->ir_version;
    model->producer_name = region_string(region, name, strlen(name));
    model->producer_version = region_string(region, version, strlen(version));
    if (!model->producer_name || !model->producer_version)
        return no_memory(loading);
    if (!proto->has_ir_version && !proto->graph)
        return fail(loading->err, STRIDER_BAD_MODEL, "neither a version nor a graph: this is no ONNX file");
    if (model->ir_version < 0)
        return fail(loading->err, STRIDER_BAD_MODEL, "IR version %" PRId64, model->ir_version);
    if (model->ir_version > NEWEST_IR)
        return fail(loading->err, STRIDER_UNSUPPORTED,
                    "IR version %" PRId64 " is newer than %d, the newest that this version of Strider knows",
                    model->ir_version, NEWEST_IR);
    return STRIDER_OK;
}

static Status load_opened(LoadedModel *model, const LoadOptions *options, Error *err) {
    Loading loading = {
        .options = options, .model = model, .graph = &model->graph, .files = &model->files, .err = err};
    region_init(&loading.parsed, &model->budget.allocator, 0);
    const File file = *model->files.items[0];
    ProtobufCMessage *message = NULL;
    Status status = scan_message(&loading.scan, &loading.parsed, &onnx__model_proto__descriptor, file.data,
                                 file.size_bytes, options->max_depth, err);
    if (!status)
        status = unpack(&loading.parsed, &onnx__model_proto__descriptor, &loading.scan, &message, err);
    if (!status) {
        loading.proto = (Onnx__ModelProto *)message;
        status = load_info(&loading);
    }
    if (!status)
        status = load_graph(&loading);
    if (!status)
        count_parameters(model);
    scan_free_reduced(&loading.scan, &loading.parsed);
    region_free(&loading.parsed);
    return status;
}

Status loader_status(LoadedModel *model, Status status, Error *err) {
    return budget_status(&model->budget, status, "max_parse_bytes", err);
}

static void start(LoadedModel *model, const LoadOptions *options) {
    budget_init(&model->budget, options->allocator, options->max_parse_bytes);
    graph_init(&model->graph, &model->budget.allocator);
}

static Status finish(LoadedModel *model, Status status, Error *err) {
    status = loader_status(model, status, err);
    if (status)
        loader_unload(model);
    else
        model->files.options = NULL;
    return status;
}

static Status check_options(const LoadOptions *options, Error *err) {
    return options->struct_size == sizeof *options && options->allocator
               ? STRIDER_OK
               : fail(err, STRIDER_INVALID_ARGUMENT, "invalid load options: fill them by the default call");
}

Status loader_load_file(const char *path, const LoadOptions *options, LoadedModel *model, Error *err) {
    *model = (LoadedModel){.files = {.folder = -1}};
    TRY(check_options(options, err));
    start(model, options);
    Status status = files_open(&model->files, &model->graph.region, path, options, err);
    if (!status)
        status = load_opened(model, options, err);
    return finish(model, status, err);
}

Status loader_load_memory(const void *data, size_t size_bytes, const char *folder, const LoadOptions *options,
                          LoadedModel *model, Error *err) {
    *model = (LoadedModel){.files = {.folder = -1}};
    TRY(check_options(options, err));
    start(model, options);
    Status status = files_wrap(&model->files, &model->graph.region, data, size_bytes, folder, options, err);
    if (!status && size_bytes > options->max_file_bytes)
        status = fail(err, STRIDER_LIMIT_EXCEEDED,
                      "the model has %zu bytes, more than the limit of %" PRIu64 " (max_file_bytes)",
                      size_bytes, options->max_file_bytes);
    if (!status)
        status = load_opened(model, options, err);
    return finish(model, status, err);
}

void loader_unload(LoadedModel *model) {
    files_close(&model->files);
    if (model->graph.region.allocator)
        graph_free(&model->graph);
    budget_free(&model->budget);
    *model = (LoadedModel){.files = {.folder = -1}};
}

Status loader_read_tensor(const void *data, size_t size_bytes, const Allocator *allocator, Tensor *tensor,
                          char *name, size_t name_size, Error *err) {
    enum { DEPTH = 8 };
    *tensor = (Tensor){0};
    LoadOptions options = strider_load_options_default();
    Budget budget;
    Region region;
    Scan scan;
    ProtobufCMessage *message = NULL;
    budget_init(&budget, allocator, options.max_parse_bytes);
    region_init(&region, &budget.allocator, 0);
    Status status =
        scan_message(&scan, &region, &onnx__tensor_proto__descriptor, data, size_bytes, DEPTH, err);
    if (!status)
        status = unpack(&region, &onnx__tensor_proto__descriptor, &scan, &message, err);
    if (!status) {
        const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
        File file = {.data = data, .size_bytes = size_bytes};
        Tensor view = {0};
        status = load_tensor(&scan, &file, NULL, &options, allocator, proto, &view, err);
        if (!status && view.allocator) {
            *tensor = view;
        } else if (!status) {
            status = tensor_alloc(tensor, allocator, view.type.dtype, &view.type.shape, err);
            if (!status && tensor->size_bytes)
                memcpy(tensor->data, view.data, tensor->size_bytes);
        }
        if (!status && name && name_size)
            snprintf(name, name_size, "%s", text_or_empty(proto->name));
    }
    scan_free_reduced(&scan, &region);
    region_free(&region);
    status = budget_status(&budget, status, "max_parse_bytes", err);
    budget_free(&budget);
    return status;
}
