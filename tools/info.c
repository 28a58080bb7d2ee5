/* SPDX-License-Identifier: Apache-2.0 */
/* strider info: what is in a model, and what running it takes. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tool.h"

typedef struct OpCount {
    const char *name;
    int count;
} OpCount;

static int more_first(const void *a, const void *b) {
    const OpCount *first = a, *second = b;
    return first->count != second->count ? second->count - first->count : strcmp(first->name, second->name);
}

/* The operators and how many of each; returns how many kinds. */
static size_t count_operators(const strider_model *model, OpCount *counts) {
    size_t kinds = 0;
    strider_node_info node;
    for (size_t i = 0; strider_model_get_node(model, i, &node) == STRIDER_OK; i++) {
        size_t k = 0;
        while (k < kinds && strcmp(counts[k].name, node.op_type) != 0)
            k++;
        if (k == kinds)
            counts[kinds++] = (OpCount){node.op_type, 0};
        counts[k].count++;
    }
    qsort(counts, kinds, sizeof *counts, more_first);
    return kinds;
}

/* --- plan --- */

/* What stands before the data type of a value that is no tensor. */
static const char *kind_text(const strider_value_info *info) {
    const bool is_optional = info->kind == STRIDER_OPTIONAL;
    const bool holds_sequence = (is_optional ? info->held : info->kind) == STRIDER_SEQUENCE;
    return is_optional      ? holds_sequence ? "optional sequence of " : "optional "
           : holds_sequence ? "sequence of "
                            : "";
}

/* Prepares a session for the inputs' shapes; where they are open, `why` says which.  Fails only where a
 * device does. */
static strider_status make_plan(const strider_model *model, const Options *options, strider_session **session,
                                char *why, size_t size, strider_error *error) {
    size_t count = strider_model_input_count(model);
    strider_tensor *inputs = calloc(count + 1, sizeof *inputs);
    bool known = inputs != NULL;
    strider_status status = STRIDER_OK;
    for (size_t i = 0; known && i < count; i++) {
        strider_value_info info;
        int open = 0;
        if (strider_model_get_input(model, i, &info) || info.is_optional)
            continue;
        if (info.kind != STRIDER_TENSOR) {
            text_format(why, size, "input \"%s\" is no tensor: its elements' shapes are known in a run alone",
                        info.name);
            known = false;
            continue;
        }
        inputs[i].dtype = info.dtype ? info.dtype : STRIDER_F32;
        known = input_shape(&info, options, inputs[i].dims, &inputs[i].rank, &open);
        if (!known)
            text_format(
                why, size,
                "input \"%s\" has open dimensions: give them with --dim %s=N or --shape %s=1x3x224x224",
                info.name, info.rank > open && info.dim_names[open] ? info.dim_names[open] : "NAME",
                info.name);
    }
    if (known)
        status = make_session(model, options, options->threads[0], session, error);
    if (known && !status)
        status = strider_session_prepare(*session, inputs, count, error);
    if (status)
        snprintf(why, size, "%s", error->message);
    free(inputs);
    return status == STRIDER_DEVICE_FAILED ? status : STRIDER_OK;
}

static void print_megabytes(const char *what, uint64_t bytes) {
    tool_print(stdout, "%-22s %.2f MB\n", what, (double)bytes / 1e6);
}

static void print_copies(const char *what, size_t count, uint64_t bytes) {
    tool_print(stdout, "%-22s %.2f MB in %zu step%s\n", what, (double)bytes / 1e6, count,
               count == 1 ? "" : "s");
}

/* Besides the CPU. */
static bool runs_on_device(const strider_session *session) {
    strider_plan_info plan;
    return strider_session_get_plan(session, &plan) == STRIDER_OK && strcmp(plan.device, "cpu") != 0;
}

