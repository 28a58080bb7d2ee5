/* SPDX-License-Identifier: Apache-2.0 */
/* strider check: outputs against reference dumps. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "compare.h"

/* All that is checked, counted and reported. */
typedef struct Check {
    const Options *options;
    json_t *cases;
    int passed, failed;
    int status; /* EXIT_DIFFERENT goes before the status of the first error */
} Check;

/* One data set of one model: what it should give. */
typedef struct Case {
    const char *path;
    const strider_model *model;
    Inputs inputs;
    strider_tensor *expected; /* by the model's outputs; dtype NONE: not compared */
    NameIndex outputs_by_name;
    json_t *outputs;
    char message[700];
    double max_abs, max_of_peak;
    bool differs;
} Case;

static void finish_case(Check *check, const char *path, const char *status, const char *message,
                        double max_abs, double max_of_peak, json_t *outputs) {
    bool pass = strcmp(status, "pass") == 0;
    check->passed += pass;
    check->failed += !pass;
    if (check->options->json) {
        json_t *entry = json_object();
        json_object_set_new(entry, "path", json_text(path));
        json_object_set_new(entry, "pass", json_boolean(pass));
        json_object_set_new(entry, "status", json_text(status));
        json_object_set_new(entry, "message", json_text(message));
        json_object_set_new(entry, "outputs", outputs ? json_incref(outputs) : json_array());
        json_array_append_new(check->cases, entry);
    } else if (pass && !check->options->quiet) {
        tool_print(stdout, "PASS %s  largest difference %.3g (%.2g of the largest output)\n", path, max_abs,
                   max_of_peak);
    } else if (!pass) {
        tool_print(stdout, "FAIL %s  %s\n", path, message);
    }
    if (pass)
        return;
    if (strcmp(status, "differ") == 0)
        check->status = EXIT_DIFFERENT;
}

static void finish_error(Check *check, const char *path, const strider_error *error) {
    int status = exit_status_of(error->status);
    if (status == EXIT_USAGE)
        status = EXIT_FILE; /* the files do not fit the model */
    if (!check->status)
        check->status = status;
    finish_case(check, path, "error", error->message, 0, 0, NULL);
    tool_print(stderr, "strider: %s: %s\n", path, error->message);
}

/* --- running and comparing --- */

static void compare_output(Case *at, const Options *options, size_t i, const strider_tensor *got) {
    strider_value_info info;
    if (strider_model_get_output(at->model, i, &info) || !at->expected[i].dtype)
        return;
    Comparison result = compare_tensors(got, &at->expected[i], options);
    at->max_abs = fmax(at->max_abs, result.max_abs);
    at->max_of_peak = fmax(at->max_of_peak, result.max_of_peak);
    json_t *entry = json_object();
    json_object_set_new(entry, "name", json_text(info.name));
    json_object_set_new(entry, "pass", json_boolean(result.pass));
    if (isfinite(result.max_abs)) {
        json_object_set_new(entry, "max_abs", json_real(result.max_abs));
        json_object_set_new(entry, "max_rel_to_peak",
                            json_real(isfinite(result.max_of_peak) ? result.max_of_peak : -1));
    }
    json_array_append_new(at->outputs, entry);
    if (result.pass || at->differs)
        return;
    at->differs = true;
    if (result.why[0])
        text_format(at->message, sizeof at->message, "output \"%s\" %s", info.name, result.why);
    else
        text_format(at->message, sizeof at->message,
                    "output \"%s\": %lld of %lld elements differ, the worst at %lld: got %.9g, expected %.9g "
                    "(largest difference "
                    "%.3g, %.2g of the largest output)",
                    info.name, (long long)result.n_different, (long long)strider_tensor_elements(got),
                    (long long)result.worst, result.got, result.expected, result.max_abs, result.max_of_peak);
}

/* Runs with each number of threads; results must have the same bits. */
static strider_status run_case(Case *at, const Options *options, strider_error *error) {
    size_t count = strider_model_output_count(at->model);
    strider_tensor *outputs = calloc(count + 1, sizeof *outputs);
    unsigned char **first = calloc(count + 1, sizeof *first);
    strider_status status =
        outputs && first ? STRIDER_OK : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (int t = 0; !status && t < (options->n_threads ? options->n_threads : 1); t++) {
        strider_session *session = NULL;
        memset(outputs, 0, count * sizeof *outputs);
        status = make_session(at->model, options, options->threads[t], &session, error);
        if (!status)
            status =
                strider_session_run(session, at->inputs.tensors, at->inputs.count, outputs, count, error);
        for (size_t i = 0; !status && i < count; i++) {
            size_t bytes = tensor_bytes(&outputs[i]);
            if (t == 0) {
                compare_output(at, options, i, &outputs[i]);
                first[i] = malloc(bytes + 1);
                if (first[i] && bytes)
                    memcpy(first[i], outputs[i].data, bytes);
            } else if (!at->differs && first[i] && bytes && memcmp(first[i], outputs[i].data, bytes) != 0) {
                at->differs = true;
                snprintf(at->message, sizeof at->message,
                         "output %zu has other bits with %d threads than with %d", i, options->threads[t],
                         options->threads[0]);
            }
        }
        strider_session_free(session);
    }
    for (size_t i = 0; first && i < count; i++)
        free(first[i]);
    free(first);
    free(outputs);
    return status;
}

