/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences and optionals. */
#include "support/counter.h"
#include "support/flow.h"
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { OPSET = 21 };

static Graph graph;
static Counter counted;
static Error error;

static int start(void **state) {
    (void)state;
    graph_init(&graph, allocator_default());
    counter_init(&counted);
    return 0;
}

static int stop(void **state) {
    (void)state;
    graph_free(&graph);
    return counted.blocks != 0;
}

static void again(void) {
    assert_int_equal(stop(NULL), 0);
    start(NULL);
}

static const ValueType of_f32 = {
    .kind = VALUE_SEQUENCE, .dtype = STRIDER_F32, .shape = {.rank = 1, .dims = {2}}};

/* A graph of one node, whose inputs called s... are sequences of f32 [2]. */
static Node *make(int opset, const char *op, const char *inputs, const Attr *attrs) {
    Node *node = flow_node_of(&graph, opset, op, inputs, "y", attrs, "");
    for (int i = 0; i < node->n_inputs; i++) {
        Value *value = node->inputs[i];
        if (!value || value->is_input)
            continue;
        flow_inputs(&graph, value->name);
        if (value->name[0] == 's')
            value->declared = of_f32;
    }
    flow_outputs(&graph, "y");
    return node;
}

static void infer(const char *expected) {
    char text[VALUE_TYPE_TEXT];
    if (flow_infer(&graph, &error))
        fail_msg("%s", error.message);
    assert_string_equal(value_type_text(&graph_find_value(&graph, "y")->type, text), expected);
}

static void assert_refused(Status status, const char *message) {
    const Status got = flow_infer(&graph, &error);
    if (got != status || !strstr(error.message, message))
        fail_msg("status %d, \"%s\"; expected %d, \"%s\"", (int)got, error.message, (int)status, message);
}

#define VALUES(...) ((RunValue *[]){__VA_ARGS__})
#define F32(...) flow_tensor(&counted.allocator, tensor_f32(__VA_ARGS__))
#define I64(...) flow_tensor(&counted.allocator, tensor_i64(__VA_ARGS__))
#define SEQUENCE(...) flow_sequence(&counted.allocator, STRIDER_F32, VALUES(__VA_ARGS__, NULL))
#define EMPTY() flow_sequence(&counted.allocator, STRIDER_F32, VALUES(NULL))

static RunValue *run(RunValue *const *inputs) {
    RunValue *y = NULL;
    if (flow_run(&graph, &counted.allocator, inputs, &y, &error))
        fail_msg("%s", error.message);
    return y;
}

static void assert_run_fails(RunValue *const *inputs, const char *message) {
    RunValue *y = NULL;
    const Status got = flow_run(&graph, &counted.allocator, inputs, &y, &error);
    if (got != STRIDER_BAD_MODEL || !strstr(error.message, message))
        fail_msg("status %d, \"%s\"; expected \"%s\"", (int)got, error.message, message);
}

/* A sequence of f32 [2], by the first elements. */
static void expect_firsts(RunValue *sequence, size_t count, const float *firsts) {
    assert_int_equal(sequence->kind, VALUE_SEQUENCE);
    assert_int_equal(sequence->dtype, STRIDER_F32);
    assert_int_equal(sequence->n_items, count);
    for (size_t i = 0; i < count; i++)
        assert_true(*(float *)sequence->items[i]->tensor.data == firsts[i]);
    run_value_release(sequence);
}
#define EXPECT_FIRSTS(SEQUENCE, ...)                                                                         \
    expect_firsts(SEQUENCE, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (float[]){__VA_ARGS__})

static RunValue *one_two_three(void) {
    return SEQUENCE(F32(DIMS(2), 1, 0), F32(DIMS(2), 2, 0), F32(DIMS(2), 3, 0));
}

static void insert_counts_from_both_ends(void **state) {
    (void)state;
    static const int64_t positions[] = {0, 3, -1, -3, 1};
    static const float expected[][4] = {{9, 1, 2, 3}, {1, 2, 3, 9}, {1, 2, 9, 3}, {9, 1, 2, 3}, {1, 9, 2, 3}};
    make(OPSET, "SequenceInsert", "s x p", NULL);
    infer("sequence of float32 [unknown rank]");
    for (int i = 0; i < 5; i++)
        expect_firsts(run(VALUES(one_two_three(), F32(DIMS(2), 9, 0), I64(shape_scalar(), positions[i]))), 4,
                      expected[i]);
    assert_run_fails(VALUES(one_two_three(), F32(DIMS(2), 9, 0), I64(DIMS(1), 4)),
                     "position 4 is outside [-3, 3]");
    assert_run_fails(VALUES(one_two_three(), F32(DIMS(2), 9, 0), I64(DIMS(1), -4)), "position -4 is outside");
    assert_run_fails(VALUES(one_two_three(), I64(DIMS(2), 9, 0), I64(DIMS(1), 0)),
                     "input 1 is int64, but the sequence is of float32");
    again();
    make(OPSET, "SequenceInsert", "s x", NULL);
    infer("sequence of float32 [unknown rank]");
    EXPECT_FIRSTS(run(VALUES(one_two_three(), F32(DIMS(2), 9, 0))), 1, 2, 3, 9);
    EXPECT_FIRSTS(run(VALUES(EMPTY(), F32(DIMS(2), 9, 0))), 9);
}

