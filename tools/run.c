/* SPDX-License-Identifier: Apache-2.0 */
/* strider run: a model on inputs, once. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "tool.h"

enum { SHOWN_VALUES = 6 };

typedef struct Statistics {
    double min, max, mean;
    int64_t nan, infinite;
} Statistics;

static Statistics measure(const strider_tensor *tensor) {
    Statistics s = {.min = INFINITY, .max = -INFINITY};
    int64_t count = tensor->dtype == STRIDER_STRING ? 0 : strider_tensor_elements(tensor), finite = 0;
    for (int64_t i = 0; i < count; i++) {
        double value = strider_tensor_get(tensor, i);
        s.nan += isnan(value);
        s.infinite += isinf(value) != 0;
        if (!isfinite(value))
            continue;
        s.min = fmin(s.min, value);
        s.max = fmax(s.max, value);
        s.mean += value;
        finite++;
    }
    s.mean = finite ? s.mean / (double)finite : 0;
    return s;
}

static void print_strings(const strider_tensor *tensor) {
    const strider_string *strings = tensor->data;
    const int64_t count = strider_tensor_elements(tensor);
    for (int64_t i = 0; i < count && i < SHOWN_VALUES; i++)
        tool_print(stdout, " \"%.*s\"", strings[i].size < 100 ? (int)strings[i].size : 100,
                   strings[i].data ? strings[i].data : "");
    tool_print(stdout, count > SHOWN_VALUES ? " ...\n" : "\n");
}

static void print_output(const char *name, const strider_tensor *tensor) {
    char text[DIMS_TEXT];
    Statistics s = measure(tensor);
    int64_t count = strider_tensor_elements(tensor);
    tool_print(stdout, "%s: %s %s", name, strider_dtype_name(tensor->dtype),
               dims_text(tensor->rank, tensor->dims, text));
    if (tensor->dtype == STRIDER_STRING) {
        tool_print(stdout, "\n ");
        print_strings(tensor);
        return;
    }
    if (count)
        tool_print(stdout, "  min %.6g  max %.6g  mean %.6g", s.min, s.max, s.mean);
    if (s.nan || s.infinite)
        tool_print(stdout, "  (%lld NaN, %lld infinite)", (long long)s.nan, (long long)s.infinite);
    tool_print(stdout, "\n ");
    for (int64_t i = 0; i < count && i < SHOWN_VALUES; i++)
        tool_print(stdout, " %.6g", strider_tensor_get(tensor, i));
    tool_print(stdout, count > SHOWN_VALUES ? " ...\n" : "\n");
}

/* --- classes --- */

enum { MAX_LABEL_BYTES = 16 << 20 };

typedef struct Labels {
    char *text;
    char **lines;
    int64_t count;
} Labels;

static strider_status read_labels(const char *path, Labels *labels, strider_error *error) {
    size_t size;
    unsigned char *data;
    *labels = (Labels){0};
    strider_status status = read_whole(path, MAX_LABEL_BYTES, &data, &size, error);
    if (status)
        return status;
    labels->text = (char *)data;
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r';
    labels->lines = calloc(lines, sizeof *labels->lines);
    if (!labels->lines)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (char *line = strtok(labels->text, "\r\n"); line; line = strtok(NULL, "\r\n"))
        labels->lines[labels->count++] = line;
    return STRIDER_OK;
}

static void free_labels(Labels *labels) {
    free(labels->lines);
    free(labels->text);
}

/* Numbers that are a distribution already are shown as they are. */
static bool is_distribution(const double *values, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!(values[i] >= 0 && values[i] <= 1))
            return false;
        sum += values[i];
    }
    return fabs(sum - 1) < 1e-3;
}

static void softmax(double *values, int64_t count) {
    double peak = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        peak = fmax(peak, values[i]);
    for (int64_t i = 0; i < count; i++)
        sum += values[i] = exp(values[i] - peak);
    for (int64_t i = 0; i < count; i++)
        values[i] /= sum;
}

static int print_classes(const strider_tensor *tensor, const Labels *labels, int top) {
    int64_t count = tensor->rank ? tensor->dims[tensor->rank - 1] : 1;
    for (int i = tensor->rank - 1; i > 0 && count == 1; i--) /* [1, C, 1, 1] */
        count = tensor->dims[i];
    int64_t rows = count ? strider_tensor_elements(tensor) / count : 0;
    double *values = calloc((size_t)count + 1, sizeof *values);
    if (!values)
        return EXIT_MACHINE;
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < count; i++)
            values[i] = strider_tensor_get(tensor, row * count + i);
        bool given = is_distribution(values, count);
        if (!given)
            softmax(values, count);
        if (rows > 1)
            tool_print(stdout, "image %lld:\n", (long long)row);
        for (int shown = 0; shown < top && shown < count; shown++) {
            int64_t best = 0;
            for (int64_t i = 1; i < count; i++)
                if (values[i] > values[best])
                    best = i;
            if (labels && best < labels->count)
                tool_print(stdout, "%7.2f %%  %s\n", 100 * values[best], labels->lines[best]);
            else
                tool_print(stdout, "%7.2f %%  class %lld\n", 100 * values[best], (long long)best);
            values[best] = -1;
        }
        if (!given && row == 0)
            tool_print(stdout, "           (softmax of the outputs)\n");
    }
    free(values);
    return EXIT_OK;
}

