/* SPDX-License-Identifier: Apache-2.0 */
/* If, Loop and Scan: bodies of every kind, run by a plain interpreter, and the types that they pass on. */
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

static void infer(void) {
    if (flow_infer(&graph, &error))
        fail_msg("%s", error.message);
}

static void assert_refused(Status status, const char *message) {
    const Status got = flow_infer(&graph, &error);
    if (got != status || !strstr(error.message, message))
        fail_msg("status %d, \"%s\"; expected %d, \"%s\"", (int)got, error.message, (int)status, message);
}

#define VALUES(...) ((RunValue *[]){__VA_ARGS__})
#define F32(...) flow_tensor(&counted.allocator, tensor_f32(__VA_ARGS__))
#define I64(...) flow_tensor(&counted.allocator, tensor_i64(__VA_ARGS__))
#define BOOL(VALUE) flow_tensor(&counted.allocator, tensor_typed(STRIDER_BOOL, shape_scalar(), VALUE))

static void run(RunValue *const *inputs, RunValue **outputs) {
    if (flow_run(&graph, &counted.allocator, inputs, outputs, &error))
        fail_msg("%s", error.message);
}

static void assert_run_fails(RunValue *const *inputs, Status status, const char *message) {
    RunValue *outputs[8] = {0};
    const Status got = flow_run(&graph, &counted.allocator, inputs, outputs, &error);
    if (got != status || !strstr(error.message, message))
        fail_msg("status %d, \"%s\"; expected %d, \"%s\"", (int)got, error.message, (int)status, message);
}

static void declare(const char *name, DType dtype, Shape shape) {
    flow_declare(&graph, name, value_type_tensor(type_of(dtype, shape)));
}

static void assert_type(const char *name, const char *expected) {
    char text[VALUE_TYPE_TEXT];
    assert_string_equal(value_type_text(&graph_find_value(&graph, name)->type, text), expected);
}

/* --- If --- */

/* y = c ? x + x : Concat(x, z) */
static void make_if(void) {
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "y", NULL, "x z");
    Graph *then_branch = flow_body(&graph, node, ""), *else_branch = flow_body(&graph, node, "");
    const Attr axis[] = {attr_int("axis", 0), {0}};
    flow_node(then_branch, OPSET, "Add", "x x", "sum");
    flow_outputs(then_branch, "sum");
    flow_node_of(else_branch, OPSET, "Concat", "x z", "both", axis, "");
    flow_outputs(else_branch, "both");
    flow_inputs(&graph, "c x z");
    flow_outputs(&graph, "y");
    declare("c", STRIDER_BOOL, shape_scalar());
    declare("x", STRIDER_F32, DIMS(2));
    declare("z", STRIDER_F32, DIMS(1));
}

static void if_runs_the_branch_that_the_condition_chooses(void **state) {
    (void)state;
    RunValue *y;
    make_if();
    infer();
    assert_type("y", "float32 [?]");
    run(VALUES(BOOL(1), F32(DIMS(2), 1, 2), F32(DIMS(1), 9)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 2, 4));
    run(VALUES(BOOL(0), F32(DIMS(2), 1, 2), F32(DIMS(1), 9)), &y);
    flow_expect(y, tensor_f32(DIMS(3), 1, 2, 9));
}

static void if_hands_values_on_without_copying_them(void **state) {
    (void)state;
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "y", NULL, "x z");
    for (int i = 0; i < 2; i++)
        flow_outputs(flow_body(&graph, node, ""), i ? "x" : "z");
    flow_inputs(&graph, "c x z");
    flow_outputs(&graph, "y");
    infer();
    RunValue *y, *x = F32(DIMS(2), 1, 2);
    const void *data = x->tensor.data;
    run(VALUES(BOOL(0), x, F32(DIMS(1), 9)), &y);
    assert_ptr_equal(y->tensor.data, data);
    flow_expect(y, tensor_f32(DIMS(2), 1, 2));
}

