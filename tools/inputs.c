/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/wrap.h"
#include "tool.h"

/* --- models --- */

static void print_warning(void *context, strider_log_level level, const char *message) {
    if (level == STRIDER_LOG_WARNING)
        tool_print(stderr, "strider: %s: warning: %s\n", (const char *)context, message);
}

/* "1x3x224x224", or with commas. */
static bool parse_dims(const char *text, int64_t dims[STRIDER_MAX_RANK], int *rank) {
    *rank = 0;
    for (;;) {
        char *end;
        long long dim = strtoll(text, &end, 10);
        if (end == text || dim < 0 || *rank == STRIDER_MAX_RANK)
            return false;
        dims[(*rank)++] = dim;
        if (!*end)
            return true;
        if (*end != 'x' && *end != ',')
            return false;
        text = end + 1;
    }
}

strider_status load_model(const char *path, const Options *options, strider_model **model,
                          strider_error *error) {
    strider_load_options load = strider_load_options_default();
    load.optimize = !options->no_optimize;
    load.allow_links = options->allow_links;
    load.copy = options->copy;
    load.shapes = options->check_shapes ? STRIDER_SHAPES_CHECK : STRIDER_SHAPES_WARN;
    strider_input_shape given[MAX_SETTINGS] = {0};
    load.input_shapes = given;
    for (int i = 0; i < options->n_shapes; i++) {
        strider_input_shape *shape = &given[load.input_shape_count++];
        shape->name = options->shapes[i].name;
        if (!parse_dims(options->shapes[i].value, shape->dims, &shape->rank))
            return tool_fail(error, STRIDER_INVALID_ARGUMENT, "--shape takes NAME=1x3x224x224, not \"%s=%s\"",
                             shape->name, options->shapes[i].value);
    }
    if (options->limit_memory)
        load.max_parse_bytes = options->limit_memory;
    load.log = options->quiet ? NULL : print_warning;
    load.log_context = (void *)path;
    return strider_model_load(path, &load, model, error);
}

strider_status make_session(const strider_model *model, const Options *options, int threads,
                            strider_session **session, strider_error *error) {
    strider_session_options settings = strider_session_options_default();
    settings.threads = threads;
    settings.reference = options->reference;
    if (options->fast_winograd)
        settings.max_layer_error = STRIDER_FAST_WINOGRAD_ERROR;
    if (options->max_error >= 0)
        settings.max_layer_error = options->max_error;
    settings.max_memory_bytes = options->limit_memory;
    if (options->limit_loops)
        settings.max_body_runs = options->limit_loops;
    settings.tuning = options->tuning;
    settings.device = options->device;
    settings.allow_tf32 = options->tf32;
    settings.allow_nondeterministic = options->nondeterministic;
    settings.record_runs = options->cuda_graph;
    return strider_session_create(model, &settings, session, error);
}

/* --- shapes --- */

const char *dims_text(int rank, const int64_t *dims, char text[DIMS_TEXT]) {
    size_t used = 0;
    text[0] = '\0';
    if (rank == 0)
        snprintf(text, DIMS_TEXT, "scalar");
    for (int i = 0; i < rank && used < DIMS_TEXT; i++)
        used += (size_t)snprintf(text + used, DIMS_TEXT - used, "%s%lld", i ? "x" : "", (long long)dims[i]);
    return text;
}

const char *value_dims_text(const strider_value_info *info, char text[DIMS_TEXT]) {
    size_t used = 0;
    text[0] = '\0';
    if (info->rank <= 0)
        snprintf(text, DIMS_TEXT, info->rank ? "?" : "scalar");
    for (int i = 0; i < info->rank && used < DIMS_TEXT; i++) {
        const char *x = i ? " x " : "";
        if (info->dims[i] >= 0)
            used += (size_t)snprintf(text + used, DIMS_TEXT - used, "%s%lld", x, (long long)info->dims[i]);
        else
            used += (size_t)text_format(text + used, DIMS_TEXT - used, "%s%s", x,
                                        info->dim_names[i] ? info->dim_names[i] : "?");
    }
    return text;
}