static void erase_and_at_take_positions_that_are_there(void **state) {
    (void)state;
    make(OPSET, "SequenceErase", "s p", NULL);
    infer("sequence of float32 [2]");
    EXPECT_FIRSTS(run(VALUES(one_two_three(), I64(shape_scalar(), 0))), 2, 3);
    EXPECT_FIRSTS(run(VALUES(one_two_three(), I64(shape_scalar(), -2))), 1, 3);
    assert_run_fails(VALUES(one_two_three(), I64(shape_scalar(), 3)), "position 3 is outside [-3, 2]");
    assert_run_fails(VALUES(EMPTY(), I64(shape_scalar(), 0)), "position 0 is outside [0, -1]");
    again();
    make(OPSET, "SequenceErase", "s", NULL);
    infer("sequence of float32 [2]");
    EXPECT_FIRSTS(run(VALUES(one_two_three())), 1, 2);
    again();
    make(OPSET, "SequenceAt", "s p", NULL);
    infer("float32 [2]");
    flow_expect(run(VALUES(one_two_three(), I64(shape_scalar(), -1))), tensor_f32(DIMS(2), 3, 0));
    assert_run_fails(VALUES(one_two_three(), I64(shape_scalar(), -4)), "position -4 is outside [-3, 2]");
}

static void sequences_are_made_and_counted(void **state) {
    (void)state;
    const Attr dtype[] = {attr_int("dtype", 7), {0}};
    make(OPSET, "SequenceConstruct", "a b", NULL);
    infer("sequence of unknown [unknown rank]");
    EXPECT_FIRSTS(run(VALUES(F32(DIMS(2), 4, 0), F32(DIMS(3), 5, 0, 0))), 4, 5);
    assert_run_fails(VALUES(F32(DIMS(2), 4, 0), I64(DIMS(1), 1)),
                     "input 1 is int64, those before are float32");
    again();
    make(OPSET, "SequenceEmpty", "", dtype);
    infer("sequence of int64 [unknown rank]");
    RunValue *empty = run(NULL);
    assert_int_equal(empty->dtype, STRIDER_I64);
    assert_int_equal(empty->n_items, 0);
    run_value_release(empty);
    again();
    make(OPSET, "SequenceLength", "s", NULL);
    infer("int64 []");
    flow_expect(run(VALUES(one_two_three())), tensor_i64(shape_scalar(), 3));
    flow_expect(run(VALUES(EMPTY())), tensor_i64(shape_scalar(), 0));
}

static void a_sequence_that_others_hold_is_not_changed(void **state) {
    (void)state;
    RunValue *outputs[2];
    make(OPSET, "SequenceInsert", "s x", NULL);
    flow_outputs(&graph, "s");
    infer("sequence of float32 [unknown rank]");
    RunValue *const inputs[] = {one_two_three(), F32(DIMS(2), 9, 0)};
    assert_int_equal(flow_run(&graph, &counted.allocator, inputs, outputs, &error), STRIDER_OK);
    EXPECT_FIRSTS(outputs[0], 1, 2, 3, 9);
    EXPECT_FIRSTS(outputs[1], 1, 2, 3);
}

/* With a copy in each iteration these would be 2 * 10^9 references. */
static void a_loop_of_inserts_copies_nothing(void **state) {
    (void)state;
    enum { COUNT = 60000 };
    Node *node = flow_node_of(&graph, OPSET, "Loop", "m - s", "y", NULL, "x");
    Graph *body = flow_body(&graph, node, "i c q");
    flow_node(body, OPSET, "SequenceInsert", "q x", "r");
    flow_outputs(body, "c r");
    flow_inputs(&graph, "m s x");
    flow_outputs(&graph, "y");
    flow_declare(&graph, "s", of_f32);
    infer("sequence of float32 [unknown rank]");
    RunValue *y = run(VALUES(I64(shape_scalar(), COUNT), EMPTY(), F32(DIMS(2), 9, 0)));
    assert_int_equal(y->n_items, COUNT);
    run_value_release(y);
    /* Two values in each iteration, and a list that doubles now and then; a copy would grow a list in each.
     */
    assert_true(counted.allocations < 3 * COUNT);
}

