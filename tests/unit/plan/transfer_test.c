/* SPDX-License-Identifier: Apache-2.0 */
/* Values are brought into a layout once, however many steps want them there, and constants while planning. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "support/session_fixture.h"

#include <cmocka.h>

/* Channels that fill blocks on each target, and more than first layers take as they lie. */
enum { CHANNELS = 64, SIZE = 8, ELEMENTS = CHANNELS * SIZE * SIZE };

static const int64_t image[] = {1, CHANNELS, SIZE, SIZE};

static void put_conv(Proto *graph, const char *inputs, const char *weight, const char *output) {
    static float values[CHANNELS * CHANNELS];
    static const int64_t dims[] = {CHANNELS, CHANNELS, 1, 1};
    fill(values, CHANNELS * CHANNELS, 5);
    put_node(graph, GRAPH_NODE, "Conv", "", inputs, output);
    put_tensor(graph, weight, ONNX_FLOAT, 4, dims, values, sizeof values);
}

static size_t count_steps(const strider_session *session, const char *kernel) {
    strider_plan_info plan;
    size_t count = 0;
    must(strider_session_get_plan(session, &plan));
    for (size_t i = 0; i < plan.step_count; i++) {
        strider_step_info step;
        must(strider_session_get_step(session, i, &step));
        count += strcmp(step.kernel, kernel) == 0;
    }
    return count;
}

static void run_both(Proto *graph, size_t n_outputs, size_t n_reorders) {
    static float x[ELEMENTS], got[2][ELEMENTS], expected[2][ELEMENTS];
    Fixture fixture = {0};
    strider_tensor input = {STRIDER_F32, 4, {1, CHANNELS, SIZE, SIZE}, x}, outputs[2];
    fill(x, ELEMENTS, 7);
    open_graph(&fixture, graph, NULL, false);
    for (int reference = 0; reference < 2; reference++) {
        strider_session_options options = strider_session_options_default();
        strider_session *session;
        options.reference = reference;
        must(strider_session_create(fixture.model, &options, &session, &error));
        for (size_t i = 0; i < n_outputs; i++) {
            outputs[i] = input;
            outputs[i].data = reference ? expected[i] : got[i];
        }
        must(strider_session_run(session, &input, 1, outputs, n_outputs, &error));
        assert_int_equal(count_steps(session, "reorder"), reference ? 0 : n_reorders);
        strider_session_free(session);
    }
    for (size_t i = 0; i < n_outputs; i++)
        for (size_t j = 0; j < ELEMENTS; j++)
            assert_true(fabsf(got[i][j] - expected[i][j]) < 1e-4f);
    close_model(&fixture);
}

static void two_readers_share_one_reorder(void **state) {
    (void)state;
    Proto graph = {0};
    put_conv(&graph, "x v", "v", "y");
    put_conv(&graph, "x w", "w", "z");
    proto_text(&graph, GRAPH_NAME, "two readers");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, image, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, image, 4);
    proto_value(&graph, GRAPH_OUTPUT, "z", ONNX_FLOAT, image, 4);
    run_both(&graph, 2, 3); /* of x, y and z */
}

static void a_constant_is_reordered_while_planning(void **state) {
    (void)state;
    static float values[ELEMENTS];
    Proto graph = {0};
    fill(values, ELEMENTS, 3);
    put_conv(&graph, "x w", "w", "h");
    put_node(&graph, GRAPH_NODE, "Mul", "", "h c", "y");
    put_tensor(&graph, "c", ONNX_FLOAT, 4, image, values, sizeof values);
    proto_text(&graph, GRAPH_NAME, "constant");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, image, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, image, 4);
    run_both(&graph, 1, 2); /* of x and y */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_readers_share_one_reorder),
        cmocka_unit_test(a_constant_is_reordered_while_planning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