static void if_refuses_branches_that_do_not_agree(void **state) {
    (void)state;
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "y", NULL, "x z");
    for (int i = 0; i < 2; i++)
        flow_outputs(flow_body(&graph, node, ""), i ? "x" : "z");
    flow_inputs(&graph, "c x z");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    declare("z", STRIDER_I64, DIMS(2));
    assert_refused(STRIDER_BAD_MODEL, "output 0 is int64 [2] in then_branch, float32 [2] in else_branch");
    flow_outputs(node->bodies[1], "z");
    assert_refused(STRIDER_BAD_MODEL, "then_branch has 1 outputs, else_branch has 2");
}

static void errors_in_bodies_say_where(void **state) {
    (void)state;
    const Attr axis[] = {attr_int("axis", 5), {0}};
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "y", NULL, "x");
    for (int i = 0; i < 2; i++) {
        Graph *body = flow_body(&graph, node, "");
        flow_node_of(body, OPSET, "Softmax", "x", "s", axis, "");
        flow_outputs(body, "s");
    }
    flow_inputs(&graph, "c x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    assert_refused(STRIDER_BAD_MODEL,
                   "node 0 \"If\" (If): else_branch: node 0 \"Softmax\" (Softmax): axis 5");
}

/* As torch exports squeeze(0) of a dimension that is known to be 2. */
static void a_branch_that_does_not_fit_is_an_error_when_it_is_taken(void **state) {
    (void)state;
    RunValue *y;
    Node *node = flow_node_of(&graph, 12, "If", "c", "y", NULL, "x");
    Graph *body = flow_body(&graph, node, "");
    const Attr axes[] = {attr_ints("axes", 0), {0}};
    flow_node_of(body, 12, "Squeeze", "x", "s", axes, "");
    flow_outputs(body, "s");
    flow_outputs(flow_body(&graph, node, ""), "x");
    flow_inputs(&graph, "c x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    infer();
    assert_type("y", "float32 [2]");
    run(VALUES(BOOL(0), F32(DIMS(2), 1, 2)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 1, 2));
    assert_run_fails(VALUES(BOOL(1), F32(DIMS(2), 1, 2)), STRIDER_BAD_MODEL, "axis 0 has 2 elements");
}

static void if_wants_one_bool(void **state) {
    (void)state;
    RunValue *two[] = {flow_tensor(&counted.allocator, tensor_typed(STRIDER_BOOL, DIMS(2), 1, 0)),
                       F32(DIMS(2), 1, 2), F32(DIMS(1), 9)};
    make_if();
    infer();
    assert_run_fails(two, STRIDER_BAD_MODEL, "the condition must be one bool");
    declare("c", STRIDER_BOOL, DIMS(2));
    assert_refused(STRIDER_BAD_MODEL, "the condition has 2 elements");
}

/* --- Loop --- */

/* for (i < m && c) { sum += x; c = sum < limit; keep sum and i } */
static void make_sum(const char *inputs) {
    Node *node = flow_node_of(&graph, OPSET, "Loop", inputs, "last sums numbers", NULL, "x limit");
    Graph *body = flow_body(&graph, node, "i c sum");
    flow_node(body, OPSET, "Add", "sum x", "next");
    flow_node(body, OPSET, "Less", "next limit", "goes_on");
    flow_outputs(body, "goes_on next next i");
    flow_outputs(&graph, "last sums numbers");
}

static void expect_sum(RunValue *const *inputs, Tensor last, Tensor sums, Tensor numbers) {
    RunValue *outputs[3];
    run(inputs, outputs);
    flow_expect(outputs[0], last);
    flow_expect(outputs[1], sums);
    flow_expect(outputs[2], numbers);
}

static void loop_ends_by_trips_or_by_condition(void **state) {
    (void)state;
    make_sum("m c zero");
    flow_inputs(&graph, "m c zero x limit");
    declare("x", STRIDER_F32, shape_scalar());
    declare("zero", STRIDER_F32, shape_scalar());
    infer();
    assert_type("numbers", "int64 [?]");
    expect_sum(VALUES(I64(shape_scalar(), 3), BOOL(1), F32(shape_scalar(), 0), F32(shape_scalar(), 2),
                      F32(shape_scalar(), 100)),
               tensor_f32(shape_scalar(), 6), tensor_f32(DIMS(3), 2, 4, 6), tensor_i64(DIMS(3), 0, 1, 2));
    expect_sum(VALUES(I64(DIMS(1), 3), BOOL(1), F32(shape_scalar(), 0), F32(shape_scalar(), 2),
                      F32(shape_scalar(), 3)),
               tensor_f32(shape_scalar(), 4), tensor_f32(DIMS(2), 2, 4), tensor_i64(DIMS(2), 0, 1));
    for (int none = 0; none < 3; none++)
        expect_sum(VALUES(I64(shape_scalar(), none ? -(none - 1) : 5), BOOL(none), F32(shape_scalar(), 7),
                          F32(shape_scalar(), 2), F32(shape_scalar(), 3)),
                   tensor_f32(shape_scalar(), 7), op_test_tensor(STRIDER_F32, DIMS(0), "", 0),
                   op_test_tensor(STRIDER_I64, DIMS(0), "", 0));
}

static void loop_may_lack_trips_and_condition(void **state) {
    (void)state;
    make_sum("- - zero");
    flow_inputs(&graph, "zero x limit");
    infer();
    expect_sum(VALUES(F32(shape_scalar(), 0), F32(shape_scalar(), 1), F32(shape_scalar(), 20)),
               tensor_f32(shape_scalar(), 20),
               tensor_f32(DIMS(20), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20),
               tensor_i64(DIMS(20), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
}

static void no_items_have_the_type_that_items_would_have(void **state) {
    (void)state;
    make_sum("m c zero");
    flow_inputs(&graph, "m c zero x limit");
    declare("zero", STRIDER_F32, DIMS(1, 3));
    declare("x", STRIDER_F32, DIMS(2, DIM_UNKNOWN));
    infer();
    assert_type("last", "float32 [?, 3]");
    assert_type("sums", "float32 [?, 2, 3]");
    RunValue *outputs[3];
    run(VALUES(I64(shape_scalar(), 0), BOOL(1), F32(DIMS(1, 3), 1, 2, 3), F32(DIMS(2, 1), 1, 2),
               F32(shape_scalar(), 9)),
        outputs);
    flow_expect(outputs[0], tensor_f32(DIMS(1, 3), 1, 2, 3));
    flow_expect(outputs[1], op_test_tensor(STRIDER_F32, DIMS(0, 2, 3), "", 0));
    flow_expect(outputs[2], op_test_tensor(STRIDER_I64, DIMS(0), "", 0));
}

/* grown = Concat(grown, x), m times; and its length each time. */
static void make_growing(void) {
    Node *node = flow_node_of(&graph, OPSET, "Loop", "m - empty", "all lengths", NULL, "x");
    Graph *body = flow_body(&graph, node, "i c grown");
    const Attr axis[] = {attr_int("axis", 0), {0}};
    flow_node_of(body, OPSET, "Concat", "grown x", "next", axis, "");
    flow_node(body, OPSET, "Shape", "next", "length");
    flow_outputs(body, "c next length");
    flow_outputs(&graph, "all lengths");
    declare("empty", STRIDER_F32, DIMS(0, 2));
    declare("x", STRIDER_F32, DIMS(1, 2));
}

static void loop_carries_values_of_changing_shapes(void **state) {
    (void)state;
    RunValue *outputs[2];
    make_growing();
    flow_inputs(&graph, "m empty x");
    infer();
    assert_type("all", "float32 [?, 2]");
    assert_type("lengths", "int64 [?, 2]");
    run(VALUES(I64(shape_scalar(), 3),
               flow_tensor(&counted.allocator, op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0)),
               F32(DIMS(1, 2), 1, 2)),
        outputs);
    flow_expect(outputs[0], tensor_f32(DIMS(3, 2), 1, 2, 1, 2, 1, 2));
    flow_expect(outputs[1], tensor_i64(DIMS(3, 2), 1, 2, 2, 2, 3, 2));
}

static void loop_with_a_constant_number_of_trips_has_known_items(void **state) {
    (void)state;
    flow_constant(&graph, "m", tensor_i64(shape_scalar(), 3));
    make_growing();
    flow_inputs(&graph, "empty x");
    infer();
    assert_type("lengths", "int64 [3, 2]");
}

static void items_of_different_shapes_are_refused(void **state) {
    (void)state;
    Node *node = flow_node_of(&graph, OPSET, "Loop", "m - x", "last items", NULL, "x");
    Graph *body = flow_body(&graph, node, "i c grown");
    const Attr axis[] = {attr_int("axis", 0), {0}};
    flow_node_of(body, OPSET, "Concat", "grown x", "next", axis, "");
    flow_outputs(body, "c next next");
    flow_inputs(&graph, "m x");
    flow_outputs(&graph, "last items");
    infer();
    assert_run_fails(VALUES(I64(shape_scalar(), 2), F32(DIMS(1), 1)), STRIDER_BAD_MODEL,
                     "output 1 is put together from float32 [2], but a later run gives float32 [3]");
}

static void loop_swaps_what_it_carries(void **state) {
    (void)state;
    RunValue *outputs[2];
    Node *node = flow_node(&graph, OPSET, "Loop", "m - a b", "x y");
    flow_outputs(flow_body(&graph, node, "i c p q"), "c q p");
    flow_inputs(&graph, "m a b");
    flow_outputs(&graph, "x y");
    declare("a", STRIDER_F32, DIMS(1));
    declare("b", STRIDER_F32, DIMS(2));
    infer();
    assert_type("x", "float32 [?]");
    run(VALUES(I64(shape_scalar(), 3), F32(DIMS(1), 1), F32(DIMS(2), 2, 3)), outputs);
    flow_expect(outputs[0], tensor_f32(DIMS(2), 2, 3));
    flow_expect(outputs[1], tensor_f32(DIMS(1), 1));
}

static void loop_refuses_what_changes_its_type(void **state) {
    (void)state;
    const Attr to[] = {attr_int("to", 7), {0}};
    Node *node = flow_node(&graph, OPSET, "Loop", "m - a", "x");
    Graph *body = flow_body(&graph, node, "i c p");
    flow_node_of(body, OPSET, "Cast", "p", "q", to, "");
    flow_outputs(body, "c q");
    flow_inputs(&graph, "m a");
    flow_outputs(&graph, "x");
    declare("a", STRIDER_F32, DIMS(1));
    assert_refused(STRIDER_BAD_MODEL,
                   "input 2 of the body is float32 [1] at first, but int64 [1] after its first run");
    flow_declare(body, "p", value_type_tensor(type_of(STRIDER_I64, DIMS(1))));
    assert_refused(STRIDER_BAD_MODEL, "body: input \"p\" is declared as int64 [1], but gets float32 [1]");
}

static void loop_refuses_bodies_with_other_inputs_or_outputs(void **state) {
    (void)state;
    Node *node = flow_node(&graph, OPSET, "Loop", "m - a", "x items");
    Graph *body = flow_body(&graph, node, "i c p q");
    flow_outputs(body, "c");
    flow_inputs(&graph, "m a");
    flow_outputs(&graph, "x items");
    assert_refused(STRIDER_BAD_MODEL, "body has 1 outputs, it must have at least 3");
    flow_outputs(body, "p q");
    assert_refused(STRIDER_BAD_MODEL, "it takes 4 inputs, and gets 3");
}

static void an_optional_may_become_what_it_holds(void **state) {
    (void)state;
    RunValue *y;
    flow_node(&graph, OPSET, "Optional", "x", "o");
    Node *node = flow_node(&graph, OPSET, "Loop", "m - o", "y");
    Graph *body = flow_body(&graph, node, "i c p");
    flow_node(body, OPSET, "OptionalGetElement", "p", "t");
    flow_node(body, OPSET, "Add", "t t", "u");
    flow_outputs(body, "c u");
    flow_inputs(&graph, "m x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    infer();
    assert_type("y", "float32 [2]");
    run(VALUES(I64(shape_scalar(), 3), F32(DIMS(2), 1, 2)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 8, 16));
    run(VALUES(I64(shape_scalar(), 0), F32(DIMS(2), 1, 2)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 1, 2));
}

static void an_optional_that_holds_nothing_needs_an_iteration(void **state) {
    (void)state;
    const ValueType type = value_type_tensor(type_of(STRIDER_F32, DIMS(2)));
    const Attr attrs[] = {{.name = "type", .kind = ATTR_TYPE, .type = &type}, {0}};
    RunValue *y;
    flow_node_of(&graph, OPSET, "Optional", "", "o", attrs, "");
    Node *node = flow_node(&graph, OPSET, "Loop", "m - o", "y");
    Graph *body = flow_body(&graph, node, "i c p");
    flow_constant(body, "k", tensor_f32(DIMS(2), 3, 4));
    flow_node(body, OPSET, "Identity", "k", "u");
    flow_outputs(body, "c u");
    flow_inputs(&graph, "m");
    flow_outputs(&graph, "y");
    infer();
    run(VALUES(I64(shape_scalar(), 1)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 3, 4));
    assert_int_equal(flow_run(&graph, &counted.allocator, VALUES(I64(shape_scalar(), 0)), &y, &error),
                     STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "input 2 is an optional that holds nothing"));
}

/* The innermost value is x * (product of all numbers of iterations). */
static void loops_nest_and_capture_through_all_levels(void **state) {
    (void)state;
    enum { DEPTH = 4 };
    RunValue *y;
    Graph *at = &graph;
    for (int depth = 0; depth < DEPTH; depth++) {
        Node *node = flow_node_of(at, OPSET, "Loop", depth ? "m - v" : "m - zero", "y", NULL, "m x");
        flow_outputs(at, depth ? "c y" : "y");
        at = flow_body(at, node, "i c v");
    }
    flow_node(at, OPSET, "Add", "v x", "y");
    flow_outputs(at, "c y");
    flow_inputs(&graph, "m zero x");
    infer();
    run(VALUES(I64(shape_scalar(), 3), F32(shape_scalar(), 0), F32(shape_scalar(), 1)), &y);
    flow_expect(y, tensor_f32(shape_scalar(), 81));
}

/* Each level carries a chain of values that settles one by one, so that each asks for all its rounds. */
static void types_in_deep_nests_are_found_in_bounded_work(void **state) {
    (void)state;
    enum { DEPTH = 60 };
    Graph *at = &graph;
    const Attr axis[] = {attr_int("axis", 0), {0}};
    for (int depth = 0; depth < DEPTH; depth++) {
        Node *node = flow_node_of(at, OPSET, "Loop", depth ? "m - a b d" : "m - x x x", "y z w", NULL, "m");
        if (depth)
            flow_node_of(at, OPSET, "Concat", "w a", "v", axis, "");
        flow_outputs(at, depth ? "c v y z" : "y z w");
        at = flow_body(at, node, "i c a b d");
    }
    flow_node_of(at, OPSET, "Concat", "a b", "v", axis, "");
    flow_outputs(at, "c v a b");
    flow_inputs(&graph, "m x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    infer();
    /* Three rounds at each level would be 3^60. */
    assert_true(graph.inferred_in_bodies < 4 << 20);
    assert_int_equal(graph_find_value(&graph, "y")->type.dtype, STRIDER_F32);
}

/* Each allocation in turn fails, and nothing is left behind. */
static void no_failure_leaves_anything_behind(void **state) {
    (void)state;
    make_growing();
    flow_inputs(&graph, "m empty x");
    infer();
    for (size_t fails_at = 0;; fails_at++) {
        RunValue *outputs[2] = {0};
        counter_init(&counted);
        RunValue *inputs[] = {I64(shape_scalar(), 12),
                              flow_tensor(&counted.allocator, op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0)),
                              F32(DIMS(1, 2), 1, 2)};
        counted.max_allocations = counted.allocations + fails_at;
        const Status status = flow_run(&graph, &counted.allocator, inputs, outputs, &error);
        for (int i = 0; i < 2 && !status; i++)
            run_value_release(outputs[i]);
        assert_int_equal(counted.blocks, 0);
        assert_true(status == STRIDER_OK || status == STRIDER_OUT_OF_MEMORY);
        if (!status)
            break;
    }
}

/* --- Scan --- */

/* state += x[t]; items: the state, and x[t] * x[t]. */
static void make_scan(int opset, const char *inputs, const Attr *attrs) {
    Node *node = flow_node_of(&graph, opset, "Scan", inputs, "last sums squares", attrs, "");
    Graph *body = flow_body(&graph, node, "sum x");
    flow_node(body, opset, "Add", "sum x", "next");
    flow_node(body, opset, "Mul", "x x", "square");
    flow_outputs(body, "next next square");
    flow_outputs(&graph, "last sums squares");
}

static void scan_goes_along_the_first_axis(void **state) {
    (void)state;
    const Attr attrs[] = {attr_int("num_scan_inputs", 1), {0}};
    make_scan(9, "zero x", attrs);
    flow_inputs(&graph, "zero x");
    declare("zero", STRIDER_F32, DIMS(2));
    declare("x", STRIDER_F32, DIMS(3, 2));
    infer();
    assert_type("last", "float32 [2]");
    assert_type("sums", "float32 [3, 2]");
    expect_sum(VALUES(F32(DIMS(2), 0, 0), F32(DIMS(3, 2), 1, 2, 3, 4, 5, 6)), tensor_f32(DIMS(2), 9, 12),
               tensor_f32(DIMS(3, 2), 1, 2, 4, 6, 9, 12), tensor_f32(DIMS(3, 2), 1, 4, 9, 16, 25, 36));
    RunValue *empty = flow_tensor(&counted.allocator, op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0));
    expect_sum(VALUES(F32(DIMS(2), 7, 8), empty), tensor_f32(DIMS(2), 7, 8),
               op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0),
               op_test_tensor(STRIDER_F32, DIMS(0, 2), "", 0));
}