static void print_plan(const strider_session *session) {
    strider_plan_info plan;
    if (strider_session_get_plan(session, &plan))
        return;
    tool_print(stdout, "%-22s %.1f million\n", "multiply-accumulates", (double)plan.macs / 1e6);
    tool_print(stdout, "%-22s %zu steps, %s, %d threads\n", "plan", plan.step_count, plan.isa, plan.threads);
    print_megabytes("activations", plan.arena_bytes);
    print_megabytes("  without sharing", plan.activation_bytes);
    print_megabytes("packed weights", plan.packed_bytes);
    print_megabytes("scratch", plan.scratch_bytes);
    print_megabytes("memory in all", plan.memory_bytes);
    if (!runs_on_device(session))
        return;
    tool_print(stdout, "%-22s %s\n", "device", plan.device);
    print_megabytes("  activations", plan.device_arena_bytes);
    print_megabytes("  largest workspace", plan.device_workspace_bytes);
    print_megabytes("  weights", plan.device_weight_bytes);
    print_copies("  uploads", plan.upload_count, plan.upload_bytes);
    print_copies("  downloads", plan.download_count, plan.download_bytes);
}

static void print_steps(const strider_session *session) {
    strider_step_info step;
    const StepColumns columns = step_columns(session, runs_on_device(session));
    tool_print(stdout, "\n%4s  %-28s  ", "step", "name");
    step_columns_title(&columns);
    tool_print(stdout, "%12s %12s\n", "offset", "bytes");
    for (size_t i = 0; strider_session_get_step(session, i, &step) == STRIDER_OK; i++) {
        tool_print(stdout, "%4zu  %-28.28s  ", i, step.name);
        step_columns_print(&columns, &step);
        if (step.arena_offset == UINT64_MAX)
            tool_print(stdout, "%12s", "-");
        else
            tool_print(stdout, "%12" PRIu64, step.arena_offset);
        tool_print(stdout, " %12" PRIu64 "\n", step.output_bytes);
    }
}

/* --- text --- */

static void print_values(const char *title, const strider_model *model,
                         strider_status (*get)(const strider_model *, size_t, strider_value_info *)) {
    strider_value_info info;
    char text[DIMS_TEXT];
    for (size_t i = 0; get(model, i, &info) == STRIDER_OK; i++)
        tool_print(stdout, "%-22s %s: %s%s %s%s\n", i ? "" : title, info.name, kind_text(&info),
                   strider_dtype_name(info.dtype), value_dims_text(&info, text),
                   info.is_optional ? " (has a default)" : "");
}

static void print_operators(const strider_model *model) {
    size_t nodes = strider_model_get_info(model).node_count;
    OpCount *counts = calloc(nodes + 1, sizeof *counts);
    if (!counts)
        return;
    size_t kinds = count_operators(model, counts);
    tool_print(stdout, "%-22s", "operators");
    for (size_t i = 0; i < kinds; i++)
        tool_print(stdout, "%s %d %s", i ? "," : "", counts[i].count, counts[i].name);
    tool_print(stdout, "\n");
    free(counts);
}

static void print_nodes(const strider_model *model) {
    strider_node_info node;
    strider_value_info value;
    char text[DIMS_TEXT], formula[400];
    tool_print(stdout, "\n");
    for (size_t i = 0; strider_model_get_node(model, i, &node) == STRIDER_OK; i++) {
        tool_print(stdout, "%4zu  %s%s%s \"%s\"", i, node.op_type, node.fused[0] ? "+" : "", node.fused,
                   node.name);
        if (node.torch_scope[0])
            tool_print(stdout, " (%s)", node.torch_scope);
        tool_print(stdout, ":");
        for (size_t p = 0; strider_model_get_node_input(model, i, p, &value) == STRIDER_OK; p++)
            if (value.name[0])
                tool_print(stdout, " [%s]", value_dims_text(&value, text));
        tool_print(stdout, " ->");
        for (size_t p = 0; strider_model_get_node_output(model, i, p, &value) == STRIDER_OK; p++)
            if (value.name[0])
                tool_print(stdout, " [%s]", value_dims_text(&value, text));
        tool_print(stdout, "\n");
        if (strider_model_get_node_formula(model, i, formula, sizeof formula) == STRIDER_OK && formula[0])
            tool_print(stdout, "      %s\n", formula);
    }
}

