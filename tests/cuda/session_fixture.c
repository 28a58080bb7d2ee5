/* SPDX-License-Identifier: Apache-2.0 */
#include "session_fixture.h"

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

void open_session(Fixture *fixture, const char *device, bool record) {
    strider_session_options options = strider_session_options_default();
    options.device = device;
    options.threads = 1;
    options.record_runs = record;
    must(strider_session_create(fixture->model, &options, &fixture->session, &error));
}

void open_model(Fixture *fixture, const char *path, const char *device, bool record) {
    const strider_load_options load = load_options(fixture);
    must(strider_model_load(path, &load, &fixture->model, &error));
    open_session(fixture, device, record);
}

void add_node(Proto *graph, const char *op, const char *first, const char *second, const char *output) {
    Proto node = {0};
    proto_text(&node, 1, first);
    if (second)
        proto_text(&node, 1, second);
    proto_text(&node, 2, output);
    proto_text(&node, 4, op);
    proto_message(graph, GRAPH_NODE, &node);
}

void open_graph(Fixture *fixture, Proto *graph, const char *device) {
    enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_OPSET = 8, OPSET_VERSION = 2 };
    const strider_load_options load = load_options(fixture);
    Proto opset = {0};
    proto_int(&fixture->bytes, MODEL_IR_VERSION, 8);
    proto_int(&opset, OPSET_VERSION, 17);
    proto_message(&fixture->bytes, MODEL_OPSET, &opset);
    proto_message(&fixture->bytes, MODEL_GRAPH, graph);
    must(strider_model_load_memory(fixture->bytes.data, fixture->bytes.size, NULL, &load, &fixture->model,
                                   &error));
    open_session(fixture, device, false);
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

void expect_close(const Fixture *fixture, int64_t batch) {
    Fixture cpu;
    must(run(fixture, batch, scores));
    open_model(&cpu, digits, "cpu", false);
    must(run(&cpu, batch, expected));
    close_model(&cpu);
    for (int64_t i = 0; i < batch * CLASSES; i++)
        if (!(fabsf(scores[i] - expected[i]) < 1e-4f))
            fail_msg("score %lld is %g, not %g", (long long)i, (double)scores[i], (double)expected[i]);
}

void fill(float *values, size_t count, unsigned seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
    }
}

void set_up(const char *repository) {
    snprintf(digits, sizeof digits, "%s/models/digits/digits.onnx", repository);
    fill(pixels, MAX_BATCH * PIXELS, 7);
}