static void scan_has_axes_and_directions(void **state) {
    (void)state;
    const Attr attrs[] = {attr_int("num_scan_inputs", 1),
                          attr_ints("scan_input_axes", -1),
                          attr_ints("scan_input_directions", 1),
                          attr_ints("scan_output_axes", 1, -2),
                          attr_ints("scan_output_directions", 0, 1),
                          {0}};
    make_scan(OPSET, "zero x", attrs);
    flow_inputs(&graph, "zero x");
    declare("zero", STRIDER_F32, DIMS(2));
    declare("x", STRIDER_F32, DIMS(2, 3));
    infer();
    assert_type("sums", "float32 [2, 3]");
    assert_type("squares", "float32 [3, 2]");
    expect_sum(VALUES(F32(DIMS(2), 0, 0), F32(DIMS(2, 3), 1, 3, 5, 2, 4, 6)), tensor_f32(DIMS(2), 9, 12),
               tensor_f32(DIMS(2, 3), 5, 8, 9, 6, 10, 12), tensor_f32(DIMS(3, 2), 1, 4, 9, 16, 25, 36));
}

static void scan_of_a_batch_has_lengths(void **state) {
    (void)state;
    const Attr attrs[] = {attr_int("num_scan_inputs", 1), attr_ints("directions", 1), {0}};
    make_scan(8, "lengths zero x", attrs);
    flow_inputs(&graph, "lengths zero x");
    declare("zero", STRIDER_F32, DIMS(2, 1));
    declare("x", STRIDER_F32, DIMS(2, 3, 1));
    infer();
    assert_type("last", "float32 [2, 1]");
    assert_type("sums", "float32 [2, 3, 1]");
    expect_sum(VALUES(I64(DIMS(2), 3, 2), F32(DIMS(2, 1), 0, 100), F32(DIMS(2, 3, 1), 1, 2, 3, 4, 5, 6)),
               tensor_f32(DIMS(2, 1), 6, 109), tensor_f32(DIMS(2, 3, 1), 3, 5, 6, 105, 109, 0),
               tensor_f32(DIMS(2, 3, 1), 9, 4, 1, 25, 16, 0));
    assert_run_fails(VALUES(I64(DIMS(2), 3, 4), F32(DIMS(2, 1), 0, 0), F32(DIMS(2, 3, 1), 1, 2, 3, 4, 5, 6)),
                     STRIDER_BAD_MODEL, "sequence 1 has length 4 of 3");
}

