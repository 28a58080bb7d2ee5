/* SPDX-License-Identifier: Apache-2.0 */
/* strider check: outputs against reference dumps. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "case.h"

/* All that is checked, counted and reported. */
typedef struct Check {
    const Options *options;
    json_t *cases;
    int passed, failed;
    int status; /* EXIT_DIFFERENT goes before the status of the first error */
} Check;

/* `at` is NULL where nothing was run. */
static void finish_case(Check *check, const char *path, const char *status, const char *message,
                        const Case *at) {
    bool pass = strcmp(status, "pass") == 0;
    check->passed += pass;
    check->failed += !pass;
    if (check->options->json) {
        json_t *entry = json_object();
        json_object_set_new(entry, "path", json_text(path));
        json_object_set_new(entry, "pass", json_boolean(pass));
        json_object_set_new(entry, "status", json_text(status));
        json_object_set_new(entry, "message", json_text(message));
        json_object_set_new(entry, "outputs", at ? json_incref(at->outputs) : json_array());
        json_object_set_new(entry, "not_compared", at ? json_incref(at->not_compared) : json_array());
        json_array_append_new(check->cases, entry);
    } else if (pass && !check->options->quiet) {
        tool_print(stdout, "PASS %s  largest difference %.3g (%.2g of the largest output)", path, at->max_abs,
                   at->max_of_peak);
        const size_t left = json_array_size(at->not_compared);
        if (left)
            tool_print(stdout, "; %zu output%s not compared", left, left == 1 ? "" : "s");
        tool_print(stdout, "\n");
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
    finish_case(check, path, "error", error->message, NULL);
    tool_print(stderr, "strider: %s: %s\n", path, error->message);
}

static void check_case(Check *check, Case *at) {
    strider_error error;
    if (case_run(at, check->options, &error))
        finish_error(check, at->path, &error);
    else
        finish_case(check, at->path, at->differs ? "differ" : "pass", at->message, at);
}

/* --- ONNX test cases --- */

static void check_data_set(Check *check, const strider_model *model, const char *folder, const char *name) {
    Case at;
    strider_error error;
    strider_status status = case_init(&at, name, model, &error);
    if (!status)
        status = case_read_set(folder, &at, false, check->options, &error);
    if (!status)
        status = case_read_set(folder, &at, true, check->options, &error);
    bool any = false;
    for (size_t i = 0; !status && i < strider_model_output_count(model); i++)
        any = any || value_is_given(&at.expected[i]);
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
        strider_value_free(&at->expected[index]);
        at->expected[index].tensor = file.items[i].tensor;
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