/* --- saving --- */

/* Names of values may hold slashes, which no file name can, and what none should. */
static void file_name(const char *name, char *to, size_t size) {
    text_escape(to, size, name[0] == '/' ? name + 1 : name);
    for (; *to; to++)
        if (*to == '/')
            *to = '_';
}

static strider_status save_folder(const Options *options, const NamedTensor *outputs, size_t count,
                                  strider_error *error) {
    bool pb = options->format && strcmp(options->format, "pb") == 0;
    if (mkdir(options->output, 0777) != 0 && errno != EEXIST)
        return tool_fail(error, STRIDER_FILE_ERROR, "cannot be made: %s", strerror(errno));
    for (size_t i = 0; i < count; i++) {
        char name[200], *path;
        file_name(outputs[i].name, name, sizeof name);
        int length = pb ? asprintf(&path, "%s/output_%zu.pb", options->output, i)
                        : asprintf(&path, "%s/%s.npy", options->output, name);
        if (length < 0)
            return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
        const strider_status status = format_write(path, &outputs[i], 1, error);
        free(path);
        if (status)
            return status;
    }
    return STRIDER_OK;
}

static strider_status save(const Options *options, const NamedTensor *outputs, size_t count,
                           strider_error *error) {
    return format_is_named(options->output) ? format_write(options->output, outputs, count, error)
                                            : save_folder(options, outputs, count, error);
}

/* --- showing --- */

static int print_json(const NamedTensor *outputs, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        const strider_tensor *tensor = &outputs[i].tensor;
        Statistics s = measure(tensor);
        json_t *shape = json_array(), *output = json_object();
        for (int d = 0; d < tensor->rank; d++)
            json_array_append_new(shape, json_integer(tensor->dims[d]));
        json_object_set_new(output, "name", json_text(outputs[i].name));
        json_object_set_new(output, "dtype", json_text(strider_dtype_name(tensor->dtype)));
        json_object_set_new(output, "shape", shape);
        if (isfinite(s.min)) {
            json_object_set_new(output, "min", json_real(s.min));
            json_object_set_new(output, "max", json_real(s.max));
            json_object_set_new(output, "mean", json_real(s.mean));
        }
        json_object_set_new(output, "nan_count", json_integer(s.nan));
        json_object_set_new(output, "infinite_count", json_integer(s.infinite));
        json_array_append_new(list, output);
    }
    json_t *all = json_object();
    json_object_set_new(all, "outputs", list);
    int status = json_dumpf(all, stdout, JSON_INDENT(2)) ? EXIT_MACHINE : EXIT_OK;
    putchar('\n');
    json_decref(all);
    return status;
}

static int show(const Options *options, const char *path, const NamedTensor *outputs, size_t count) {
    strider_error error;
    if (options->output && save(options, outputs, count, &error))
        return report_error(options->output, &error);
    if (options->json)
        return print_json(outputs, count);
    if (options->labels || options->top) {
        Labels labels = {0};
        if (options->labels && read_labels(options->labels, &labels, &error)) {
            free_labels(&labels);
            return report_error(options->labels, &error);
        }
        int status = count ? print_classes(&outputs[0].tensor, options->labels ? &labels : NULL,
                                           options->top ? options->top : 5)
                           : report_usage("%s has no outputs", path);
        free_labels(&labels);
        return status;
    }
    for (size_t i = 0; i < count && !options->quiet; i++)
        print_output(outputs[i].name, &outputs[i].tensor);
    return EXIT_OK;
}

/* --- outputs of any kind --- */

/* The tensors of all outputs: of a sequence "y" they are called "y[0]", "y[1]" and so on. */
typedef struct Flat {
    NamedTensor *items;
    size_t count, capacity;
} Flat;

static void flat_free(Flat *flat) {
    for (size_t i = 0; i < flat->count; i++)
        free(flat->items[i].name);
    free(flat->items);
}