static void scan_refuses_inputs_of_different_lengths(void **state) {
    (void)state;
    const Attr attrs[] = {attr_int("num_scan_inputs", 2), {0}};
    make_scan(9, "x y", attrs);
    flow_inputs(&graph, "x y");
    infer();
    assert_run_fails(VALUES(F32(DIMS(2), 1, 2), F32(DIMS(3), 1, 2, 3)), STRIDER_BAD_MODEL,
                     "the length is 3 in input 1, 2 in those before");
    declare("x", STRIDER_F32, DIMS(2));
    declare("y", STRIDER_F32, DIMS(3));
    assert_refused(STRIDER_BAD_MODEL, "the length is 2 in one input, 3 in another");
}

static void scan_refuses_attributes_that_do_not_fit(void **state) {
    (void)state;
    const Attr axes[] = {attr_int("num_scan_inputs", 1), attr_ints("scan_input_axes", 0, 1), {0}};
    const Attr too_many[] = {attr_int("num_scan_inputs", 3), {0}};
    make_scan(9, "zero x", axes);
    flow_inputs(&graph, "zero x");
    assert_refused(STRIDER_BAD_MODEL, "scan_input_axes has 2 values, there are 1");
    stop(NULL);
    start(NULL);
    make_scan(9, "zero x", too_many);
    flow_inputs(&graph, "zero x");
    assert_refused(STRIDER_BAD_MODEL, "num_scan_inputs is 3, but there are 2 inputs");
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(if_runs_the_branch_that_the_condition_chooses),
        TEST(if_hands_values_on_without_copying_them),
        TEST(if_refuses_branches_that_do_not_agree),
        TEST(errors_in_bodies_say_where),
        TEST(a_branch_that_does_not_fit_is_an_error_when_it_is_taken),
        TEST(if_wants_one_bool),
        TEST(loop_ends_by_trips_or_by_condition),
        TEST(loop_may_lack_trips_and_condition),
        TEST(no_items_have_the_type_that_items_would_have),
        TEST(loop_carries_values_of_changing_shapes),
        TEST(loop_with_a_constant_number_of_trips_has_known_items),
        TEST(items_of_different_shapes_are_refused),
        TEST(loop_swaps_what_it_carries),
        TEST(loop_refuses_what_changes_its_type),
        TEST(loop_refuses_bodies_with_other_inputs_or_outputs),
        TEST(an_optional_may_become_what_it_holds),
        TEST(an_optional_that_holds_nothing_needs_an_iteration),
        TEST(loops_nest_and_capture_through_all_levels),
        TEST(types_in_deep_nests_are_found_in_bounded_work),
        TEST(no_failure_leaves_anything_behind),
        TEST(scan_goes_along_the_first_axis),
        TEST(scan_has_axes_and_directions),
        TEST(scan_of_a_batch_has_lengths),
        TEST(scan_refuses_inputs_of_different_lengths),
        TEST(scan_refuses_attributes_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
