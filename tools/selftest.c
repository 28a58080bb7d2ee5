/* SPDX-License-Identifier: Apache-2.0 */
/* strider selftest: whether a device computes what the CPU does, in one report.  Each model is run layer by
 * layer against the CPU's reference kernels, twice for the same bits, with TF32, and after the device's
 * memory ran out.  Without models it takes those that are built in. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "builtin_models.h"
#include "compare.h"

enum { MOST_BAD_LAYERS = 20 };

typedef struct SelfTest {
    const Options *options;
    const char *device;
    uint64_t memory_bytes; /* of the device */
    FILE *report;          /* beside standard output; NULL: none */
    int checks, failed;
} SelfTest;

static void say(const SelfTest *test, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const SelfTest *test, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    vprintf(format, args);
    if (test->report)
        vfprintf(test->report, format, again);
    va_end(again);
    va_end(args);
}

static void finish_check(SelfTest *test, bool pass, const char *what, const char *why) {
    test->checks++;
    test->failed += !pass;
    say(test, "  %s  %s%s%s\n", pass ? "PASS" : "FAIL", what, why[0] ? ": " : "", why);
}

/* --- a model
 * ----------------------------------------------------------------------------------------------------- */

typedef struct Subject {
    SelfTest *test;
    const strider_model *model;
    Inputs inputs;
    size_t n_outputs;
} Subject;

static strider_session_options options_of(const Subject *subject, const char *device) {
    strider_session_options options = strider_session_options_default();
    options.device = device;
    options.threads = subject->test->options->n_threads ? subject->test->options->threads[0] : 0;
    options.max_arena_bytes = UINT64_MAX;
    options.override_shapes = subject->test->options->n_shapes > 0;
    options.allow_nondeterministic = subject->test->options->nondeterministic;
    return options;
}

/* Runs; outputs are copies, freed by free_outputs(). */
static strider_status run_session(const Subject *subject, strider_session *session, strider_tensor *outputs,
                                  strider_error *error) {
    for (size_t i = 0; i < subject->n_outputs; i++)
        outputs[i] = (strider_tensor){0};
    strider_status status = strider_session_run(session, subject->inputs.tensors, subject->inputs.count,
                                                outputs, subject->n_outputs, error);
    for (size_t i = 0; i < subject->n_outputs; i++) {
        const size_t bytes = status ? 0 : tensor_bytes(&outputs[i]);
        void *copy = malloc(bytes + 1);
        if (!copy && !status)
            status = tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
        if (copy && bytes)
            memcpy(copy, outputs[i].data, bytes);
        outputs[i].data = copy;
    }
    return status;
}

static void free_outputs(const Subject *subject, strider_tensor *outputs) {
    for (size_t i = 0; outputs && i < subject->n_outputs; i++)
        free(outputs[i].data);
    free(outputs);
}

static strider_status run_once(const Subject *subject, const strider_session_options *options,
                               strider_tensor *outputs, strider_error *error) {
    strider_session *session;
    strider_status status = strider_session_create(subject->model, options, &session, error);
    if (!status)
        status = run_session(subject, session, outputs, error);
    strider_session_free(session);
    return status;
}

static bool same_bits(const Subject *subject, const strider_tensor *a, const strider_tensor *b) {
    for (size_t i = 0; i < subject->n_outputs; i++)
        if (tensor_bytes(&a[i]) != tensor_bytes(&b[i]) ||
            memcmp(a[i].data, b[i].data, tensor_bytes(&a[i])) != 0)
            return false;
    return true;
}

/* --- layer by layer
 * ---------------------------------------------------------------------------------------------- */

typedef struct Layers {
    strider_session *on_device, *on_cpu;
    int compared, bad, elsewhere; /* layers; those that the CPU ran for the device */
    double worst;                 /* of the largest element of its layer */
} Layers;

/* The reference's step for a node of the model. */
static bool find_step(const strider_session *session, int64_t node, size_t *index, strider_step_info *step) {
    for (*index = 0; strider_session_get_step(session, *index, step) == STRIDER_OK; ++*index)
        if (step->node == node)
            return true;
    return false;
}

/* Other layouts are the CPU's own; it is not what is tested. */
static bool is_plain(const strider_step_info *step) {
    return step->output.dtype && step->output_bytes == tensor_bytes(&step->output) &&
           !strpbrk(step->layout, "0123456789");
}