static const char *find_setting(const Setting *settings, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value;
    return NULL;
}

bool input_shape(const strider_value_info *info, const Options *options, int64_t dims[STRIDER_MAX_RANK],
                 int *rank, int *open) {
    *open = 0;
    *rank = info->rank;
    for (int i = 0; i < info->rank; i++) {
        dims[i] = info->dims[i];
        const char *value = dims[i] < 0 && info->dim_names[i]
                                ? find_setting(options->dims, options->n_dims, info->dim_names[i])
                                : NULL;
        if (value)
            dims[i] = atoll(value);
        else if (i == 0 && dims[i] < 0)
            dims[i] = 1; /* the batch */
        *open = i;
        if (dims[i] < 0)
            return false;
    }
    return info->rank >= 0;
}

/* --- inputs --- */

typedef struct NamePlace {
    const char *name;
    size_t index;
} NamePlace;

static int by_name(const void *a, const void *b) {
    const NamePlace *first = a, *second = b;
    const int order = strcmp(first->name, second->name);
    return order ? order : (first->index > second->index) - (first->index < second->index);
}

strider_status name_index_make(const strider_model *model,
                               strider_status (*get)(const strider_model *, size_t, strider_value_info *),
                               size_t count, NameIndex *names, strider_error *error) {
    strider_value_info info;
    *names = (NameIndex){.places = calloc(count + 1, sizeof *names->places)};
    if (!names->places)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < count && get(model, i, &info) == STRIDER_OK; i++)
        names->places[names->count++] = (NamePlace){info.name, i};
    qsort(names->places, names->count, sizeof *names->places, by_name);
    return STRIDER_OK;
}

int name_index_find(const NameIndex *names, const char *name) {
    size_t first = 0, end = names->count;
    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        if (strcmp(names->places[middle].name, name) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first < names->count && strcmp(names->places[first].name, name) == 0
               ? (int)names->places[first].index
               : -1;
}

void name_index_free(NameIndex *names) {
    free(names->places);
    *names = (NameIndex){0};
}

strider_status inputs_init(const strider_model *model, Inputs *inputs, strider_error *error) {
    inputs->count = strider_model_input_count(model);
    inputs->tensors = calloc(inputs->count + 1, sizeof *inputs->tensors);
    inputs->given = calloc(inputs->count + 1, sizeof *inputs->given);
    if (!inputs->tensors || !inputs->given)
        return tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    return name_index_make(model, strider_model_get_input, inputs->count, &inputs->names, error);
}

void inputs_free(Inputs *inputs) {
    for (size_t i = 0; inputs->tensors && i < inputs->count; i++)
        strider_tensor_free(&inputs->tensors[i]);
    free(inputs->tensors);
    free(inputs->given);
    name_index_free(&inputs->names);
    *inputs = (Inputs){0};
}

/* float64 where a model wants float32, and the like: what NumPy makes by default. */
static strider_status convert(strider_tensor *tensor, strider_dtype wanted, strider_error *error) {
    bool floats = tensor->dtype == STRIDER_F64 && wanted == STRIDER_F32;
    bool integers = tensor->dtype == STRIDER_I64 && wanted == STRIDER_I32;
    if (!floats && !integers)
        return tool_fail(error, STRIDER_BAD_MODEL, "it is %s, the model wants %s",
                         strider_dtype_name(tensor->dtype), strider_dtype_name(wanted));
    strider_tensor converted;
    strider_status status = tensor_make(&converted, wanted, tensor->rank, tensor->dims, error);
    if (status)
        return status;
    for (int64_t i = 0; i < strider_tensor_elements(tensor); i++) {
        if (floats)
            ((float *)converted.data)[i] = (float)((double *)tensor->data)[i];
        else
            ((int32_t *)converted.data)[i] = (int32_t)((int64_t *)tensor->data)[i];
    }
    strider_tensor_free(tensor);
    *tensor = converted;
    return STRIDER_OK;
}

strider_status inputs_set(const strider_model *model, Inputs *inputs, size_t index, strider_tensor tensor,
                          bool quiet, strider_error *error) {
    strider_value_info info;
    strider_status status = strider_model_get_input(model, index, &info);
    if (!status && info.dtype && tensor.dtype != info.dtype) {
        strider_dtype was = tensor.dtype;
        status = convert(&tensor, info.dtype, error);
        if (!status && !quiet)
            tool_print(stderr, "strider: input \"%s\": converted from %s to %s\n", info.name,
                       strider_dtype_name(was), strider_dtype_name(info.dtype));
    }
    if (status) {
        strider_tensor_free(&tensor);
        return status;
    }
    strider_tensor_free(&inputs->tensors[index]);
    inputs->tensors[index] = tensor;
    inputs->given[index] = true;
    return STRIDER_OK;
}

/* xorshift64*: the same numbers on every machine. */
WRAPS_AROUND static uint64_t first_state(uint64_t seed) {
    return seed * 0x9e3779b97f4a7c15u + 0x106689d45497fdb5u;
}

WRAPS_AROUND static double next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (double)(*state * 0x2545f4914f6cdd1du >> 40) * 0x1p-24;
}

