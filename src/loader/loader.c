/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/loader.h"

#include <inttypes.h>
#include <string.h>

#include "loader/loading.h"

strider_load_options strider_load_options_default(void) {
    return (strider_load_options){.struct_size = sizeof(strider_load_options),
                                  .optimize = true,
                                  .shapes = STRIDER_SHAPES_WARN,
                                  .max_file_bytes = INT32_MAX,
                                  .max_tensor_bytes = (uint64_t)16 << 30,
                                  .max_nodes = 1000000,
                                  .max_depth = 64,
                                  .max_parse_bytes = (uint64_t)768 << 20,
                                  .allocator = allocator_default()};
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

/* A model's graph, whose names are numbers already. */
static Status read_graph(Loading *loading, Body *body, const Imports *imports, Graph *graph) {
    Scope scope = {.graph = graph,
                   .body = body,
                   .values = region_alloc_array(&loading->parsed, body->slots.count, sizeof(Value *)),
                   .prefix = "",
                   .imports = imports};
    loading->n_nodes = loading->n_differentiated = 0;
    return scope.values ? load_graph(loading, &scope, 0, NULL) : no_memory(loading);
}

/* Reading it twice, where an input has a default, is simpler than copying a graph whose bodies, captures and
 * functions depend on what is a constant; tensors are there once. */
static Status read_overridable(Loading *loading, Body *body, const Imports *imports) {
    LoadedModel *model = loading->model;
    const uint64_t count = model->parameter_count, size_bytes = model->parameter_bytes;
    Graph *graph = region_alloc(&model->graph.region, sizeof *graph);
    if (!graph)
        return no_memory(loading);
    graph_init(graph, model->graph.region.allocator);
    graph->symbols = model->graph.symbols;
    model->overridable = graph;
    const Status status = read_graph(loading, body, imports, graph);
    model->parameter_count = count;
    model->parameter_bytes = size_bytes;
    return status;
}

static Status read_model(Loading *loading) {
    const Onnx__ModelProto *proto = loading->proto;
    Body body;
    Imports imports;
    if (!proto->graph)
        return fail(loading->err, STRIDER_BAD_MODEL, "the model has no graph: is this an ONNX file?");
    TRY(list_functions(loading));
    TRY(make_imports(loading, proto->n_opset_import, proto->opset_import, &imports));
    loading->model->opset = imports.onnx;
    TRY(make_graph_body(loading, proto->graph, NULL, &body));
    TRY(survey_operators(loading, &body, &imports));
    TRY(read_graph(loading, &body, &imports, &loading->model->graph));
    return loading->has_defaults ? read_overridable(loading, &body, &imports) : STRIDER_OK;
}

/* What is found in the place of a model when links or large files were not fetched: the path that a link
 * leads to, or a pointer of git's large file storage. */
static bool is_short_text(const File *file) {
    enum { LONGEST = 1024 };
    for (size_t i = 0; i < file->size_bytes; i++)
        if ((file->data[i] < ' ' && file->data[i] != '\n' && file->data[i] != '\r') || file->data[i] > '~')
            return false;
    return file->size_bytes && file->size_bytes <= LONGEST;
}

static Status load_opened(LoadedModel *model, const LoadOptions *options, Error *err) {
    Loading loading = {
        .options = options, .model = model, .graph = &model->graph, .files = &model->files, .err = err};
    region_init(&loading.parsed, &model->budget.allocator, 0);
    const File file = *model->files.items[0];
    ProtobufCMessage *message = NULL;
    Status status = read_message(&loading.parsed, &onnx__model_proto__descriptor, file.data, file.size_bytes,
                                 options->max_depth, &loading.scan, &message, err);
    if (status == STRIDER_BAD_MODEL && is_short_text(&file))
        status =
            fail(err, STRIDER_BAD_MODEL,
                 "not an ONNX model but a short text, \"%.*s\": a link, or a pointer to a large file, that "
                 "was not resolved?",
                 file.size_bytes < 60 ? (int)file.size_bytes : 60, (const char *)file.data);
    if (!status) {
        loading.proto = (Onnx__ModelProto *)message;
        status = load_info(&loading);
    }
    if (!status)
        status = read_model(&loading);
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
    *model = (LoadedModel){.files = {.folder = -1, .target_folder = -1}};
    TRY(check_options(options, err));
    start(model, options);
    Status status = files_open(&model->files, &model->graph.region, path, options, err);
    if (!status)
        status = load_opened(model, options, err);
    return finish(model, status, err);
}

Status loader_load_memory(const void *data, size_t size_bytes, const char *folder, const LoadOptions *options,
                          LoadedModel *model, Error *err) {
    *model = (LoadedModel){.files = {.folder = -1, .target_folder = -1}};
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
    if (model->overridable)
        graph_free(model->overridable);
    if (model->graph.region.allocator)
        graph_free(&model->graph);
    budget_free(&model->budget);
    *model = (LoadedModel){.files = {.folder = -1, .target_folder = -1}};
}