static void split_makes_parts_along_an_axis(void **state) {
    (void)state;
    const Attr last[] = {attr_int("axis", -1), {0}}, squeezed[] = {attr_int("keepdims", 0), {0}};
    make(OPSET, "SplitToSequence", "x", squeezed);
    flow_declare(&graph, "x", value_type_tensor(type_of(STRIDER_F32, DIMS(3, 2))));
    infer("sequence of float32 [2]");
    EXPECT_FIRSTS(run(VALUES(F32(DIMS(3, 2), 1, 2, 3, 4, 5, 6))), 1, 3, 5);
    again();
    make(OPSET, "SplitToSequence", "x p", last);
    flow_declare(&graph, "x", value_type_tensor(type_of(STRIDER_F32, DIMS(2, 3))));
    infer("sequence of float32 [2, ?]");
    RunValue *y = run(VALUES(F32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), I64(shape_scalar(), 2)));
    assert_int_equal(y->n_items, 2);
    flow_expect(run_value_hold(y->items[0]), tensor_f32(DIMS(2, 2), 1, 2, 4, 5));
    flow_expect(run_value_hold(y->items[1]), tensor_f32(DIMS(2, 1), 3, 6));
    run_value_release(y);
    y = run(VALUES(F32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), I64(DIMS(3), 0, 1, 2)));
    assert_int_equal(y->n_items, 3);
    flow_expect(run_value_hold(y->items[2]), tensor_f32(DIMS(2, 2), 2, 3, 5, 6));
    run_value_release(y);
    const int64_t sums[] = {2, 4};
    for (int i = 0; i < 2; i++)
        assert_run_fails(VALUES(F32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), I64(DIMS(1), sums[i])),
                         "the sizes add up to");
    assert_run_fails(VALUES(F32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), I64(shape_scalar(), 0)),
                     "size 0 of the parts is 0");
    assert_run_fails(VALUES(F32(DIMS(2, 3), 1, 2, 3, 4, 5, 6), I64(DIMS(2), -1, 4)),
                     "size 0 of the parts is -1");
}

static void concat_joins_along_an_old_or_a_new_axis(void **state) {
    (void)state;
    const Attr joined[] = {attr_int("axis", -1), {0}};
    const Attr stacked[] = {attr_int("axis", -1), attr_int("new_axis", 1), {0}};
    make(OPSET, "ConcatFromSequence", "s", joined);
    infer("float32 [?]");
    flow_expect(run(VALUES(SEQUENCE(F32(DIMS(2), 1, 2), F32(DIMS(1), 3)))), tensor_f32(DIMS(3), 1, 2, 3));
    assert_run_fails(VALUES(EMPTY()), "the sequence is empty");
    again();
    make(OPSET, "ConcatFromSequence", "s", stacked);
    infer("float32 [2, ?]");
    flow_expect(run(VALUES(SEQUENCE(F32(DIMS(2), 1, 2), F32(DIMS(2), 3, 4), F32(DIMS(2), 5, 6)))),
                tensor_f32(DIMS(2, 3), 1, 3, 5, 2, 4, 6));
    assert_run_fails(VALUES(SEQUENCE(F32(DIMS(2), 1, 2), F32(DIMS(1), 3))),
                     "element 1 of the sequence is float32 [1], the first is float32 [2]");
}

static void map_runs_its_body_for_each_element(void **state) {
    (void)state;
    Node *node = make(OPSET, "SequenceMap", "s sb x", NULL);
    Graph *body = flow_body(&graph, node, "a b c");
    flow_node(body, OPSET, "Sum", "a b c", "sum");
    flow_outputs(body, "sum");
    infer("sequence of float32 [unknown rank]");
    EXPECT_FIRSTS(run(VALUES(one_two_three(), one_two_three(), F32(DIMS(2), 10, 0))), 12, 14, 16);
    EXPECT_FIRSTS(run(VALUES(one_two_three(),
                             SEQUENCE(F32(shape_scalar(), 1), F32(shape_scalar(), 1), F32(shape_scalar(), 1)),
                             F32(DIMS(2), 10, 0))),
                  12, 13, 14);
    assert_run_fails(VALUES(one_two_three(), EMPTY(), F32(DIMS(2), 10, 0)),
                     "input 1 has 0 elements, the first sequence 3");
}

/* --- optionals --- */