static strider_status compare_layer(const Subject *subject, Layers *layers, size_t index,
                                    const strider_step_info *step, strider_error *error) {
    strider_step_info expected;
    size_t other;
    if (!find_step(layers->on_cpu, step->node, &other, &expected) || !is_plain(step) || !is_plain(&expected))
        return STRIDER_OK;
    strider_tensor a = step->output, b = expected.output;
    a.data = malloc(step->output_bytes + 1);
    b.data = malloc(expected.output_bytes + 1);
    strider_status status =
        a.data && b.data ? STRIDER_OK : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    if (!status)
        status = strider_session_read_step(layers->on_device, index, a.data, error);
    if (!status)
        status = strider_session_read_step(layers->on_cpu, other, b.data, error);
    if (!status) {
        char shape[DIMS_TEXT];
        const Comparison result = compare_tensors(&a, &b, subject->test->options);
        layers->compared++;
        layers->worst = fmax(layers->worst, result.max_of_peak);
        if (!result.pass && layers->bad++ < MOST_BAD_LAYERS)
            say(subject->test,
                "        %s layer that differs: node %lld \"%s\" (%s) %s on %s by %s: %lld elements, the "
                "worst %lld "
                "is %.9g, not %.9g%s%s\n",
                layers->bad == 1 ? "first" : "next", (long long)step->node, step->name, step->op_type,
                dims_text(a.rank, a.dims, shape), step->device, step->kernel, (long long)result.n_different,
                (long long)result.worst, result.got, result.expected, result.why[0] ? "; " : "", result.why);
    }
    free(a.data);
    free(b.data);
    return status;
}

static strider_status compare_layers(const Subject *subject, Layers *layers, strider_error *error) {
    strider_step_info step;
    strider_plan_info plan;
    strider_status status = STRIDER_OK;
    strider_session_get_plan(layers->on_device, &plan);
    for (size_t i = 0; !status && strider_session_get_step(layers->on_device, i, &step) == STRIDER_OK; i++) {
        if (step.node < 0)
            continue;
        if (strcmp(step.device, "cpu") == 0 && strcmp(plan.device, "cpu") != 0)
            layers->elsewhere++;
        status = compare_layer(subject, layers, i, &step, error);
    }
    return status;
}

static strider_status run_layers(const Subject *subject, Layers *layers, strider_tensor *scratch,
                                 strider_error *error) {
    strider_session_options options = options_of(subject, subject->test->device), reference;
    options.keep_values = true;
    reference = options;
    reference.device = "cpu";
    reference.reference = true;
    strider_status status = strider_session_create(subject->model, &options, &layers->on_device, error);
    if (!status)
        status = strider_session_create(subject->model, &reference, &layers->on_cpu, error);
    if (!status)
        status = strider_session_run(layers->on_device, subject->inputs.tensors, subject->inputs.count,
                                     scratch, subject->n_outputs, error);
    memset(scratch, 0, subject->n_outputs * sizeof *scratch);
    if (!status)
        status = strider_session_run(layers->on_cpu, subject->inputs.tensors, subject->inputs.count, scratch,
                                     subject->n_outputs, error);
    memset(scratch, 0, subject->n_outputs * sizeof *scratch);
    return status ? status : compare_layers(subject, layers, error);
}

static void check_layers(const Subject *subject, strider_tensor *scratch) {
    Layers layers = {0};
    strider_error error;
    char why[700];
    const strider_status status = run_layers(subject, &layers, scratch, &error);
    if (status)
        snprintf(why, sizeof why, "%s", error.message);
    else
        snprintf(why, sizeof why,
                 "%d layers compared, %d ran on the CPU, %d differ, at most %.2g of the largest",
                 layers.compared, layers.elsewhere, layers.bad, layers.worst);
    finish_check(subject->test, !status && !layers.bad && layers.compared,
                 "layer by layer against the CPU's reference", why);
    strider_session_free(layers.on_device);
    strider_session_free(layers.on_cpu);
}

/* --- whole runs
 * --------------------------------------------------------------------------------------------------- */

static void check_outputs(const Subject *subject, const strider_tensor *got, const strider_tensor *expected) {
    char why[300] = "";
    double worst = 0;
    bool pass = true;
    for (size_t i = 0; i < subject->n_outputs; i++) {
        const Comparison result = compare_tensors(&got[i], &expected[i], subject->test->options);
        worst = fmax(worst, result.max_of_peak);
        if (!result.pass && pass)
            snprintf(why, sizeof why, "output %zu: %lld elements differ, element %lld is %.9g, not %.9g %s",
                     i, (long long)result.n_different, (long long)result.worst, result.got, result.expected,
                     result.why);
        pass = pass && result.pass;
    }
    if (pass)
        snprintf(why, sizeof why, "at most %.2g of the largest", worst);
    finish_check(subject->test, pass, "outputs against the CPU's", why);
}

