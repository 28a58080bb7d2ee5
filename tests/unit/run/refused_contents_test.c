/* SPDX-License-Identifier: Apache-2.0 */
/* Contents that only a run knows, which a kernel refuses before its tasks rely on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "support/session_fixture.h"

#include <cmocka.h>

enum { STEPS = 3, BATCH = 2, INPUTS = 4, HIDDEN = 5, ONNX_INT32 = 6 };

/* An RNN whose lengths are an input. */
static void open_rnn(Fixture *fixture, int threads) {
    static float numbers[HIDDEN * HIDDEN];
    static const int64_t batch[] = {BATCH}, x[] = {STEPS, BATCH, INPUTS}, w[] = {1, HIDDEN, INPUTS},
                         r[] = {1, HIDDEN, HIDDEN}, y[] = {STEPS, 1, BATCH, HIDDEN};
    fill(numbers, HIDDEN * HIDDEN, 3);
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "RNN", "", "x w r - lengths", "y");
    proto_text(&graph, GRAPH_NAME, "rnn");
    put_tensor(&graph, "w", ONNX_FLOAT, 3, w, numbers, HIDDEN * INPUTS * sizeof *numbers);
    put_tensor(&graph, "r", ONNX_FLOAT, 3, r, numbers, HIDDEN * HIDDEN * sizeof *numbers);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, x, 3);
    proto_value(&graph, GRAPH_INPUT, "lengths", ONNX_INT32, batch, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, y, 4);
    open_graph(fixture, &graph, NULL, false);
    strider_session_free(fixture->session);
    strider_session_options options = strider_session_options_default();
    options.threads = threads;
    must(strider_session_create(fixture->model, &options, &fixture->session, &error));
}

static strider_status run_lengths(const Fixture *fixture, int32_t first, int32_t second, const float **y) {
    static float x[STEPS * BATCH * INPUTS] = {1, 2, 3, 4, 5, 6};
    int32_t lengths[BATCH] = {first, second};
    const strider_tensor inputs[] = {{STRIDER_F32, 3, {STEPS, BATCH, INPUTS}, x},
                                     {STRIDER_I32, 1, {BATCH}, lengths}};
    strider_tensor output = {0};
    const strider_status status = strider_session_run(fixture->session, inputs, 2, &output, 1, &error);
    *y = output.data;
    return status;
}

static void a_run_says_what_is_wrong_and_the_next_one_runs(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        Fixture fixture = {0};
        const float *y;
        open_rnn(&fixture, threads);
        for (int turn = 0; turn < 3; turn++) {
            assert_int_equal(run_lengths(&fixture, 3, 4, &y), STRIDER_BAD_MODEL);
            assert_non_null(strstr(error.message, "sequence 1 has length 4, but there are 3 steps"));
            assert_int_equal(run_lengths(&fixture, -1, 3, &y), STRIDER_BAD_MODEL);
            must(run_lengths(&fixture, 3, 1, &y));
            assert_true(y[0] != 0 && y[HIDDEN] != 0 && y[BATCH * HIDDEN] != 0);
            assert_true(y[BATCH * HIDDEN + HIDDEN] == 0);
        }
        close_model(&fixture);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_run_says_what_is_wrong_and_the_next_one_runs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