static strider_status case_init(Case *at, const char *path, const strider_model *model,
                                strider_error *error) {
    *at = (Case){.path = path, .model = model, .outputs = json_array()};
    at->expected = calloc(strider_model_output_count(model) + 1, sizeof *at->expected);
    if (!at->expected)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    const strider_status status = name_index_make(
        model, strider_model_get_output, strider_model_output_count(model), &at->outputs_by_name, error);
    return status ? status : inputs_init(model, &at->inputs, error);
}

static void case_free(Case *at) {
    for (size_t i = 0; at->expected && i < strider_model_output_count(at->model); i++)
        strider_tensor_free(&at->expected[i]);
    free(at->expected);
    name_index_free(&at->outputs_by_name);
    inputs_free(&at->inputs);
    json_decref(at->outputs);
}

static void check_case(Check *check, Case *at) {
    strider_error error;
    if (run_case(at, check->options, &error))
        finish_error(check, at->path, &error);
    else
        finish_case(check, at->path, at->differs ? "differ" : "pass", at->message, at->max_abs,
                    at->max_of_peak, at->outputs);
}

/* --- ONNX test cases --- */

/* Reads PREFIX0.pb, PREFIX1.pb, ... as long as there are such files. */
static strider_status read_set(const char *folder, Case *at, bool is_output, const Options *options,
                               strider_error *error) {
    for (int i = 0;; i++) {
        char *path;
        struct stat info;
        if (asprintf(&path, "%s/%s_%d.pb", folder, is_output ? "output" : "input", i) < 0)
            return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
        if (stat(path, &info) != 0) {
            free(path);
            return STRIDER_OK;
        }
        TensorFile file;
        strider_error why;
        strider_status status = format_read(path, &file, &why);
        if (status) {
            tool_fail(error, status, "%s: %s", path, why.message);
            free(path);
            return status;
        }
        int index = is_output ? name_index_find(&at->outputs_by_name, file.items[0].name)
                              : name_index_find(&at->inputs.names, file.items[0].name);
        if (index < 0)
            index = i; /* names are not always kept */
        strider_tensor tensor = file.items[0].tensor;
        file.items[0].tensor = (strider_tensor){0};
        size_t most = is_output ? strider_model_output_count(at->model) : at->inputs.count;
        if ((size_t)index >= most) {
            strider_tensor_free(&tensor);
            status = tool_fail(error, STRIDER_BAD_MODEL, "%s: the model has only %zu %s", path, most,
                               is_output ? "outputs" : "inputs");
        } else if (is_output) {
            at->expected[index] = tensor;
        } else {
            status = inputs_set(at->model, &at->inputs, (size_t)index, tensor, options->quiet, error);
        }
        free(path);
        tensor_file_free(&file);
        if (status)
            return status;
    }
}

static void check_data_set(Check *check, const strider_model *model, const char *folder, const char *name) {
    Case at;
    strider_error error;
    strider_status status = case_init(&at, name, model, &error);
    if (!status)
        status = read_set(folder, &at, false, check->options, &error);
    if (!status)
        status = read_set(folder, &at, true, check->options, &error);
    bool any = false;
    for (size_t i = 0; !status && i < strider_model_output_count(model); i++)
        any = any || at.expected[i].dtype;
    if (!status && !any)
        status = tool_fail(&error, STRIDER_FILE_ERROR, "no output_0.pb to compare with");
    if (status)
        finish_error(check, name, &error);
    else
        check_case(check, &at);
    case_free(&at);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* The model of a case: model.onnx, or the only .onnx file. */
static char *find_model(const char *folder, struct dirent **entries, int count) {
    const char *found = NULL;
    char *path = NULL;
    for (int i = 0; i < count; i++)
        if (ends_with(entries[i]->d_name, ".onnx") &&
            (!found || strcmp(entries[i]->d_name, "model.onnx") == 0))
            found = entries[i]->d_name;
    if (found && asprintf(&path, "%s/%s", folder, found) < 0)
        path = NULL;
    return path;
}

static void check_sets(Check *check, const char *folder, const char *path, struct dirent **entries,
                       int count) {
    strider_model *model;
    strider_error error;
    if (load_model(path, check->options, &model, &error)) {
        finish_error(check, folder, &error);
        return;
    }
    int sets = 0;
    for (int i = 0; i < count; i++)
        sets += strncmp(entries[i]->d_name, "test_data_set_", 14) == 0;
    for (int i = 0; i < count; i++) {
        char *set;
        if (strncmp(entries[i]->d_name, "test_data_set_", 14) != 0 ||
            asprintf(&set, "%s/%s", folder, entries[i]->d_name) < 0)
            continue;
        check_data_set(check, model, set, sets > 1 ? set : folder);
        free(set);
    }
    strider_model_free(model);
}

static void check_below(Check *check, const char *folder, struct dirent **entries, int count, int depth);

/* A case, or a folder with cases somewhere below. */
static void check_folder(Check *check, const char *folder, int depth) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_name);
    if (count < 0)
        return;
    char *model = find_model(folder, entries, count);
    bool has_sets = false;
    for (int i = 0; i < count; i++)
        has_sets = has_sets || strncmp(entries[i]->d_name, "test_data_set_", 14) == 0;
    if (model && has_sets)
        check_sets(check, folder, model, entries, count);
    else
        check_below(check, folder, entries, count, depth);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    free(model);
}

