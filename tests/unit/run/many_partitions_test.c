/* SPDX-License-Identifier: Apache-2.0 */
/* A file may be cut into as many partitions as it has nodes: loading and running it takes time and memory in
 * proportion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "support/counter.h"
#include "support/tiny_model.h"

#include <cmocka.h>

enum { FEW = 2500, MANY = 20000 };

/* Reshapes to what the run brings, one after the other, each with a node that only sees types after it. */
static Proto make_chain(int count) {
    Proto graph = {0};
    static const int64_t open[2] = {-1, -1}, two = 2;
    char inputs[40], middle[20], output[20] = "x";
    proto_text(&graph, GRAPH_NAME, "chain");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, open, 2);
    proto_value(&graph, GRAPH_INPUT, "n", ONNX_INT64, &two, 1);
    for (int i = 0; i < count; i++) {
        snprintf(inputs, sizeof inputs, "%s n", output);
        snprintf(middle, sizeof middle, "m%d", i);
        snprintf(output, sizeof output, "v%d", i);
        put_node(&graph, GRAPH_NODE, "Reshape", "", inputs, middle);
        put_node(&graph, GRAPH_NODE, "Neg", "", middle, output);
    }
    proto_value(&graph, GRAPH_OUTPUT, output, ONNX_FLOAT, open, 2);
    return make_model(&graph, 8, 17);
}

typedef struct Effort {
    uint64_t load_ns, first_ns, second_ns;
    size_t peak_bytes;
} Effort;

static strider_error error;

static void must(strider_status status) {
    if (status)
        fail_msg("%s: %s", strider_status_name(status), error.message);
}

static uint64_t time_run(strider_session *session) {
    float x[6] = {1, 2, 3, 4, 5, 6};
    int64_t shape[2] = {3, 2};
    const strider_tensor inputs[] = {{STRIDER_F32, 2, {2, 3}, x}, {STRIDER_I64, 1, {2}, shape}};
    strider_tensor output = {0};
    const uint64_t before = clock_ns();
    must(strider_session_run(session, inputs, 2, &output, 1, &error));
    const uint64_t time_ns = clock_ns() - before;
    assert_int_equal(output.dims[0], 3);
    for (int i = 0; i < 6; i++)
        assert_true(((float *)output.data)[i] == x[i]); /* the number of signs is even */
    return time_ns;
}

static Effort effort_for(int count) {
    Proto bytes = make_chain(count);
    Counter counter;
    Effort effort;
    strider_model *model;
    strider_session *session;
    strider_load_options options = strider_load_options_default();
    strider_session_options single = strider_session_options_default();
    counter_init(&counter);
    options.allocator = &counter.allocator;
    single.threads = 1;
    const uint64_t before = clock_ns();
    must(strider_model_load_memory(bytes.data, bytes.size, NULL, &options, &model, &error));
    effort.load_ns = clock_ns() - before;
    must(strider_session_create(model, &single, &session, &error));
    effort.first_ns = time_run(session);
    effort.second_ns = time_run(session);
    const size_t allocations = counter.allocations;
    time_run(session);
    assert_int_equal(counter.allocations, allocations);
    effort.peak_bytes = counter.peak_bytes;
    strider_session_free(session);
    strider_model_free(model);
    assert_int_equal(counter.blocks, 0);
    proto_free(&bytes);
    return effort;
}

static void expect_proportion(const char *what, uint64_t few, uint64_t many, int most) {
    if (many > (uint64_t)most * few)
        fail_msg("%s: %d nodes take %llu, %d take %llu", what, 2 * FEW, (unsigned long long)few, 2 * MANY,
                 (unsigned long long)many);
}

/* Eight times the nodes; 64 times as much if anything went over all for each. */
static void many_partitions_take_time_and_memory_in_proportion(void **state) {
    (void)state;
    const Effort few = effort_for(FEW), many = effort_for(MANY);
    expect_proportion("bytes", few.peak_bytes, many.peak_bytes, 10);
    expect_proportion("nanoseconds to load", few.load_ns, many.load_ns, 32);
    expect_proportion("nanoseconds of the first run", few.first_ns, many.first_ns, 32);
    expect_proportion("nanoseconds of the second run", few.second_ns, many.second_ns, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_partitions_take_time_and_memory_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
