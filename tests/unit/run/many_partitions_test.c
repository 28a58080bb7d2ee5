/* SPDX-License-Identifier: Apache-2.0 */
/* A file may be cut into as many partitions as it has nodes: loading and running it takes memory in
 * proportion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

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

static strider_error error;

static void must(strider_status status) {
    if (status)
        fail_msg("%s: %s", strider_status_name(status), error.message);
}

static void run(strider_session *session) {
    float x[6] = {1, 2, 3, 4, 5, 6};
    int64_t shape[2] = {3, 2};
    const strider_tensor inputs[] = {{STRIDER_F32, 2, {2, 3}, x}, {STRIDER_I64, 1, {2}, shape}};
    strider_tensor output = {0};
    must(strider_session_run(session, inputs, 2, &output, 1, &error));
    assert_int_equal(output.dims[0], 3);
    for (int i = 0; i < 6; i++)
        assert_true(((float *)output.data)[i] == x[i]); /* the number of signs is even */
}

static uint64_t peak_for(int count) {
    Proto bytes = make_chain(count);
    Counter counter;
    strider_model *model;
    strider_session *session;
    strider_load_options options = strider_load_options_default();
    strider_session_options single = strider_session_options_default();
    counter_init(&counter);
    options.allocator = &counter.allocator;
    single.threads = 1;
    must(strider_model_load_memory(bytes.data, bytes.size, NULL, &options, &model, &error));
    must(strider_session_create(model, &single, &session, &error));
    run(session);
    run(session);
    const size_t allocations = counter.allocations;
    run(session);
    assert_int_equal(counter.allocations, allocations);
    const uint64_t peak = counter.peak_bytes;
    strider_session_free(session);
    strider_model_free(model);
    assert_int_equal(counter.blocks, 0);
    proto_free(&bytes);
    return peak;
}

/* Eight times the nodes; 64 times as much if anything of a node held something of all. */
static void many_partitions_take_memory_in_proportion(void **state) {
    (void)state;
    assert_true(peak_for(MANY) < 10 * peak_for(FEW));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_partitions_take_memory_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
