/* SPDX-License-Identifier: Apache-2.0 */
/* strider profile: where the time goes, per step of the plan. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "timing.h"

typedef struct Line {
    strider_step_info step;
    double *ms; /* of each run */
    double median_ms;
} Line;

typedef struct Profile {
    const Timed *timed;
    Line *lines;
    size_t n_lines, n_runs, capacity; /* of runs */
    bool out_of_memory;
    double total_ms;    /* the sum of medians */
    double peak_gflops; /* of the CPU; 0 where another device runs steps, whose peak is not known */
} Profile;

static void free_profile(Profile *profile) {
    for (size_t i = 0; i < profile->n_lines; i++)
        free(profile->lines[i].ms);
    free(profile->lines);
}

static bool take_lines(Profile *profile) {
    strider_plan_info plan;
    if (strider_session_get_plan(profile->timed->session, &plan))
        return false;
    profile->lines = calloc(plan.step_count + 1, sizeof *profile->lines);
    profile->n_lines = profile->lines ? plan.step_count : 0;
    return profile->lines != NULL;
}

static bool grow(Profile *profile) {
    const size_t capacity = profile->capacity ? profile->capacity * 2 : 256;
    for (size_t i = 0; i < profile->n_lines; i++) {
        double *grown = realloc(profile->lines[i].ms, capacity * sizeof *grown);
        if (!grown)
            return false;
        profile->lines[i].ms = grown;
    }
    profile->capacity = capacity;
    return true;
}

static void add_run(void *context, double ms) {
    Profile *profile = context;
    (void)ms;
    if (profile->out_of_memory || (profile->n_runs == profile->capacity && !grow(profile))) {
        profile->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < profile->n_lines; i++) {
        Line *line = &profile->lines[i];
        if (strider_session_get_step(profile->timed->session, i, &line->step) == STRIDER_OK)
            line->ms[profile->n_runs] = (double)line->step.time_ns * 1e-6;
    }
    profile->n_runs++;
}

static double gflops(uint64_t macs, double ms) {
    return ms > 0 ? 2e-6 * (double)macs / ms : 0;
}

static int slower_first(const void *a, const void *b) {
    const Line *first = a, *second = b;
    return (first->median_ms < second->median_ms) - (first->median_ms > second->median_ms);
}

/* The time of all steps of one kernel. */
typedef struct KernelTime {
    const char *kernel;
    int steps;
    double ms;
    uint64_t macs;
} KernelTime;

static size_t sum_kernels(const Profile *profile, KernelTime *kernels) {
    size_t n = 0;
    for (size_t i = 0; i < profile->n_lines; i++) {
        const Line *line = &profile->lines[i];
        size_t k = 0;
        while (k < n && strcmp(kernels[k].kernel, line->step.kernel) != 0)
            k++;
        if (k == n)
            kernels[n++] = (KernelTime){.kernel = line->step.kernel};
        kernels[k].steps++;
        kernels[k].ms += line->median_ms;
        kernels[k].macs += line->step.macs;
    }
    return n;
}

static void print_rate(const Profile *profile, uint64_t macs, double ms) {
    const double rate = gflops(macs, ms);
    if (macs && profile->peak_gflops > 0)
        tool_print(stdout, " %8.1f %5.0f %%", rate, 100 * rate / profile->peak_gflops);
    else if (macs)
        tool_print(stdout, " %8.1f %7s", rate, "");
    else
        tool_print(stdout, " %8s %7s", "", "");
}

static void print_table(const Profile *profile, const KernelTime *kernels, size_t n_kernels) {
    const bool with_device = profile->peak_gflops == 0;
    const StepColumns columns = step_columns(profile->timed->session, with_device);
    tool_print(stdout, "%9s %6s %8s %7s  ", "ms", "share", "GFLOP/s", "of peak");
    step_columns_title(&columns);
    tool_print(stdout, "name\n");
    for (size_t i = 0; i < profile->n_lines; i++) {
        const Line *line = &profile->lines[i];
        const strider_step_info *step = &line->step;
        tool_print(stdout, "%9.4f %4.1f %%", line->median_ms, 100 * line->median_ms / profile->total_ms);
        print_rate(profile, step->macs, line->median_ms);
        tool_print(stdout, "  ");
        step_columns_print(&columns, step);
        tool_print(stdout, "%s\n", step->name ? step->name : "");
    }
    tool_print(stdout, "\n%9s %6s %8s %7s %6s  %s\n", "ms", "share", "GFLOP/s", "of peak", "steps", "kernel");
    uint64_t macs = 0;
    for (size_t k = 0; k < n_kernels; k++) {
        tool_print(stdout, "%9.4f %4.1f %%", kernels[k].ms, 100 * kernels[k].ms / profile->total_ms);
        print_rate(profile, kernels[k].macs, kernels[k].ms);
        tool_print(stdout, " %6d  %s\n", kernels[k].steps, kernels[k].kernel);
        macs += kernels[k].macs;
    }
    tool_print(stdout, "%9.4f %6s", profile->total_ms, "");
    print_rate(profile, macs, profile->total_ms);
    tool_print(stdout, " %6zu  total of the medians of %zu runs", profile->n_lines, profile->n_runs);
    if (with_device)
        tool_print(stdout, "\n");
    else
        tool_print(stdout, "; measured peak %.0f GFLOP/s\n", profile->peak_gflops);
}