static void print_text(const strider_model *model, const Options *options, const strider_session *session,
                       const char *why) {
    strider_model_info info = strider_model_get_info(model);
    tool_print(stdout, "%-22s %s, opset %lld, IR %lld\n", "format", "ONNX", (long long)info.opset,
               (long long)info.ir_version);
    if (info.producer_name[0])
        tool_print(stdout, "%-22s %s %s\n", "made by", info.producer_name, info.producer_version);
    print_values("inputs", model, strider_model_get_input);
    print_values("outputs", model, strider_model_get_output);
    tool_print(stdout, "%-22s %zu%s\n", "nodes", info.node_count, options->no_optimize ? "" : " (optimized)");
    print_operators(model);
    tool_print(stdout, "%-22s %zu (%.2f MB)\n", "parameters", info.parameter_count,
               (double)info.parameter_bytes / 1e6);
    if (session)
        print_plan(session);
    else
        tool_print(stdout, "%-22s %s\n", "no plan", why);
    if (options->show_shapes)
        print_nodes(model);
    if (options->show_memory && session)
        print_steps(session);
}

/* --- JSON --- */

static json_t *json_values(const strider_model *model,
                           strider_status (*get)(const strider_model *, size_t, strider_value_info *)) {
    json_t *list = json_array();
    strider_value_info info;
    for (size_t i = 0; get(model, i, &info) == STRIDER_OK; i++) {
        json_t *value = json_object(), *shape = info.rank < 0 ? json_null() : json_array();
        for (int d = 0; d < info.rank; d++)
            json_array_append_new(shape, info.dims[d] >= 0   ? json_integer(info.dims[d])
                                         : info.dim_names[d] ? json_text(info.dim_names[d])
                                                             : json_null());
        json_object_set_new(value, "name", json_text(info.name));
        json_object_set_new(value, "kind",
                            json_string(info.kind == STRIDER_OPTIONAL   ? "optional"
                                        : info.kind == STRIDER_SEQUENCE ? "sequence"
                                                                        : "tensor"));
        json_object_set_new(value, "dtype", json_text(strider_dtype_name(info.dtype)));
        json_object_set_new(value, "shape", shape);
        json_array_append_new(list, value);
    }
    return list;
}

static json_t *json_nodes(const strider_model *model) {
    json_t *list = json_array();
    strider_node_info info;
    for (size_t i = 0; strider_model_get_node(model, i, &info) == STRIDER_OK; i++) {
        char formula[400] = "";
        json_t *node = json_object();
        json_object_set_new(node, "name", json_text(info.name));
        json_object_set_new(node, "op_type", json_text(info.op_type));
        json_object_set_new(node, "fused", json_text(info.fused));
        json_object_set_new(node, "torch_scope", json_text(info.torch_scope));
        if (strider_model_get_node_formula(model, i, formula, sizeof formula) == STRIDER_OK && formula[0])
            json_object_set_new(node, "shape_formula", json_text(formula));
        json_array_append_new(list, node);
    }
    return list;
}

static json_t *json_steps(const strider_session *session) {
    json_t *list = json_array();
    strider_step_info info;
    for (size_t i = 0; strider_session_get_step(session, i, &info) == STRIDER_OK; i++) {
        json_t *step = json_object();
        json_object_set_new(step, "name", json_text(info.name));
        json_object_set_new(step, "op_type", json_text(info.op_type));
        json_object_set_new(step, "kernel", json_text(info.kernel));
        json_object_set_new(step, "device", json_text(info.device));
        json_object_set_new(step, "layout", json_text(info.layout));
        json_object_set_new(step, "tasks", json_integer(info.tasks));
        json_object_set_new(step, "macs", json_integer((json_int_t)info.macs));
        json_object_set_new(step, "output_bytes", json_integer((json_int_t)info.output_bytes));
        json_object_set_new(step, "arena_offset_bytes",
                            info.arena_offset == UINT64_MAX ? json_null()
                                                            : json_integer((json_int_t)info.arena_offset));
        json_array_append_new(list, step);
    }
    return list;
}

