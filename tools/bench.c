/* SPDX-License-Identifier: Apache-2.0 */
/* strider bench: how long a model takes. */
#include <jansson.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "timing.h"

typedef struct Times {
    double *ms;
    size_t count, capacity;
    bool out_of_memory;
} Times;

static void add_time(void *context, double ms) {
    Times *times = context;
    if (times->count == times->capacity) {
        const size_t capacity = times->capacity ? times->capacity * 2 : 1024;
        double *grown = realloc(times->ms, capacity * sizeof *grown);
        if (!grown) {
            times->out_of_memory = true;
            return;
        }
        times->ms = grown;
        times->capacity = capacity;
    }
    times->ms[times->count++] = ms;
}

static double mean_of(const Times *times) {
    double sum = 0;
    for (size_t i = 0; i < times->count; i++)
        sum += times->ms[i];
    return sum / (double)times->count;
}

static double peak_rss_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss * 1024e-6;
}

static int print(const Options *options, const Timed *timed, Times *times) {
    strider_plan_info plan;
    if (strider_session_get_plan(timed->session, &plan))
        return EXIT_MACHINE;
    const struct {
        const char *key, *label;
        double value;
    } figures[] = {
        {"min_ms", "fastest", percentile(times->ms, times->count, 0)},
        {"mean_ms", "mean", mean_of(times)},
        {"p50_ms", "median", percentile(times->ms, times->count, 0.5)},
        {"p90_ms", "90 % below", percentile(times->ms, times->count, 0.9)},
        {"p99_ms", "99 % below", percentile(times->ms, times->count, 0.99)},
        {"load_ms", "load", timed->load_ms},
        {"plan_ms", "plan", timed->plan_ms},
        {"first_run_ms", "first run", timed->first_run_ms},
        {"peak_rss_mb", "peak memory", peak_rss_mb()},
    };
    const size_t n = sizeof figures / sizeof *figures;
    if (!options->json) {
        tool_print(stdout, "%s, %d threads, %s, %zu runs\n", options->words[0], plan.threads, plan.isa,
                   times->count);
        for (size_t i = 0; i < n; i++)
            tool_print(stdout, "%-12s %10.3f %s\n", figures[i].label, figures[i].value,
                       i == n - 1 ? "MB" : "ms");
        return EXIT_OK;
    }
    json_t *all = json_pack("{s:o, s:s, s:s, s:i, s:I}", "model", json_text(options->words[0]), "version",
                            strider_version(), "isa", plan.isa, "threads", plan.threads, "runs",
                            (json_int_t)times->count);
    for (size_t i = 0; all && i < n; i++)
        json_object_set_new(all, figures[i].key, json_real(figures[i].value));
    json_object_set_new(all, "macs", json_integer((json_int_t)plan.macs));
    const int status = json_dumpf(all, stdout, JSON_INDENT(2)) ? EXIT_MACHINE : EXIT_OK;
    putchar('\n');
    json_decref(all);
    return status;
}

int command_bench(const Options *options) {
    if (options->n_words < 1)
        return report_usage("bench: a model is missing");
    Timed timed;
    Times times = {0};
    int status = timed_make(options, &timed);
    if (!status)
        status = timed_repeat(&timed, options, add_time, &times);
    if (!status)
        status = times.out_of_memory ? EXIT_MACHINE : print(options, &timed, &times);
    free(times.ms);
    timed_free(&timed);
    return status;
}