static json_t *rate_json(const Profile *profile, double ms, uint64_t macs) {
    const double rate = gflops(macs, ms);
    return json_pack("{s:f, s:I, s:f, s:f}", "ms", ms, "macs", (json_int_t)macs, "gflops", rate,
                     "share_of_peak", profile->peak_gflops > 0 ? rate / profile->peak_gflops : 0.0);
}

static int print_json(const Profile *profile, const KernelTime *kernels, size_t n_kernels) {
    json_t *steps = json_array(), *sums = json_array();
    for (size_t i = 0; i < profile->n_lines; i++) {
        const strider_step_info *step = &profile->lines[i].step;
        json_t *line = rate_json(profile, profile->lines[i].median_ms, step->macs), *shape = json_array();
        for (int d = 0; d < step->output.rank; d++)
            json_array_append_new(shape, json_integer(step->output.dims[d]));
        json_object_set_new(line, "name", json_text(step->name ? step->name : ""));
        json_object_set_new(line, "op_type", json_text(step->op_type ? step->op_type : ""));
        json_object_set_new(line, "kernel", json_text(step->kernel));
        json_object_set_new(line, "device", json_text(step->device));
        json_object_set_new(line, "layout", json_text(step->layout));
        json_object_set_new(line, "shape", shape);
        json_object_set_new(line, "tasks", json_integer(step->tasks));
        json_array_append_new(steps, line);
    }
    for (size_t k = 0; k < n_kernels; k++) {
        json_t *line = rate_json(profile, kernels[k].ms, kernels[k].macs);
        json_object_set_new(line, "kernel", json_text(kernels[k].kernel));
        json_object_set_new(line, "steps", json_integer(kernels[k].steps));
        json_array_append_new(sums, line);
    }
    json_t *all =
        json_pack("{s:o, s:o, s:f, s:f, s:I}", "steps", steps, "kernels", sums, "total_ms", profile->total_ms,
                  "peak_gflops", profile->peak_gflops, "runs", (json_int_t)profile->n_runs);
    const int status = json_dumpf(all, stdout, JSON_INDENT(2)) ? EXIT_MACHINE : EXIT_OK;
    putchar('\n');
    json_decref(all);
    return status;
}

static int show(const Options *options, Profile *profile) {
    strider_plan_info plan;
    KernelTime *kernels = calloc(profile->n_lines + 1, sizeof *kernels);
    if (!kernels || strider_session_get_plan(profile->timed->session, &plan)) {
        free(kernels);
        return EXIT_MACHINE;
    }
    for (size_t i = 0; i < profile->n_lines; i++) {
        profile->lines[i].median_ms = percentile(profile->lines[i].ms, profile->n_runs, 0.5);
        profile->total_ms += profile->lines[i].median_ms;
    }
    if (strcmp(plan.device, "cpu") == 0)
        profile->peak_gflops = strider_machine_peak_gflops(plan.threads);
    const size_t n = sum_kernels(profile, kernels);
    if (options->by_time)
        qsort(profile->lines, profile->n_lines, sizeof *profile->lines, slower_first);
    int status = EXIT_OK;
    if (options->json)
        status = print_json(profile, kernels, n);
    else
        print_table(profile, kernels, n);
    free(kernels);
    return status;
}

int command_profile(const Options *options) {
    if (options->n_words < 1)
        return report_usage("profile: a model is missing");
    Timed timed;
    Profile profile = {.timed = &timed};
    int status = timed_make(options, &timed);
    if (!status && !take_lines(&profile))
        status = EXIT_MACHINE;
    if (!status) {
        strider_session_set_profiling(timed.session, true);
        status = timed_repeat(&timed, options, add_run, &profile);
    }
    if (!status)
        status = profile.out_of_memory ? EXIT_MACHINE : show(options, &profile);
    free_profile(&profile);
    timed_free(&timed);
    return status;
}