static void set_value(strider_tensor *tensor, int64_t i, double unit, bool random) {
    int small = (int)(unit * 10); /* of integers, in case they are indices */
    switch (tensor->dtype) {
    case STRIDER_F32:
        ((float *)tensor->data)[i] = (float)unit;
        break;
    case STRIDER_F64:
        ((double *)tensor->data)[i] = unit;
        break;
    case STRIDER_F16: /* 1 - 2^-11 and less, by the bits of a number in [1, 2) less 1: exact enough for a
                         generator */
        ((uint16_t *)tensor->data)[i] = unit == 1   ? 0x3c00
                                        : unit == 0 ? 0
                                                    : (uint16_t)(0x3800 + (int)(unit * 1024));
        break;
    case STRIDER_BF16:
        ((uint16_t *)tensor->data)[i] = unit == 1   ? 0x3f80
                                        : unit == 0 ? 0
                                                    : (uint16_t)(0x3f00 + (int)(unit * 128));
        break;
    case STRIDER_BOOL:
        ((uint8_t *)tensor->data)[i] = random ? unit < 0.5 : unit != 0;
        break;
    default:
        strider_tensor_set(tensor, i, random ? small : unit);
    }
}

/* Whether `value` is a generator's name. */
static bool is_generator(const char *value) {
    return strcmp(value, "zeros") == 0 || strcmp(value, "ones") == 0 || strcmp(value, "random") == 0 ||
           strncmp(value, "random:", 7) == 0;
}

static strider_status generate(const strider_value_info *info, const Options *options, const char *value,
                               strider_tensor *tensor, strider_error *error) {
    int64_t dims[STRIDER_MAX_RANK];
    int rank, open;
    if (!input_shape(info, options, dims, &rank, &open)) {
        if (info->rank < 0 || info->dims[open] >= 0)
            return tool_fail(error, STRIDER_INVALID_ARGUMENT,
                             "input \"%s\" has no known shape: give one with --shape %s=1x3x224x224",
                             info->name, info->name);
        return tool_fail(error, STRIDER_INVALID_ARGUMENT,
                         "dimension %d (%s) of input \"%s\" is open: give it with %s%s=N or --shape", open,
                         info->dim_names[open] ? info->dim_names[open] : "?", info->name,
                         info->dim_names[open] ? "--dim " : "--shape ",
                         info->dim_names[open] ? info->dim_names[open] : info->name);
    }
    strider_status status = tensor_make(tensor, info->dtype ? info->dtype : STRIDER_F32, rank, dims, error);
    if (status || strcmp(value, "zeros") == 0)
        return status;
    if (tensor->dtype == STRIDER_STRING) {
        strider_tensor_free(tensor);
        return tool_fail(error, STRIDER_INVALID_ARGUMENT,
                         "input \"%s\" is of strings: these come from a .pb file, or are empty (zeros)",
                         info->name);
    }
    bool random = strncmp(value, "random", 6) == 0;
    uint64_t state = first_state(value[6] == ':' ? strtoull(value + 7, NULL, 10) : 0);
    for (int64_t i = 0; i < strider_tensor_elements(tensor); i++)
        set_value(tensor, i, random ? next_random(&state) : 1, random);
    return STRIDER_OK;
}

