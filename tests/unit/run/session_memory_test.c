/* SPDX-License-Identifier: Apache-2.0 */
/* The one limit on a session's memory, by the caller's allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/counter.h"
#include "support/tiny_model.h"

/* Conv 3x3 with weights of `channels` x `channels`, Relu, Softmax over channels (a reference step in f64 is
 * not needed: the fast kernels have scratch and packed weights), of an input with open sizes. */
static Proto make_convolutions(int64_t channels) {
    Proto graph = {0};
    const size_t bytes = (size_t)(channels * channels) * 9 * sizeof(float);
    float *values = calloc(1, bytes);
    const int64_t dims[4] = {channels, channels, 3, 3}, pads[4] = {1, 1, 1, 1},
                  open[4] = {-1, channels, -1, -1};
    const struct {
        const char *op, *inputs, *out;
    } nodes[] = {{"Conv", "x w", "a"},
                 {"Sin", "a", "b"},
                 {"Conv", "b w", "c"},
                 {"MeanVarianceNormalization", "c", "y"}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        Proto node = make_node(nodes[i].op, "", nodes[i].inputs, nodes[i].out);
        proto_text(&node, 3, nodes[i].op);
        if (strcmp(nodes[i].op, "Conv") == 0)
            proto_ints_attribute(&node, "pads", pads, 4);
        proto_message(&graph, GRAPH_NODE, &node);
    }
    put_tensor(&graph, "w", ONNX_FLOAT, 4, dims, values, bytes);
    free(values);
    proto_text(&graph, 2, "g");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, open, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, open, 4);
    return make_model(&graph, 8, 13);
}

typedef struct Fixture {
    Proto bytes;
    Counter counter;
    strider_model *model;
    size_t of_model; /* what it holds before there is a session */
} Fixture;

enum { CHANNELS = 48 };

static int set_up(void **state) {
    Fixture *fixture = calloc(1, sizeof *fixture);
    strider_load_options options = strider_load_options_default();
    strider_error error;
    fixture->bytes = make_convolutions(CHANNELS);
    counter_init(&fixture->counter);
    options.allocator = &fixture->counter.allocator;
    if (strider_model_load_memory(fixture->bytes.data, fixture->bytes.size, NULL, &options, &fixture->model,
                                  &error)) {
        print_error("%s\n", error.message);
        return -1;
    }
    fixture->of_model = fixture->counter.used_bytes;
    fixture->counter.peak_bytes = atomic_load(&fixture->counter.used_bytes);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    Fixture *fixture = *state;
    strider_model_free(fixture->model);
    const size_t left = fixture->counter.used_bytes;
    proto_free(&fixture->bytes);
    free(fixture);
    return left ? -1 : 0;
}

static strider_status run(strider_session *session, int64_t size, strider_error *error) {
    strider_tensor input = {STRIDER_F32, 4, {1, CHANNELS, size, size}, NULL}, output = {0};
    input.data = calloc((size_t)(CHANNELS * size * size), sizeof(float));
    const strider_status status = strider_session_run(session, &input, 1, &output, 1, error);
    free(input.data);
    return status;
}

static strider_session *make_session(const Fixture *fixture, uint64_t limit) {
    strider_session_options options = strider_session_options_default();
    strider_session *session;
    strider_error error;
    options.threads = 2;
    options.max_memory_bytes = limit;
    if (strider_session_create(fixture->model, &options, &session, &error))
        fail_msg("%s", error.message);
    return session;
}

static strider_plan_info plan_of(const strider_session *session) {
    strider_plan_info plan;
    assert_int_equal(strider_session_get_plan(session, &plan), STRIDER_OK);
    return plan;
}

static void what_a_plan_promises_is_what_the_allocator_sees(void **state) {
    Fixture *fixture = *state;
    strider_session *session = make_session(fixture, 0);
    strider_error error;
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    const strider_plan_info plan = plan_of(session);
    assert_int_equal(plan.peak_memory_bytes, plan.memory_bytes);
    /* The session's own struct, and lists that are kept for the system's sake, are not counted. */
    const size_t seen = fixture->counter.peak_bytes - fixture->of_model;
    assert_true(seen >= plan.memory_bytes);
    assert_in_range(seen, plan.memory_bytes, plan.memory_bytes + plan.memory_bytes / 50 + (64 << 10));
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    assert_int_equal(plan_of(session).peak_memory_bytes, plan.memory_bytes);
    strider_session_free(session);
}

static void a_limit_holds_to_the_byte(void **state) {
    Fixture *fixture = *state;
    strider_session *session = make_session(fixture, 0);
    strider_error error;
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    const uint64_t enough = plan_of(session).memory_bytes;
    strider_session_free(session);
    session = make_session(fixture, enough);
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    strider_session_free(session);
    session = make_session(fixture, enough - 1);
    assert_int_equal(run(session, 56, &error), STRIDER_LIMIT_EXCEEDED);
    assert_non_null(strstr(error.message, "max_memory_bytes"));
    assert_non_null(strstr(error.message, "wants most"));
    assert_int_equal(run(session, 8, &error), STRIDER_OK); /* it is as good as before */
    strider_session_free(session);
}

static void every_limit_below_is_refused_by_name(void **state) {
    Fixture *fixture = *state;
    strider_session *session = make_session(fixture, 0);
    strider_error error;
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    const uint64_t enough = plan_of(session).memory_bytes;
    strider_session_free(session);
    for (uint64_t limit = 4096; limit < enough; limit += limit / 3) {
        strider_session_options options = strider_session_options_default();
        options.threads = 2;
        options.max_memory_bytes = limit;
        strider_status status = strider_session_create(fixture->model, &options, &session, &error);
        if (!status) {
            fixture->counter.peak_bytes = atomic_load(&fixture->counter.used_bytes);
            const size_t before = fixture->counter.used_bytes;
            status = run(session, 56, &error);
            assert_true(fixture->counter.peak_bytes - before <= limit + limit / 50 + (64 << 10));
        }
        assert_int_equal(status, STRIDER_LIMIT_EXCEEDED);
        assert_non_null(strstr(error.message, "max_memory_bytes"));
        strider_session_free(session);
    }
}

static void plans_of_other_shapes_leave_where_memory_is_short(void **state) {
    Fixture *fixture = *state;
    strider_session *session = make_session(fixture, 0);
    strider_error error;
    assert_int_equal(run(session, 56, &error), STRIDER_OK);
    const uint64_t enough = plan_of(session).memory_bytes;
    strider_session_free(session);
    session = make_session(fixture, enough + 1000);
    for (int turn = 0; turn < 2; turn++)
        for (int64_t size = 8; size <= 56; size += 6)
            if (run(session, size, &error))
                fail_msg("size %d: %s", (int)size, error.message);
    strider_session_free(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_plan_promises_is_what_the_allocator_sees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_holds_to_the_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_limit_below_is_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_of_other_shapes_leave_where_memory_is_short, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