/* Not a check: how much the faster products of --tf32 differ is for the reader to judge. */
static void show_tf32(const Subject *subject, const strider_tensor *strict, strider_tensor *outputs) {
    strider_session_options options = options_of(subject, subject->test->device);
    strider_error error;
    double worst = 0;
    options.allow_tf32 = true;
    if (run_once(subject, &options, outputs, &error)) {
        finish_check(subject->test, false, "with TF32", error.message);
        return;
    }
    for (size_t i = 0; i < subject->n_outputs; i++)
        worst = fmax(worst, compare_tensors(&outputs[i], &strict[i], subject->test->options).max_of_peak);
    say(subject->test, "  NOTE  with TF32 outputs change by at most %.2g of the largest\n", worst);
}

static strider_tensor *take_outputs(const Subject *subject) {
    return calloc(subject->n_outputs + 1, sizeof(strider_tensor));
}

static void check_runs(const Subject *subject) {
    strider_session_options options = options_of(subject, subject->test->device), cpu = options;
    strider_tensor *sets[4] = {take_outputs(subject), take_outputs(subject), take_outputs(subject),
                               take_outputs(subject)};
    strider_session *session = NULL;
    strider_error error;
    cpu.device = "cpu";
    strider_status status = sets[0] && sets[1] && sets[2] && sets[3]
                                ? STRIDER_OK
                                : tool_fail(&error, STRIDER_OUT_OF_MEMORY, "out of memory");
    if (!status)
        status = run_once(subject, &cpu, sets[0], &error);
    if (!status)
        status = strider_session_create(subject->model, &options, &session, &error);
    if (!status)
        status = run_session(subject, session, sets[1], &error);
    if (!status)
        status = run_session(subject, session, sets[2], &error);
    if (status) {
        finish_check(subject->test, false, "running", error.message);
    } else {
        check_outputs(subject, sets[1], sets[0]);
        finish_check(subject->test, same_bits(subject, sets[1], sets[2]), "two runs give the same bits", "");
        show_tf32(subject, sets[1], sets[3]);
    }
    strider_session_free(session);
    for (int i = 0; i < 4; i++)
        free_outputs(subject, sets[i]);
}

static int test_model(SelfTest *test, const strider_model *model, const char *name) {
    Subject subject = {.test = test, .model = model, .n_outputs = strider_model_output_count(model)};
    const char *words[MOST_SETTINGS];
    const size_t n_inputs = strider_model_input_count(model);
    int n_words = 0;
    while ((size_t)n_words < n_inputs && n_words < MOST_SETTINGS)
        words[n_words++] = "random";
    say(test, "%s\n", name);
    const int status = inputs_make(model, test->options, words, n_words, &subject.inputs);
    if (status) {
        finish_check(test, false, "making random inputs", "see --dim and --shape");
    } else {
        strider_tensor *scratch = take_outputs(&subject);
        if (scratch)
            check_layers(&subject, scratch);
        free(scratch);
        check_runs(&subject);
    }
    inputs_free(&subject.inputs);
    return status;
}

/* --- memory
 * ------------------------------------------------------------------------------------------------------- */

enum { FEW_IMAGES = 64, MOST_IMAGES = 1000000 /* no tensor may have 2^31 elements */, MOST_SESSIONS = 64 };

static strider_status prepare_images(strider_session *session, int64_t images, strider_error *error) {
    const strider_tensor input = {STRIDER_F32, 4, {images, 1, 8, 8}, NULL};
    return strider_session_prepare(session, &input, 1, error);
}

/* How many images need more than all memory, or as many as one session takes. */
static strider_status count_images(const SelfTest *test, strider_session *session, int64_t *images,
                                   strider_error *error) {
    strider_plan_info plan = {0};
    strider_status status = prepare_images(session, FEW_IMAGES, error);
    if (!status)
        status = strider_session_get_plan(session, &plan);
    const uint64_t each = plan.device_arena_bytes / FEW_IMAGES + 1, all = test->memory_bytes / each + 1;
    *images = all < MOST_IMAGES ? (int64_t)all : MOST_IMAGES;
    return status;
}

