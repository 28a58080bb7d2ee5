/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

/* --- running and comparing --- */

/* An output that is being compared. */
typedef struct Output {
    Case *at;
    const Options *options;
    const char *name;
} Output;

/* The first difference is told. */
static void note_difference(Case *at, const char *name, const char *place, const char *what) {
    if (!at->differs)
        text_format(at->message, sizeof at->message, "output \"%s\"%s%s", name, place, what);
    at->differs = true;
}

static void report_part(const Output *output, const char *place, const Comparison *result) {
    char name[400];
    snprintf(name, sizeof name, "%.300s%s", output->name, place);
    json_t *entry = json_object();
    json_object_set_new(entry, "name", json_text(name));
    json_object_set_new(entry, "pass", json_boolean(result->pass));
    if (isfinite(result->max_abs)) {
        json_object_set_new(entry, "max_abs", json_real(result->max_abs));
        json_object_set_new(entry, "max_rel_to_peak",
                            json_real(isfinite(result->max_of_peak) ? result->max_of_peak : -1));
    }
    json_array_append_new(output->at->outputs, entry);
}

static void compare_part(void *context, const char *place, const strider_tensor *got,
                         const strider_tensor *expected) {
    const Output *output = context;
    Case *at = output->at;
    const Comparison result = compare_tensors(got, expected, output->options);
    char what[400];
    at->max_abs = fmax(at->max_abs, result.max_abs);
    at->max_of_peak = fmax(at->max_of_peak, result.max_of_peak);
    report_part(output, place, &result);
    if (result.pass)
        return;
    if (result.why[0])
        snprintf(what, sizeof what, " %s", result.why);
    else
        snprintf(
            what, sizeof what,
            ": %lld of %lld elements differ, the worst at %lld: got %.9g, expected %.9g (largest difference "
            "%.3g, %.2g of the largest output)",
            (long long)result.n_different, (long long)strider_tensor_elements(got), (long long)result.worst,
            result.got, result.expected, result.max_abs, result.max_of_peak);
    note_difference(at, output->name, place, what);
}

static void compare_output(Case *at, const Options *options, size_t i, const strider_value *got) {
    strider_value_info info;
    char why[WHY_TEXT], what[WHY_TEXT + 2];
    if (strider_model_get_output(at->model, i, &info))
        return;
    if (!value_is_given(&at->expected[i])) {
        json_array_append_new(at->not_compared, json_text(info.name));
        return;
    }
    Output output = {at, options, info.name};
    if (value_compare(got, &at->expected[i], compare_part, &output, why))
        return;
    report_part(&output, "", &(Comparison){.max_abs = INFINITY});
    snprintf(what, sizeof what, ": %s", why);
    note_difference(at, info.name, "", what);
}

/* The inputs of a run; all memory behind them is the case's. */
static strider_value *collect_inputs(const Case *at) {
    strider_value *values = calloc(at->inputs.count + 1, sizeof *values);
    for (size_t i = 0; values && i < at->inputs.count; i++)
        values[i] =
            value_is_given(&at->given[i]) ? at->given[i] : (strider_value){.tensor = at->inputs.tensors[i]};
    return values;
}

static strider_status take_outputs(Case *at, const Options *options, int t, const strider_value *outputs,
                                   strider_value *first, strider_error *error) {
    for (size_t i = 0; i < strider_model_output_count(at->model); i++) {
        if (t == 0) {
            compare_output(at, options, i, &outputs[i]);
            strider_status status = value_copy(&outputs[i], &first[i], error);
            if (status)
                return status;
        } else if (!at->differs && !value_has_same_bits(&first[i], &outputs[i])) {
            at->differs = true;
            snprintf(at->message, sizeof at->message,
                     "output %zu has other bits with %d threads than with %d", i, options->threads[t],
                     options->threads[0]);
        }
    }
    return STRIDER_OK;
}

static strider_status run_once(Case *at, const Options *options, int t, const strider_value *inputs,
                               strider_value *first, strider_error *error) {
    const size_t count = strider_model_output_count(at->model);
    strider_value *outputs = calloc(count + 1, sizeof *outputs);
    strider_session *session = NULL;
    strider_status status = outputs ? make_session(at->model, options, options->threads[t], &session, error)
                                    : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    if (!status)
        status = strider_session_run_values(session, inputs, at->inputs.count, outputs, count, error);
    if (!status)
        status = take_outputs(at, options, t, outputs, first, error);
    strider_session_free(session);
    free(outputs);
    return status;
}