/* The first input that is not given yet and must be, or else any that is not given. */
static int next_free(const strider_model *model, Inputs *inputs) {
    strider_value_info info;
    for (size_t *i = &inputs->next_required; *i < inputs->count; ++*i)
        if (!inputs->given[*i] && strider_model_get_input(model, *i, &info) == STRIDER_OK &&
            !info.is_optional)
            return (int)*i;
    for (size_t *i = &inputs->next_any; *i < inputs->count; ++*i)
        if (!inputs->given[*i])
            return (int)*i;
    return -1;
}

/* All tensors of a file: by name where it has several. */
static strider_status take_file(const strider_model *model, const Options *options, TensorFile *file,
                                int index, Inputs *inputs, strider_error *error) {
    strider_status status = STRIDER_OK;
    for (size_t i = 0; i < file->count && !status; i++) {
        int at = file->count == 1 ? index : name_index_find(&inputs->names, file->items[i].name);
        if (at < 0)
            continue; /* a dump may hold outputs too */
        status = inputs_set(model, inputs, (size_t)at, file->items[i].tensor, options->quiet, error);
        file->items[i].tensor = (strider_tensor){0};
    }
    return status;
}

static int make_one(const strider_model *model, const Options *options, const char *word, Inputs *inputs) {
    const char *equals = strchr(word, '='), *value = word;
    strider_error error = {0};
    int index = -1;
    if (equals) {
        char *name = strndup(word, (size_t)(equals - word));
        index = name ? name_index_find(&inputs->names, name) : -1;
        free(name);
        if (index >= 0)
            value = equals + 1;
    }
    bool named = index >= 0;
    if (!named)
        index = next_free(model, inputs);
    if (index < 0)
        return report_usage("\"%s\": the model has %zu inputs, and all are given", word, inputs->count);
    if (is_generator(value)) {
        strider_value_info info;
        strider_tensor tensor;
        strider_status status = strider_model_get_input(model, (size_t)index, &info);
        if (!status)
            status = generate(&info, options, value, &tensor, &error);
        if (!status)
            status = inputs_set(model, inputs, (size_t)index, tensor, options->quiet, &error);
        return status ? report_error(word, &error) : EXIT_OK;
    }
    TensorFile file;
    strider_status status = format_read(value, &file, &error);
    if (status && equals && !named && status == STRIDER_FILE_ERROR)
        return report_usage("\"%s\" is neither a file nor NAME=VALUE with a name of the model's inputs",
                            word);
    if (!status)
        status = take_file(model, options, &file, index, inputs, &error);
    tensor_file_free(&file);
    if (status)
        return report_error(value, &error);
    return EXIT_OK;
}

static int report_missing(const strider_model *model, const Inputs *inputs) {
    strider_value_info info;
    char text[DIMS_TEXT];
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->given[i] || strider_model_get_input(model, i, &info) || info.is_optional)
            continue;
        return report_usage("input \"%s\" (%s %s) is missing: give a file, or for a try %s=random", info.name,
                            strider_dtype_name(info.dtype), value_dims_text(&info, text), info.name);
    }
    return EXIT_OK;
}

int inputs_make(const strider_model *model, const Options *options, char const *const *words, int n_words,
                Inputs *inputs) {
    strider_error error;
    *inputs = (Inputs){0};
    if (inputs_init(model, inputs, &error))
        return report_error("inputs", &error);
    for (int i = 0; i < n_words; i++) {
        int status = make_one(model, options, words[i], inputs);
        if (status)
            return status;
    }
    return report_missing(model, inputs);
}