static bool flat_add(Flat *flat, const char *name, const strider_tensor *tensor) {
    if (flat->count == flat->capacity) {
        const size_t capacity = flat->capacity ? 2 * flat->capacity : 16;
        NamedTensor *items = realloc(flat->items, capacity * sizeof *items);
        if (!items)
            return false;
        flat->items = items;
        flat->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy)
        flat->items[flat->count++] = (NamedTensor){copy, *tensor};
    return copy != NULL;
}

static bool flatten(Flat *flat, const char *name, const strider_value *value) {
    if (value->kind == STRIDER_TENSOR)
        return flat_add(flat, name, &value->tensor);
    if (value->kind == STRIDER_OPTIONAL)
        return !value->count || flatten(flat, name, &value->items[0]);
    bool added = true;
    for (size_t i = 0; i < value->count && added; i++) {
        char *item;
        added = asprintf(&item, "%s[%zu]", name, i) >= 0;
        if (added) {
            added = flatten(flat, item, &value->items[i]);
            free(item);
        }
    }
    return added;
}

/* What has no tensor would not be seen. */
static void print_kind(const char *name, const strider_value *value) {
    if (value->kind == STRIDER_OPTIONAL && !value->count)
        tool_print(stdout, "%s: an optional that holds nothing\n", name);
    else if (value->kind == STRIDER_OPTIONAL)
        print_kind(name, &value->items[0]);
    else if (value->kind == STRIDER_SEQUENCE)
        tool_print(stdout, "%s: a sequence of %zu tensors\n", name, value->count);
}

static strider_status run_values(strider_session *session, const Inputs *inputs, strider_value *outputs,
                                 size_t count, strider_error *error) {
    strider_value *given = calloc(inputs->count + 1, sizeof *given);
    if (!given)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < inputs->count; i++)
        given[i].tensor = inputs->tensors[i];
    const strider_status status =
        strider_session_run_values(session, given, inputs->count, outputs, count, error);
    free(given);
    return status;
}

static int show_values(const Options *options, const strider_model *model, const char *path,
                       const strider_value *values, size_t count) {
    Flat flat = {0};
    bool added = true;
    for (size_t i = 0; i < count && added; i++) {
        strider_value_info info;
        if (strider_model_get_output(model, i, &info) != STRIDER_OK)
            continue;
        if (!options->quiet && !options->json)
            print_kind(info.name, &values[i]);
        added = flatten(&flat, info.name, &values[i]);
    }
    const int status = added ? show(options, path, flat.items, flat.count) : EXIT_MACHINE;
    flat_free(&flat);
    return status;
}

/* --- what is slow --- */

enum { MAX_SHOWN_OPERATORS = 64 };

/* Each operator of the plan that no fast kernel computes, with the first of its nodes. */
static void print_references(strider_session *session) {
    const char *shown[MAX_SHOWN_OPERATORS];
    size_t n_shown = 0;
    strider_plan_info plan;
    strider_step_info step;
    if (strider_session_get_plan(session, &plan))
        return;
    for (size_t i = 0; i < plan.step_count && n_shown < MAX_SHOWN_OPERATORS; i++) {
        size_t k = 0;
        if (strider_session_get_step(session, i, &step) || strcmp(step.kernel, "reference") != 0)
            continue;
        while (k < n_shown && strcmp(shown[k], step.op_type) != 0)
            k++;
        if (k < n_shown)
            continue;
        shown[n_shown++] = step.op_type;
        tool_print(stderr, "computed by a plain reference kernel: %s, first by node \"%s\"\n", step.op_type,
                   step.name);
    }
}

/* --- the command --- */

static int run_loaded(const Options *options, const strider_model *model, const char *path) {
    Inputs inputs = {0};
    strider_session *session = NULL;
    strider_error error = {0};
    const size_t count = strider_model_output_count(model);
    strider_value *values = calloc(count + 1, sizeof *values);
    int status = values ? inputs_make(model, options, options->words + 1, options->n_words - 1, &inputs)
                        : EXIT_MACHINE;
    if (!status && (make_session(model, options, options->threads[0], &session, &error) ||
                    run_values(session, &inputs, values, count, &error)))
        status = report_error(path, &error);
    if (!status && options->verbose && !options->reference)
        print_references(session);
    if (!status)
        status = show_values(options, model, path, values, count);
    free(values);
    strider_session_free(session);
    inputs_free(&inputs);
    return status;
}

int command_run(const Options *options) {
    strider_model *model;
    strider_error error;
    if (options->n_words < 1)
        return report_usage("run: a model is missing");
    const char *path = options->words[0];
    if (load_model(path, options, &model, &error))
        return report_error(path, &error);
    int status = run_loaded(options, model, path);
    strider_model_free(model);
    return status;
}