static void check_below(Check *check, const char *folder, struct dirent **entries, int count, int depth) {
    enum { DEEPEST = 8 };
    for (int i = 0; i < count && depth < DEEPEST; i++) {
        char *inner;
        struct stat info;
        if (entries[i]->d_name[0] == '.' || asprintf(&inner, "%s/%s", folder, entries[i]->d_name) < 0)
            continue;
        if (stat(inner, &info) == 0 && S_ISDIR(info.st_mode))
            check_folder(check, inner, depth + 1);
        free(inner);
    }
}

/* --- a model and files --- */

static strider_status take_expected(Case *at, const Setting *expected, int *next, strider_error *error) {
    TensorFile file;
    strider_error why;
    strider_status status = format_read(expected->value, &file, &why);
    if (status)
        return tool_fail(error, status, "%s: %s", expected->value, why.message);
    int taken = 0;
    for (size_t i = 0; i < file.count; i++) {
        int index = expected->name ? name_index_find(&at->outputs_by_name, expected->name)
                                   : name_index_find(&at->outputs_by_name, file.items[i].name);
        if (index < 0 && file.count == 1 && !expected->name)
            index = (*next)++;
        if (index < 0 || (size_t)index >= strider_model_output_count(at->model))
            continue;
        strider_tensor_free(&at->expected[index]);
        at->expected[index] = file.items[i].tensor;
        file.items[i].tensor = (strider_tensor){0};
        taken++;
    }
    tensor_file_free(&file);
    return taken ? STRIDER_OK
                 : tool_fail(error, STRIDER_BAD_MODEL, "%s: no output of the model has such a name",
                             expected->value);
}

static int check_model(Check *check, const char *path) {
    const Options *options = check->options;
    strider_model *model;
    strider_error error;
    Case at;
    int next = 0;
    if (!options->n_expected)
        return report_usage("check: with a model, give references: --expect [NAME=]FILE");
    if (load_model(path, options, &model, &error))
        return report_error(path, &error);
    strider_status status = case_init(&at, path, model, &error);
    inputs_free(&at.inputs);
    int result = status ? report_error(path, &error)
                        : inputs_make(model, options, options->words + 1, options->n_words - 1, &at.inputs);
    for (int i = 0; !result && i < options->n_expected; i++)
        if (take_expected(&at, &options->expected[i], &next, &error))
            result = report_error(path, &error);
    if (!result)
        check_case(check, &at);
    case_free(&at);
    strider_model_free(model);
    return result;
}

/* --- the command --- */

static int check_words(Check *check) {
    const Options *options = check->options;
    struct stat info;
    if (stat(options->words[0], &info) == 0 && !S_ISDIR(info.st_mode))
        return check_model(check, options->words[0]);
    for (int i = 0; i < options->n_words; i++) {
        strider_error error;
        int before = check->passed + check->failed;
        if (stat(options->words[i], &info) != 0) {
            tool_fail(&error, STRIDER_FILE_ERROR, "%s", strerror(errno));
            finish_error(check, options->words[i], &error);
            continue;
        }
        check_folder(check, options->words[i], 0);
        if (check->passed + check->failed == before) {
            tool_fail(&error, STRIDER_FILE_ERROR,
                      "no test case in it: a model with test_data_set_* beside it");
            finish_error(check, options->words[i], &error);
        }
    }
    return EXIT_OK;
}

int command_check(const Options *options) {
    char text[DIMS_TEXT];
    if (options->n_words < 1)
        return report_usage("check: a case or a model is missing");
    Check check = {.options = options, .cases = json_array()};
    int status = check_words(&check);
    if (!status && options->json) {
        json_t *all = json_object();
        json_object_set(all, "cases", check.cases);
        json_object_set_new(all, "passed", json_integer(check.passed));
        json_object_set_new(all, "failed", json_integer(check.failed));
        json_object_set_new(all, "tolerance", json_text(tolerance_text(options, text)));
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
    } else if (!status) {
        if (!options->quiet)
            tool_print(stdout, "tolerance: %s\n", tolerance_text(options, text));
        tool_print(stdout, "%d passed, %d failed\n", check.passed, check.failed);
    }
    json_decref(check.cases);
    return status ? status : check.status;
}
