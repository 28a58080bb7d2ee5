/* SPDX-License-Identifier: Apache-2.0 */
#include "support/session_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

char digits[512];
strider_error error;
float pixels[MAX_BATCH * PIXELS], scores[MAX_BATCH * CLASSES];
static float expected[MAX_BATCH * CLASSES];

void must(strider_status status) {
    if (status)
        fail_msg("%s: %s", strider_status_name(status), error.message);
}

static void keep_message(void *context, strider_log_level level, const char *message) {
    (void)level;
    snprintf(((Fixture *)context)->log, sizeof((Fixture *)context)->log, "%s", message);
}

static strider_load_options load_options(Fixture *fixture) {
    strider_load_options load = strider_load_options_default();
    *fixture = (Fixture){0};
    load.log = keep_message;
    load.log_context = fixture;
    return load;
}

static strider_status open_session(Fixture *fixture, const char *device, bool record) {
    strider_session_options options = strider_session_options_default();
    options.device = device;
    options.threads = 1;
    options.record_runs = record;
    return strider_session_create(fixture->model, &options, &fixture->session, &error);
}

strider_status try_open_model(Fixture *fixture, const char *path, const char *device, bool record) {
    const strider_load_options load = load_options(fixture);
    must(strider_model_load(path, &load, &fixture->model, &error));
    return open_session(fixture, device, record);
}

void open_model(Fixture *fixture, const char *path, const char *device, bool record) {
    must(try_open_model(fixture, path, device, record));
}

void open_graph(Fixture *fixture, Proto *graph, const char *device, bool record) {
    const strider_load_options load = load_options(fixture);
    fixture->bytes = make_model(graph, 8, 17);
    must(strider_model_load_memory(fixture->bytes.data, fixture->bytes.size, NULL, &load, &fixture->model,
                                   &error));
    must(open_session(fixture, device, record));
}

void close_model(Fixture *fixture) {
    strider_session_free(fixture->session);
    strider_model_free(fixture->model);
    proto_free(&fixture->bytes);
}

strider_status run(const Fixture *fixture, int64_t batch, float *to) {
    strider_tensor input = {STRIDER_F32, 4, {batch, 1, 8, 8}, pixels}, output = {0};
    strider_status status = strider_session_run(fixture->session, &input, 1, &output, 1, &error);
    if (!status)
        memcpy(to, output.data, (size_t)(batch * CLASSES) * sizeof *to);
    return status;
}

void expect_scores(const float *got, const float *wanted, int64_t batch) {
    for (int64_t i = 0; i < batch * CLASSES; i++)
        if (!(fabsf(got[i] - wanted[i]) < 1e-4f))
            fail_msg("score %lld is %g, not %g", (long long)i, (double)got[i], (double)wanted[i]);
}

void expect_close(const Fixture *fixture, int64_t batch) {
    Fixture cpu;
    must(run(fixture, batch, scores));
    open_model(&cpu, digits, "cpu", false);
    must(run(&cpu, batch, expected));
    close_model(&cpu);
    expect_scores(scores, expected, batch);
}

void fill(float *values, size_t count, unsigned seed) {
    for (size_t i = 0; i < count; i++) {
        seed = (unsigned)((uint64_t)seed * 1664525 + 1013904223);
        values[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
}

void set_up(const char *repository) {
    snprintf(digits, sizeof digits, "%s/models/digits/digits.onnx", repository);
    fill(pixels, MAX_BATCH * PIXELS, 7);
}