static void optionals_hold_tensors_sequences_or_nothing(void **state) {
    (void)state;
    const ValueType type = of_f32;
    const Attr typed[] = {{.name = "type", .kind = ATTR_TYPE, .type = &type}, {0}};
    make(OPSET, "Optional", "", typed);
    infer("optional sequence of float32 [2]");
    RunValue *y = run(NULL);
    assert_int_equal(y->kind, VALUE_OPTIONAL);
    assert_int_equal(y->n_items, 0);
    run_value_release(y);
    again();
    flow_node(&graph, OPSET, "Optional", "s", "o");
    flow_node(&graph, OPSET, "OptionalGetElement", "o", "y");
    flow_inputs(&graph, "s");
    flow_outputs(&graph, "y");
    flow_declare(&graph, "s", of_f32);
    infer("sequence of float32 [2]");
    EXPECT_FIRSTS(run(VALUES(one_two_three())), 1, 2, 3);
}

static RunValue *nothing(void) {
    RunValue *value;
    assert_int_equal(run_value_new_optional(&counted.allocator, NULL, &value, &error), STRIDER_OK);
    return value;
}

static void optionals_know_whether_they_hold_something(void **state) {
    (void)state;
    const Tensor yes = tensor_typed(STRIDER_BOOL, shape_scalar(), 1),
                 no = tensor_typed(STRIDER_BOOL, shape_scalar(), 0);
    make(OPSET, "OptionalHasElement", "o", NULL);
    flow_declare(&graph, "o", (ValueType){.kind = VALUE_OPTIONAL, .dtype = STRIDER_F32, .shape = DIMS(2)});
    infer("bool []");
    flow_expect(run(VALUES(nothing())), no);
    flow_expect(run(VALUES(F32(DIMS(2), 1, 2))), yes);
    flow_expect(run(VALUES(one_two_three())), yes);
    again();
    make(OPSET, "OptionalHasElement", "", NULL);
    infer("bool []");
    flow_expect(run(NULL), no);
    again();
    make(15, "OptionalHasElement", "", NULL);
    assert_refused(STRIDER_BAD_MODEL, "the input is missing");
    again();
    make(15, "OptionalHasElement", "s", NULL);
    assert_refused(STRIDER_BAD_MODEL, "must be an optional before opset 18");
    again();
    make(OPSET, "OptionalGetElement", "o", NULL);
    flow_declare(&graph, "o", (ValueType){.kind = VALUE_OPTIONAL, .dtype = STRIDER_F32, .shape = DIMS(2)});
    infer("float32 [2]");
    flow_expect(run(VALUES(F32(DIMS(2), 1, 2))), tensor_f32(DIMS(2), 1, 2));
    assert_run_fails(VALUES(nothing()), "the optional holds nothing");
}

static void identity_takes_values_of_any_kind(void **state) {
    (void)state;
    make(OPSET, "Identity", "s", NULL);
    infer("sequence of float32 [2]");
    RunValue *sequence = one_two_three(), *y = run(VALUES(sequence));
    assert_ptr_equal(y, sequence);
    EXPECT_FIRSTS(y, 1, 2, 3);
    y = run(VALUES(nothing()));
    assert_int_equal(y->kind, VALUE_OPTIONAL);
    run_value_release(y);
}

static void kinds_that_do_not_fit_are_refused(void **state) {
    (void)state;
    make(OPSET, "Relu", "s", NULL);
    assert_refused(STRIDER_BAD_MODEL, "input 0 is sequence of float32 [2], it takes tensors");
    again();
    make(OPSET, "SequenceLength", "x", NULL);
    flow_declare(&graph, "x", value_type_tensor(type_of(STRIDER_F32, DIMS(2))));
    assert_refused(STRIDER_BAD_MODEL, "input 0 is float32 [2], must be a sequence");
    again();
    make(OPSET, "SequenceInsert", "s x", NULL);
    flow_declare(&graph, "x", value_type_tensor(type_of(STRIDER_I64, DIMS(2))));
    assert_refused(STRIDER_BAD_MODEL, "input 1 is int64, but the sequence is of float32");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(insert_counts_from_both_ends),
        TEST(erase_and_at_take_positions_that_are_there),
        TEST(sequences_are_made_and_counted),
        TEST(a_sequence_that_others_hold_is_not_changed),
        TEST(a_loop_of_inserts_copies_nothing),
        TEST(split_makes_parts_along_an_axis),
        TEST(concat_joins_along_an_old_or_a_new_axis),
        TEST(map_runs_its_body_for_each_element),
        TEST(optionals_hold_tensors_sequences_or_nothing),
        TEST(optionals_know_whether_they_hold_something),
        TEST(identity_takes_values_of_any_kind),
        TEST(kinds_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
