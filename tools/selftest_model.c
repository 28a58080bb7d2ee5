/* SPDX-License-Identifier: Apache-2.0 */
/* What strider selftest asks of a model: each layer and the outputs against the CPU, the same bits in further
 * runs, and what TF32 changes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "selftest.h"

enum { MAX_BAD_LAYERS = 20 };

typedef struct Subject {
    SelfTest *test;
    const strider_model *model;
    Inputs inputs;
    size_t n_outputs;
} Subject;

strider_session_options session_options_of(const SelfTest *test, const char *device) {
    strider_session_options options = strider_session_options_default();
    options.device = device;
    options.threads = test->options->n_threads ? test->options->threads[0] : 0;
    options.max_memory_bytes = UINT64_MAX;
    options.allow_nondeterministic = test->options->nondeterministic;
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

/* --- layer by layer --- */

typedef struct Layers {
    strider_session *on_device, *on_cpu;
    int all, compared, bad; /* layers */
    int elsewhere;          /* those that the CPU ran for the device */
    double worst;           /* of the largest element of its layer */
    size_t on_cpu_at;       /* the step that was compared last */
} Layers;

/* Parts of a fused node may have the index of another one. */
static bool is_same_layer(const strider_step_info *a, const strider_step_info *b) {
    return a->node == b->node && strcmp(a->op_type, b->op_type) == 0 && strcmp(a->name, b->name) == 0;
}

/* The reference's step for the same layer, looked for from *index on: the two plans' orders are much the
 * same. */
static bool find_step(const strider_session *session, const strider_step_info *layer, size_t *index,
                      strider_step_info *step) {
    const size_t begin = *index;
    for (; strider_session_get_step(session, *index, step) == STRIDER_OK; ++*index)
        if (is_same_layer(layer, step))
            return true;
    for (*index = 0; *index < begin && strider_session_get_step(session, *index, step) == STRIDER_OK;
         ++*index)
        if (is_same_layer(layer, step))
            return true;
    *index = begin;
    return false;
}

/* What a step computed; its data is freed by free(). */
static strider_status read_layer(strider_session *session, size_t index, const strider_step_info *step,
                                 strider_tensor *tensor, strider_error *error) {
    *tensor = step->output;
    tensor->data = malloc(tensor_bytes(tensor) + 1);
    return tensor->data ? strider_session_read_step(session, index, tensor->data, error)
                        : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
}

static void tell_layer(const Subject *subject, const Layers *layers, const strider_step_info *step,
                       const Comparison *result) {
    char shape[DIMS_TEXT];
    say(subject->test,
        "        %s layer that differs: node %lld \"%s\" (%s) %s on %s by %s: %lld elements, the worst %lld "
        "is %.9g, not %.9g%s%s\n",
        layers->bad == 1 ? "first" : "next", (long long)step->node, step->name, step->op_type,
        dims_text(step->output.rank, step->output.dims, shape), step->device, step->kernel,
        (long long)result->n_different, (long long)result->worst, result->got, result->expected,
        result->why[0] ? "; " : "", result->why);
}

static strider_status compare_layer(const Subject *subject, Layers *layers, size_t index,
                                    const strider_step_info *step, strider_error *error) {
    strider_step_info expected;
    strider_tensor a = {0}, b = {0};
    if (!find_step(layers->on_cpu, step, &layers->on_cpu_at, &expected))
        return STRIDER_OK;
    strider_status status = read_layer(layers->on_device, index, step, &a, error);
    if (!status)
        status = read_layer(layers->on_cpu, layers->on_cpu_at, &expected, &b, error);
    if (!status) {
        const Comparison result = compare_tensors(&a, &b, subject->test->options);
        layers->compared++;
        layers->worst = fmax(layers->worst, result.max_of_peak);
        if (!result.pass && layers->bad++ < MAX_BAD_LAYERS)
            tell_layer(subject, layers, step, &result);
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
        layers->all++;
        if (strcmp(step.device, "cpu") == 0 && strcmp(plan.device, "cpu") != 0)
            layers->elsewhere++;
        status = compare_layer(subject, layers, i, &step, error);
    }
    return status;
}

static strider_status run_layers(const Subject *subject, Layers *layers, strider_tensor *scratch,
                                 strider_error *error) {
    strider_session_options options = session_options_of(subject->test, subject->test->device), reference;
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
                 "%d of %d layers compared, %d ran on the CPU, %d differ, at most %.2g of the largest",
                 layers.compared, layers.all, layers.elsewhere, layers.bad, layers.worst);
    finish_check(subject->test, !status && !layers.bad && layers.compared == layers.all,
                 "layer by layer against the CPU's reference", why);
    strider_session_free(layers.on_device);
    strider_session_free(layers.on_cpu);
}

/* --- whole runs --- */

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
    strider_session_options options = session_options_of(subject->test, subject->test->device);
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

/* --- recorded runs --- */