/* Sessions whose values do not share memory, until one gets none; then the same session runs one image. */
static void fill_memory(SelfTest *test, const strider_model *model, strider_session **sessions) {
    const Subject subject = {.test = test, .model = model, .n_outputs = 1};
    strider_session_options options = options_of(&subject, test->device);
    strider_status status = STRIDER_OK;
    strider_error error = {0};
    int64_t images = 0;
    int last = -1;
    options.keep_values = true;
    while (!status && last + 1 < MOST_SESSIONS) {
        status = strider_session_create(model, &options, &sessions[++last], &error);
        if (!status && !images)
            status = count_images(test, sessions[last], &images, &error);
        if (!status)
            status = prepare_images(sessions[last], images, &error);
    }
    finish_check(test, status == STRIDER_OUT_OF_MEMORY, "more than there is is refused",
                 status ? error.message : "it was taken");
    for (int i = 0; i < last; i++) {
        strider_session_free(sessions[i]);
        sessions[i] = NULL;
    }
    float pixels[64] = {0.5f};
    strider_tensor image = {STRIDER_F32, 4, {1, 1, 8, 8}, pixels}, output = {0};
    if (sessions[last]) {
        status = strider_session_run(sessions[last], &image, 1, &output, 1, &error);
        finish_check(test, !status, "the session can be used after it", status ? error.message : "");
    }
}

static void check_memory(SelfTest *test, const strider_model *model) {
    strider_session *sessions[MOST_SESSIONS] = {0};
    say(test, "memory\n");
    if (test->memory_bytes)
        fill_memory(test, model, sessions);
    else
        say(test, "  NOTE  %s has no memory of its own that could run out\n", test->device);
    for (int i = 0; i < MOST_SESSIONS; i++)
        strider_session_free(sessions[i]);
}

/* --- the command
 * ------------------------------------------------------------------------------------------------------ */

static void find_device(SelfTest *test) {
    strider_device_info info;
    const char *wanted = test->options->device ? test->options->device : "cuda";
    const size_t length = strlen(wanted);
    test->device = wanted;
    say(test, "strider %s, device %s\n", strider_version(), wanted);
    for (size_t i = 0; strider_device_get(i, &info) == STRIDER_OK; i++) {
        say(test, "%s: %s %s %s%s\n", info.name, info.description, info.software,
            info.problem[0] ? "cannot be used: " : "", info.problem);
        if (strncmp(info.name, wanted, length) == 0 &&
            (!info.name[length] || strcmp(info.name + length, ":0") == 0))
            test->memory_bytes = info.memory_bytes;
    }
}

static void test_builtin(SelfTest *test, const unsigned char *data, size_t size, const char *name,
                         bool runs_out) {
    strider_model *model;
    strider_error error;
    if (strider_model_load_memory(data, size, NULL, NULL, &model, &error)) {
        finish_check(test, false, name, error.message);
        return;
    }
    test_model(test, model, name);
    if (runs_out)
        check_memory(test, model);
    strider_model_free(model);
}

static int test_files(SelfTest *test) {
    int status = EXIT_OK;
    for (int i = 0; i < test->options->n_words; i++) {
        const char *path = test->options->words[i];
        strider_model *model;
        strider_error error;
        if (load_model(path, test->options, &model, &error)) {
            status = report_error(path, &error);
            finish_check(test, false, path, error.message);
            continue;
        }
        test_model(test, model, path);
        strider_model_free(model);
    }
    return status;
}

static int check_device(SelfTest *test) {
    strider_model *model;
    strider_session *session = NULL;
    strider_error error;
    strider_session_options options = strider_session_options_default();
    options.device = test->device;
    strider_status status =
        strider_model_load_memory(builtin_digits, builtin_digits_size, NULL, NULL, &model, &error);
    if (!status)
        status = strider_session_create(model, &options, &session, &error);
    strider_session_free(session);
    strider_model_free(model);
    return status ? report_error("selftest", &error) : EXIT_OK;
}

int command_selftest(const Options *options) {
    Options used = *options;
    SelfTest test = {.options = &used};
    char tolerance[DIMS_TEXT];
    int status;
    /* A device may take Winograd where the reference adds. */
    if (used.atol < 0 && used.peak < 0)
        used.peak = 1e-4;
    if (options->output && !(test.report = fopen(options->output, "w"))) {
        fprintf(stderr, "strider: %s: %s\n", options->output, strerror(errno));
        return EXIT_FILE;
    }
    find_device(&test);
    say(&test, "elements agree where %s\n", tolerance_text(&used, tolerance));
    status = check_device(&test);
    if (!status) {
        test_builtin(&test, builtin_operators, builtin_operators_size, "operators (built in)", false);
        test_builtin(&test, builtin_digits, builtin_digits_size, "digits (built in)", true);
        status = test_files(&test);
        say(&test, "%d checks, %d failed\n", test.checks, test.failed);
    } else {
        say(&test, "the device cannot be used\n");
    }
    if (test.report && fclose(test.report) != 0) {
        fprintf(stderr, "strider: %s: %s\n", options->output, strerror(errno));
        status = EXIT_FILE;
    }
    return test.failed ? EXIT_DIFFERENT : status;
}