static void print_json(const strider_model *model, const Options *options, const strider_session *session) {
    strider_model_info info = strider_model_get_info(model);
    strider_plan_info plan;
    json_t *all = json_object(), *operators = json_object();
    OpCount *counts = calloc(info.node_count + 1, sizeof *counts);
    size_t kinds = counts ? count_operators(model, counts) : 0;
    for (size_t i = 0; i < kinds; i++)
        json_object_set_new(operators, counts[i].name, json_integer(counts[i].count));
    free(counts);
    json_object_set_new(all, "opset", json_integer(info.opset));
    json_object_set_new(all, "ir_version", json_integer(info.ir_version));
    json_object_set_new(all, "producer", json_text(info.producer_name));
    json_object_set_new(all, "inputs", json_values(model, strider_model_get_input));
    json_object_set_new(all, "outputs", json_values(model, strider_model_get_output));
    json_object_set_new(all, "nodes_count", json_integer((json_int_t)info.node_count));
    json_object_set_new(all, "operators", operators);
    json_object_set_new(all, "parameters", json_integer((json_int_t)info.parameter_count));
    json_object_set_new(all, "parameter_bytes", json_integer((json_int_t)info.parameter_bytes));
    if (session && strider_session_get_plan(session, &plan) == STRIDER_OK) {
        json_object_set_new(all, "macs", json_integer((json_int_t)plan.macs));
        json_object_set_new(all, "arena_bytes", json_integer((json_int_t)plan.arena_bytes));
        json_object_set_new(all, "packed_bytes", json_integer((json_int_t)plan.packed_bytes));
        json_object_set_new(all, "scratch_bytes", json_integer((json_int_t)plan.scratch_bytes));
        json_object_set_new(all, "memory_bytes", json_integer((json_int_t)plan.memory_bytes));
        json_object_set_new(all, "isa", json_text(plan.isa));
        json_object_set_new(all, "device", json_text(plan.device));
        json_object_set_new(all, "device_arena_bytes", json_integer((json_int_t)plan.device_arena_bytes));
        json_object_set_new(all, "device_weight_bytes", json_integer((json_int_t)plan.device_weight_bytes));
        json_object_set_new(all, "device_workspace_bytes",
                            json_integer((json_int_t)plan.device_workspace_bytes));
        json_object_set_new(all, "upload_bytes", json_integer((json_int_t)plan.upload_bytes));
        json_object_set_new(all, "download_bytes", json_integer((json_int_t)plan.download_bytes));
        if (options->show_memory)
            json_object_set_new(all, "steps", json_steps(session));
    }
    if (options->show_shapes)
        json_object_set_new(all, "nodes", json_nodes(model));
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

/* --- devices --- */

static int print_devices(const Options *options) {
    strider_device_info device;
    json_t *all = json_array();
    for (size_t i = 0; strider_device_get(i, &device) == STRIDER_OK; i++) {
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", device.name, "description",
                                             device.description, "software", device.software, "memory_bytes",
                                             (json_int_t)device.memory_bytes, "problem", device.problem));
        if (options->json)
            continue;
        if (device.problem[0]) {
            tool_print(stdout, "%-10s not available: %s\n", device.name, device.problem);
            continue;
        }
        tool_print(stdout, "%-10s %s\n", device.name, device.description);
        if (device.memory_bytes)
            tool_print(stdout, "%-10s %.1f GB\n", "", (double)device.memory_bytes / 1e9);
        if (device.software[0])
            tool_print(stdout, "%-10s %s\n", "", device.software);
    }
    if (options->json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(all);
    return EXIT_OK;
}

int command_info(const Options *options) {
    strider_model *model;
    strider_session *session = NULL;
    strider_error error;
    char why[700] = "";
    if (options->list_devices)
        return options->n_words == 0 ? print_devices(options) : report_usage("info --devices takes no model");
    if (options->n_words != 1)
        return report_usage("info takes one model");
    if (load_model(options->words[0], options, &model, &error))
        return report_error(options->words[0], &error);
    int status = EXIT_OK;
    if (make_plan(model, options, &session, why, sizeof why, &error))
        status = report_error(options->words[0], &error);
    else if (options->json)
        print_json(model, options, why[0] ? NULL : session);
    else
        print_text(model, options, why[0] ? NULL : session, why);
    strider_session_free(session);
    strider_model_free(model);
    return status;
}
