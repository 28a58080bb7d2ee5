/* SPDX-License-Identifier: Apache-2.0 */
/* strider selftest: whether a device computes what the CPU does, in one report.  Each model is run layer by
 * layer against the CPU's reference kernels, twice for the same bits, recorded, with TF32, and after the
 * device's memory ran out.  Without models it takes those that are built in. */
#include "selftest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builtin_models.h"

/* --- memory --- */

enum { FEW_IMAGES = 64, MAX_IMAGES = 1000000 /* no tensor may have 2^31 elements */, MAX_SESSIONS = 64 };

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
    *images = all < MAX_IMAGES ? (int64_t)all : MAX_IMAGES;
    return status;
}

/* Sessions whose values do not share memory, until one gets none; then the same session runs one image. */
static void fill_memory(SelfTest *test, const strider_model *model, strider_session **sessions) {
    strider_session_options options = session_options_of(test, test->device);
    strider_status status = STRIDER_OK;
    strider_error error = {0};
    int64_t images = 0;
    int last = -1;
    options.keep_values = true;
    while (!status && last + 1 < MAX_SESSIONS) {
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
    strider_session *sessions[MAX_SESSIONS] = {0};
    say(test, "memory\n");
    if (test->memory_bytes)
        fill_memory(test, model, sessions);
    else
        say(test, "  NOTE  %s has no memory of its own that could run out\n", test->device);
    for (int i = 0; i < MAX_SESSIONS; i++)
        strider_session_free(sessions[i]);
}

/* --- the command --- */

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
        tool_print(stderr, "strider: %s: %s\n", options->output, strerror(errno));
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
        tool_print(stderr, "strider: %s: %s\n", options->output, strerror(errno));
        status = EXIT_FILE;
    }
    return test.failed ? EXIT_DIFFERENT : status;
}
