/* SPDX-License-Identifier: Apache-2.0 */
/* What callers give to a run and get of it, where it is no tensor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "support/session_fixture.h"

#include <cmocka.h>

static void put_sequence(Proto *graph, int field, const char *name) {
    enum { TENSOR = 1, SEQUENCE = 4 };
    Proto tensor = {0}, held = {0}, sequence = {0}, type = {0}, info = {0};
    proto_int(&tensor, 1, ONNX_FLOAT);
    proto_message(&held, TENSOR, &tensor);
    proto_message(&sequence, 1, &held);
    proto_message(&type, SEQUENCE, &sequence);
    proto_text(&info, 1, name);
    proto_message(&info, 2, &type);
    proto_message(graph, field, &info);
}

/* t is s with x at its end. */
static void open_insert(Fixture *fixture) {
    static const int64_t open[] = {-1};
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "SequenceInsert", "", "s x", "t");
    proto_text(&graph, GRAPH_NAME, "insert");
    put_sequence(&graph, GRAPH_INPUT, "s");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, open, 1);
    put_sequence(&graph, GRAPH_OUTPUT, "t");
    open_graph(fixture, &graph, NULL, false);
}

typedef struct Given {
    float numbers[4];
    strider_value items[2], inputs[2];
} Given;

static strider_value vector(float *numbers, int64_t count) {
    return (strider_value){.tensor = {STRIDER_F32, 1, {count}, numbers}};
}

static void give(Given *given) {
    *given = (Given){.numbers = {1, 2, 3, 4}};
    given->items[0] = vector(given->numbers, 2);
    given->items[1] = vector(given->numbers + 2, 1);
    given->inputs[0] =
        (strider_value){.kind = STRIDER_SEQUENCE, .dtype = STRIDER_F32, .items = given->items, .count = 2};
    given->inputs[1] = vector(given->numbers + 3, 1);
}

static void sequences_go_in_and_come_out(void **state) {
    (void)state;
    Fixture fixture = {0};
    Given given;
    open_insert(&fixture);
    for (int turn = 0; turn < 3; turn++) {
        strider_value output = {0};
        give(&given);
        must(strider_session_run_values(fixture.session, given.inputs, 2, &output, 1, &error));
        assert_int_equal(output.kind, STRIDER_SEQUENCE);
        assert_int_equal(output.dtype, STRIDER_F32);
        assert_int_equal(output.count, 3);
        memset(given.numbers, 0, sizeof given.numbers); /* results are the session's */
        for (int i = 0; i < 3; i++) {
            const strider_tensor *item = &output.items[i].tensor;
            assert_int_equal(strider_tensor_elements(item), i ? 1 : 2);
            assert_true(((const float *)item->data)[0] == (i ? 2.0f + (float)i : 1.0f));
        }
    }
    close_model(&fixture);
}

static void expect_refused(const Fixture *fixture, const Given *given, const char *message) {
    strider_value output = {0};
    assert_int_equal(strider_session_run_values(fixture->session, given->inputs, 2, &output, 1, &error),
                     STRIDER_INVALID_ARGUMENT);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in: %s", message, error.message);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    Fixture fixture = {0};
    Given given;
    open_insert(&fixture);
    give(&given);
    given.inputs[0] = given.inputs[1];
    expect_refused(&fixture, &given, "input \"s\" is not a sequence");
    give(&given);
    given.inputs[1] = given.inputs[0];
    expect_refused(&fixture, &given, "input \"x\" is not a tensor");
    give(&given);
    given.items[1].tensor.dtype = STRIDER_I32;
    expect_refused(&fixture, &given, "input \"s\" is int32");
    give(&given);
    given.items[0].tensor.data = NULL;
    expect_refused(&fixture, &given, "has no data");
    give(&given);
    given.inputs[0] = (strider_value){0};
    expect_refused(&fixture, &given, "input \"s\" is missing");
    give(&given);
    given.items[0].kind = STRIDER_SEQUENCE;
    expect_refused(&fixture, &given, "input \"s\" is not a tensor");
    strider_value output = {0};
    give(&given);
    must(strider_session_run_values(fixture.session, given.inputs, 2, &output, 1, &error));
    close_model(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_go_in_and_come_out),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
