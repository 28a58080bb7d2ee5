/* SPDX-License-Identifier: Apache-2.0 */
#include "timing.h"

#include <stdlib.h>
#include <time.h>

enum { MIN_RUNS = 5, DEFAULT_WARMUP = 3 };

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* The INPUT words, or a random tensor for each input that has no default. */
static int make_inputs(const Options *options, Timed *timed) {
    if (options->n_words > 1)
        return inputs_make(timed->model, options, options->words + 1, options->n_words - 1, &timed->inputs);
    size_t count = strider_model_input_count(timed->model);
    const char **words = calloc(count + 1, sizeof *words);
    int n = 0;
    strider_value_info info;
    for (size_t i = 0; words && i < count; i++)
        if (strider_model_get_input(timed->model, i, &info) == STRIDER_OK && !info.is_optional)
            words[n++] = "random";
    int status = words ? inputs_make(timed->model, options, words, n, &timed->inputs) : EXIT_MACHINE;
    free(words);
    return status;
}

static strider_status run_once(Timed *timed, strider_error *error) {
    for (size_t i = 0; i < timed->n_outputs; i++)
        timed->outputs[i] = (strider_value){0};
    return strider_session_run_values(timed->session, timed->given, timed->inputs.count, timed->outputs,
                                      timed->n_outputs, error);
}

int timed_make(const Options *options, Timed *timed) {
    *timed = (Timed){0};
    strider_error error;
    const char *path = options->words[0];
    const double begin = now_ms();
    if (load_model(path, options, &timed->model, &error))
        return report_error(path, &error);
    timed->load_ms = now_ms() - begin;
    int status = make_inputs(options, timed);
    if (status)
        return status;
    timed->n_outputs = strider_model_output_count(timed->model);
    timed->outputs = calloc(timed->n_outputs + 1, sizeof *timed->outputs);
    timed->given = calloc(timed->inputs.count + 1, sizeof *timed->given);
    if (!timed->outputs || !timed->given)
        return EXIT_MACHINE;
    for (size_t i = 0; i < timed->inputs.count; i++)
        timed->given[i].tensor = timed->inputs.tensors[i];
    const double planned = now_ms();
    if (make_session(timed->model, options, options->threads[0], &timed->session, &error) ||
        strider_session_prepare(timed->session, timed->inputs.tensors, timed->inputs.count, &error))
        return report_error(path, &error);
    const double ready = now_ms();
    if (run_once(timed, &error))
        return report_error(path, &error);
    timed->plan_ms = ready - planned;
    timed->first_run_ms = now_ms() - ready;
    return EXIT_OK;
}

void timed_free(Timed *timed) {
    strider_session_free(timed->session);
    inputs_free(&timed->inputs);
    strider_model_free(timed->model);
    free(timed->given);
    free(timed->outputs);
}

int timed_repeat(Timed *timed, const Options *options, void (*each)(void *context, double ms),
                 void *context) {
    strider_error error;
    const int warmup = options->warmup < 0 ? DEFAULT_WARMUP : options->warmup;
    const double seconds = options->seconds < 0 ? 2 : options->seconds;
    for (int i = 0; i < warmup; i++)
        if (run_once(timed, &error))
            return report_error(options->words[0], &error);
    const double begin = now_ms();
    for (int i = 0; i < MIN_RUNS || now_ms() - begin < seconds * 1e3; i++) {
        const double before = now_ms();
        if (run_once(timed, &error))
            return report_error(options->words[0], &error);
        each(context, now_ms() - before);
    }
    return EXIT_OK;
}

static int smaller_first(const void *a, const void *b) {
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

double percentile(double *values, size_t count, double p) {
    qsort(values, count, sizeof *values, smaller_first);
    const double at = p * (double)(count - 1);
    const size_t below = (size_t)at, above = below + 1 < count ? below + 1 : below;
    return values[below] + (at - (double)below) * (values[above] - values[below]);
}