/* Runs with each number of threads; results must have the same bits. */
strider_status case_run(Case *at, const Options *options, strider_error *error) {
    const size_t count = strider_model_output_count(at->model);
    strider_value *inputs = collect_inputs(at), *first = calloc(count + 1, sizeof *first);
    strider_status status =
        inputs && first ? STRIDER_OK : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (int t = 0; !status && t < (options->n_threads ? options->n_threads : 1); t++)
        status = run_once(at, options, t, inputs, first, error);
    for (size_t i = 0; first && i < count; i++)
        strider_value_free(&first[i]);
    free(first);
    free(inputs);
    return status;
}

strider_status case_init(Case *at, const char *path, const strider_model *model, strider_error *error) {
    *at = (Case){.path = path, .model = model, .outputs = json_array(), .not_compared = json_array()};
    at->expected = calloc(strider_model_output_count(model) + 1, sizeof *at->expected);
    at->given = calloc(strider_model_input_count(model) + 1, sizeof *at->given);
    if (!at->expected || !at->given)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    const strider_status status = name_index_make(
        model, strider_model_get_output, strider_model_output_count(model), &at->outputs_by_name, error);
    return status ? status : inputs_init(model, &at->inputs, error);
}

void case_free(Case *at) {
    for (size_t i = 0; at->expected && i < strider_model_output_count(at->model); i++)
        strider_value_free(&at->expected[i]);
    for (size_t i = 0; at->given && i < strider_model_input_count(at->model); i++)
        strider_value_free(&at->given[i]);
    free(at->expected);
    free(at->given);
    name_index_free(&at->outputs_by_name);
    inputs_free(&at->inputs);
    json_decref(at->outputs);
    json_decref(at->not_compared);
}

/* --- files --- */

/* Files are numbered like what they are for; where they have names that the model knows, these count. */
static strider_status place_value(Case *at, const char *path, bool is_output, size_t number, const char *name,
                                  strider_value *value, const Options *options, strider_error *error) {
    const size_t count = is_output ? strider_model_output_count(at->model) : at->inputs.count;
    const int named = name_index_find(is_output ? &at->outputs_by_name : &at->inputs.names, name);
    const size_t index = named < 0 ? number : (size_t)named;
    if (index >= count) {
        strider_value_free(value);
        return tool_fail(error, STRIDER_BAD_MODEL, "%s: the model has only %zu %s", path, count,
                         is_output ? "outputs" : "inputs");
    }
    if (!is_output && value->kind == STRIDER_TENSOR)
        return inputs_set(at->model, &at->inputs, index, value->tensor, options->quiet, error);
    strider_value *place = is_output ? &at->expected[index] : &at->given[index];
    strider_value_free(place);
    *place = *value;
    return STRIDER_OK;
}

/* A file for the input or output of that number; the messages do not say of which kind they are. */
static strider_status read_value(Case *at, const char *path, bool is_output, size_t number,
                                 const Options *options, strider_error *error) {
    strider_value_info info;
    strider_value value = {0};
    strider_error why;
    TensorFile file = {0};
    char name[256] = "";
    if ((is_output ? strider_model_get_output : strider_model_get_input)(at->model, number, &info))
        info.kind = STRIDER_TENSOR;
    strider_status status = info.kind == STRIDER_TENSOR
                                ? format_read(path, &file, &why)
                                : value_read(path, info.kind, &value, name, sizeof name, &why);
    if (status)
        return tool_fail(error, status, "%s: %s", path, why.message);
    if (info.kind == STRIDER_TENSOR) {
        value.tensor = file.items[0].tensor;
        file.items[0].tensor = (strider_tensor){0};
    }
    status = place_value(at, path, is_output, number, file.count ? file.items[0].name : name, &value, options,
                         error);
    tensor_file_free(&file);
    return status;
}

/* Reads PREFIX0.pb, PREFIX1.pb, ... as long as there are such files. */
strider_status case_read_set(const char *folder, Case *at, bool is_output, const Options *options,
                             strider_error *error) {
    strider_status status = STRIDER_OK;
    struct stat info;
    char *path;
    for (int i = 0; !status; i++) {
        if (asprintf(&path, "%s/%s_%d.pb", folder, is_output ? "output" : "input", i) < 0)
            return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
        const bool is_there = stat(path, &info) == 0;
        if (is_there)
            status = read_value(at, path, is_output, (size_t)i, options, error);
        free(path);
        if (!is_there)
            break;
    }
    return status;
}
