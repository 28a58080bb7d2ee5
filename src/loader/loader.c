/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "loader/loading.h"

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

static Status load_model(Loading *loading) {
    const Onnx__ModelProto *proto = loading->proto;
    Body body;
    Imports imports;
    if (!proto->graph)
        return fail(loading->err, STRIDER_BAD_MODEL, "the model has no graph: is this an ONNX file?");
    TRY(list_functions(loading));
    TRY(make_imports(loading, proto->n_opset_import, proto->opset_import, &imports));
    loading->model->opset = imports.onnx;
    TRY(make_graph_body(loading, proto->graph, NULL, &body));
    Scope scope = {.graph = loading->graph,
                   .body = &body,
                   .values = region_alloc_array(&loading->parsed, body.slots.count, sizeof(Value *)),
                   .prefix = "",
                   .imports = &imports};
    if (!scope.values)
        return no_memory(loading);
    return load_graph(loading, &scope, 0, NULL);
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
        status = load_model(&loading);
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