/* Runs, and compares with what is expected. */
static strider_status repeat(const Subject *subject, strider_session *session, const strider_tensor *expected,
                             bool *same, strider_error *error) {
    strider_tensor *outputs = take_outputs(subject);
    strider_status status = outputs ? STRIDER_OK : tool_fail(error, STRIDER_OUT_OF_MEMORY, "out of memory");
    if (!status)
        status = run_session(subject, session, outputs, error);
    if (!status)
        *same = *same && same_bits(subject, outputs, expected);
    free_outputs(subject, outputs);
    return status;
}

/* The third run is the recording; the fourth is on other inputs, as a recording might keep its own. */
static strider_status run_recorded(const Subject *subject, const strider_tensor *expected,
                                   const Subject *other, const strider_tensor *others_expected,
                                   strider_session *session, strider_plan_info *plan, bool *same,
                                   strider_error *error) {
    strider_status status = STRIDER_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = repeat(subject, session, expected, same, error);
    if (!status)
        status = strider_session_get_plan(session, plan);
    if (status || !plan->recorded_steps)
        return status;
    status = repeat(other, session, others_expected, same, error);
    return status ? status : repeat(subject, session, expected, same, error);
}

static void check_recorded(const Subject *subject, const strider_tensor *expected, const Subject *other,
                           const strider_tensor *others_expected) {
    strider_session_options options = session_options_of(subject->test, subject->test->device);
    strider_session *session;
    strider_plan_info plan = {0};
    strider_error error;
    char why[60];
    bool same = true;
    options.record_runs = true;
    strider_status status = strider_session_create(subject->model, &options, &session, &error);
    if (!status)
        status = run_recorded(subject, expected, other, others_expected, session, &plan, &same, &error);
    snprintf(why, sizeof why, "%zu steps as one piece", plan.recorded_steps);
    if (status)
        finish_check(subject->test, false, "recording", error.message);
    else if (plan.recorded_steps)
        finish_check(subject->test, same, "recorded runs give the same bits", why);
    else
        say(subject->test,
            "  NOTE  runs are not recorded: the device cannot, or steps of the CPU lie between\n");
    strider_session_free(session);
}

/* --- all --- */

enum { OF_CPU, FIRST, SECOND, OF_OTHER, OF_TF32, SETS };

static strider_status run_sets(const Subject *subject, const Subject *other, strider_tensor *sets[SETS],
                               strider_error *error) {
    strider_session_options options = session_options_of(subject->test, subject->test->device), cpu = options;
    strider_session *session = NULL;
    cpu.device = "cpu";
    strider_status status = run_once(subject, &cpu, sets[OF_CPU], error);
    if (!status)
        status = strider_session_create(subject->model, &options, &session, error);
    if (!status)
        status = run_session(subject, session, sets[FIRST], error);
    if (!status)
        status = run_session(subject, session, sets[SECOND], error);
    if (!status)
        status = run_session(other, session, sets[OF_OTHER], error);
    strider_session_free(session);
    return status;
}

static void check_runs(const Subject *subject, const Subject *other) {
    strider_tensor *sets[SETS];
    strider_error error;
    strider_status status = STRIDER_OK;
    for (int i = 0; i < SETS; i++) {
        sets[i] = take_outputs(subject);
        if (!sets[i])
            status = tool_fail(&error, STRIDER_OUT_OF_MEMORY, "out of memory");
    }
    if (!status)
        status = run_sets(subject, other, sets, &error);
    if (status) {
        finish_check(subject->test, false, "running", error.message);
    } else {
        check_outputs(subject, sets[FIRST], sets[OF_CPU]);
        finish_check(subject->test, same_bits(subject, sets[FIRST], sets[SECOND]),
                     "two runs give the same bits", "");
        check_recorded(subject, sets[FIRST], other, sets[OF_OTHER]);
        show_tf32(subject, sets[FIRST], sets[OF_TF32]);
    }
    for (int i = 0; i < SETS; i++)
        free_outputs(subject, sets[i]);
}

static int make_inputs(Subject *subject, const char *word) {
    const char *words[MAX_SETTINGS];
    const size_t n_inputs = strider_model_input_count(subject->model);
    int n_words = 0;
    while ((size_t)n_words < n_inputs && n_words < MAX_SETTINGS)
        words[n_words++] = word;
    return inputs_make(subject->model, subject->test->options, words, n_words, &subject->inputs);
}

int test_model(SelfTest *test, const strider_model *model, const char *name) {
    Subject subject = {.test = test, .model = model, .n_outputs = strider_model_output_count(model)},
            other = subject;
    say(test, "%s\n", name);
    int status = make_inputs(&subject, "random");
    if (!status)
        status = make_inputs(&other, "random:1");
    if (status) {
        finish_check(test, false, "making random inputs", "see --dim and --shape");
    } else {
        strider_tensor *scratch = take_outputs(&subject);
        if (scratch)
            check_layers(&subject, scratch);
        free(scratch);
        check_runs(&subject, &other);
    }
    inputs_free(&subject.inputs);
    inputs_free(&other.inputs);
    return status;
}
