/* SPDX-License-Identifier: Apache-2.0 */
/* Passes and bodies: what flows in, what goes out, and that results stay. */
#include "support/counter.h"
#include "support/flow.h"
#include "support/op_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ops/op_kind.h"
#include "optimize/optimize.h"

enum { OPSET = 21 };

static Graph graph;
static Counter counted;
static Error error;

static int start(void **state) {
    (void)state;
    counter_init(&counted);
    graph_init(&graph, &counted.allocator);
    return 0;
}

static int stop(void **state) {
    (void)state;
    graph_free(&graph);
    return counted.blocks != 0;
}

static void optimize(void) {
    if (flow_infer(&graph, &error) || optimize_graph(&graph, &error))
        fail_msg("%s", error.message);
    assert_int_equal(flow_infer(&graph, &error), STRIDER_OK);
}

static void declare(const char *name, DType dtype, Shape shape) {
    flow_declare(&graph, name, value_type_tensor(type_of(dtype, shape)));
}

static int count(const Graph *in, int kind) {
    int n = 0;
    for (size_t i = 0; i < in->n_nodes; i++)
        n += in->nodes[i]->op->kind == kind;
    return n;
}

#define VALUES(...) ((RunValue *[]){__VA_ARGS__})
#define F32(...) flow_tensor(&counted.allocator, tensor_f32(__VA_ARGS__))
#define I64(...) flow_tensor(&counted.allocator, tensor_i64(__VA_ARGS__))
#define BOOL(VALUE) flow_tensor(&counted.allocator, tensor_typed(STRIDER_BOOL, shape_scalar(), VALUE))

static void run(RunValue *const *inputs, RunValue **outputs) {
    if (flow_run(&graph, &counted.allocator, inputs, outputs, &error))
        fail_msg("%s", error.message);
}

/* y = c ? x * w : Neg(x), with a value in the body that has the name of one around it. */
static Node *make_if(Graph *in, const char *output) {
    Node *node = flow_node_of(in, OPSET, "If", "c", output, NULL, "x w");
    Graph *then_branch = flow_body(in, node, ""), *else_branch = flow_body(in, node, "");
    flow_node(then_branch, OPSET, "Mul", "x w", "z");
    flow_node(then_branch, OPSET, "Relu", "z", "r");
    flow_outputs(then_branch, "r");
    flow_node(else_branch, OPSET, "Neg", "x", "z");
    flow_outputs(else_branch, "z");
    return node;
}

static void constants_flow_into_bodies_and_unread_values_are_captured_no_more(void **state) {
    (void)state;
    RunValue *y;
    flow_constant(&graph, "w", tensor_f32(DIMS(1), 3));
    Node *node = make_if(&graph, "y");
    Graph *body = node->bodies[0];
    flow_node(body, OPSET, "Add", "w w", "sum");
    flow_node(body, OPSET, "Add", "r sum", "result");
    graph_drop_outputs(body);
    flow_outputs(body, "result");
    flow_inputs(&graph, "c x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(1));
    optimize();
    assert_int_equal(node->n_captures, 1);
    assert_int_equal(node->n_inputs, 2);
    assert_int_equal(body->n_inputs, 1);
    assert_int_equal(count(body, OP_Add), 1);
    run(VALUES(BOOL(1), F32(DIMS(1), 2)), &y);
    flow_expect(y, tensor_f32(DIMS(1), 12));
    run(VALUES(BOOL(0), F32(DIMS(1), 2)), &y);
    flow_expect(y, tensor_f32(DIMS(1), -2));
}

static void an_if_whose_condition_is_constant_is_its_branch(void **state) {
    (void)state;
    for (int condition = 0; condition < 2; condition++) {
        RunValue *outputs[2];
        flow_constant(&graph, "c", tensor_typed(STRIDER_BOOL, shape_scalar(), condition));
        flow_constant(&graph, "w", tensor_f32(DIMS(1), 3));
        flow_node(&graph, OPSET, "Abs", "x", "z");
        make_if(&graph, "y");
        flow_inputs(&graph, "x");
        flow_outputs(&graph, "y z");
        declare("x", STRIDER_F32, DIMS(1));
        optimize();
        assert_int_equal(count(&graph, OP_If), 0);
        assert_string_equal(graph.outputs[0]->name, "y");
        run(VALUES(F32(DIMS(1), -2)), outputs);
        flow_expect(outputs[0], tensor_f32(DIMS(1), condition ? 0 : 2));
        flow_expect(outputs[1], tensor_f32(DIMS(1), 2));
        assert_int_equal(stop(NULL), 0);
        start(NULL);
    }
}

/* Of a branch: a value of the graph around, a constant, the same result twice. */
static void outputs_of_an_inlined_branch_may_be_anything(void **state) {
    (void)state;
    RunValue *outputs[5];
    flow_constant(&graph, "c", tensor_typed(STRIDER_BOOL, shape_scalar(), 1));
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "o p q r s", NULL, "x");
    Graph *then_branch = flow_body(&graph, node, ""), *else_branch = flow_body(&graph, node, "");
    flow_constant(then_branch, "k", tensor_f32(DIMS(1), 7));
    flow_node(then_branch, OPSET, "Neg", "x", "n");
    flow_outputs(then_branch, "x k n n x");
    flow_outputs(else_branch, "x x x x x");
    flow_node(&graph, OPSET, "Abs", "s", "a");
    flow_inputs(&graph, "x");
    flow_outputs(&graph, "o p q r a");
    declare("x", STRIDER_F32, DIMS(1));
    optimize();
    assert_int_equal(count(&graph, OP_If), 0);
    run(VALUES(F32(DIMS(1), -2)), outputs);
    flow_expect(outputs[0], tensor_f32(DIMS(1), -2));
    flow_expect(outputs[1], tensor_f32(DIMS(1), 7));
    flow_expect(outputs[2], tensor_f32(DIMS(1), 2));
    flow_expect(outputs[3], tensor_f32(DIMS(1), 2));
    flow_expect(outputs[4], tensor_f32(DIMS(1), 2));
}

/* Each If makes the condition of the next one a constant, on several levels. */
static void what_inlining_makes_constant_is_folded_and_inlined(void **state) {
    (void)state;
    RunValue *y;
    flow_constant(&graph, "c", tensor_typed(STRIDER_BOOL, shape_scalar(), 1));
    flow_constant(&graph, "w", tensor_f32(DIMS(1), 3));
    Node *first = flow_node_of(&graph, OPSET, "If", "c", "d", NULL, "c");
    Graph *then_branch = flow_body(&graph, first, ""), *else_branch = flow_body(&graph, first, "");
    flow_node(then_branch, OPSET, "Not", "c", "n");
    flow_outputs(then_branch, "n");
    flow_outputs(else_branch, "c");
    Node *second = flow_node_of(&graph, OPSET, "If", "d", "y", NULL, "x w c");
    Graph *unused = flow_body(&graph, second, ""), *taken = flow_body(&graph, second, "");
    flow_outputs(unused, "x");
    make_if(taken, "y");
    flow_outputs(taken, "y");
    flow_inputs(&graph, "x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(1));
    optimize();
    assert_int_equal(count(&graph, OP_If), 0);
    assert_int_equal(count(&graph, OP_Mul), 1);
    run(VALUES(F32(DIMS(1), 2)), &y);
    flow_expect(y, tensor_f32(DIMS(1), 6));
}

/* As torch exports squeeze(1): whether dimension 1 is 1 is known, though others are not. */
static void known_dimensions_of_open_shapes_decide(void **state) {
    (void)state;
    for (int64_t channels = 1; channels < 3; channels++) {
        RunValue *y;
        flow_constant(&graph, "one", tensor_i64(DIMS(1), 1));
        flow_node(&graph, OPSET, "Shape", "x", "s");
        flow_node(&graph, OPSET, "Gather", "s one", "d");
        flow_node(&graph, OPSET, "Equal", "d one", "q");
        Node *node = flow_node_of(&graph, OPSET, "If", "q", "y", NULL, "x one");
        Graph *then_branch = flow_body(&graph, node, "");
        flow_node(then_branch, OPSET, "Squeeze", "x one", "t");
        flow_outputs(then_branch, "t");
        flow_outputs(flow_body(&graph, node, ""), "x");
        flow_inputs(&graph, "x");
        flow_outputs(&graph, "y");
        declare("x", STRIDER_F32, DIMS(DIM_UNKNOWN, channels));
        optimize();
        assert_int_equal(count(&graph, OP_If), 0);
        assert_int_equal(graph_find_value(&graph, "y")->type.shape.rank, channels == 1 ? 1 : 2);
        run(VALUES(channels == 1 ? F32(DIMS(1, 1), 4) : F32(DIMS(1, 2), 4, 5)), &y);
        run_value_release(y);
        assert_int_equal(stop(NULL), 0);
        start(NULL);
    }
}

static void passes_run_in_bodies_of_bodies(void **state) {
    (void)state;
    RunValue *y;
    Node *outer = flow_node_of(&graph, OPSET, "Loop", "m - x", "y", NULL, "m");
    Graph *body = flow_body(&graph, outer, "i c v");
    Node *inner = flow_node_of(body, OPSET, "Loop", "m - v", "r", NULL, "m");
    Graph *innermost = flow_body(body, inner, "i c v");
    flow_node(innermost, OPSET, "Sigmoid", "v", "s");
    flow_node(innermost, OPSET, "Mul", "v s", "p");
    flow_node(innermost, OPSET, "Exp", "m2", "unread");
    flow_constant(innermost, "m2", tensor_f32(DIMS(1), 1));
    flow_outputs(innermost, "c p");
    flow_outputs(body, "c r");
    flow_inputs(&graph, "m x");
    flow_outputs(&graph, "y");
    declare("x", STRIDER_F32, DIMS(2));
    optimize();
    assert_int_equal(innermost->n_nodes, 1);
    assert_int_equal(innermost->nodes[0]->op->kind, OP_Swish);
    assert_int_equal(inner->n_captures, 0);
    assert_int_equal(outer->n_captures, 1);
    run(VALUES(I64(shape_scalar(), 1), F32(DIMS(2), 0, 1)), &y);
    flow_expect(y, tensor_f32(DIMS(2), 0, 0.7310586f));
}

/* With what is carried, the number of the iteration, cond, a captured value, and items; where no iteration
 * runs, what is carried goes on. */
static void a_loop_of_no_or_one_iteration_is_its_body(void **state) {
    (void)state;
    enum { WITHOUT_CONDITION, WITH_CONDITION, REFUSED, NO_TRIP, FORMS };
    for (int form = 0; form < FORMS; form++) {
        const bool runs = form <= WITH_CONDITION;
        RunValue *outputs[3];
        flow_constant(&graph, "m", tensor_i64(shape_scalar(), form != NO_TRIP));
        flow_constant(&graph, "k", tensor_typed(STRIDER_BOOL, shape_scalar(), form != REFUSED));
        Node *loop = flow_node_of(&graph, OPSET, "Loop", form == WITHOUT_CONDITION ? "m - x x" : "m k x x",
                                  runs ? "y z items" : "y z", NULL, "w");
        Graph *body = flow_body(&graph, loop, "i c p q");
        flow_constant(body, "off", tensor_typed(STRIDER_BOOL, shape_scalar(), 0));
        flow_node(body, OPSET, "Add", "i i", "f");
        flow_node(body, OPSET, "Mul", "p w", "s");
        flow_node(body, OPSET, "Where", "c s other", "t");
        flow_constant(body, "other", tensor_f32(DIMS(1), 100));
        flow_outputs(body, "off t q t");
        flow_inputs(&graph, "x w");
        flow_outputs(&graph, runs ? "y z items" : "y z");
        declare("x", STRIDER_F32, DIMS(1));
        declare("w", STRIDER_F32, DIMS(1));
        optimize();
        assert_int_equal(count(&graph, OP_Loop), 0);
        assert_string_equal(graph.outputs[0]->name, "y");
        run(VALUES(F32(DIMS(1), -2), F32(DIMS(1), 3)), outputs);
        flow_expect(outputs[0], tensor_f32(DIMS(1), runs ? -6 : -2));
        flow_expect(outputs[1], tensor_f32(DIMS(1), -2));
        if (runs)
            flow_expect(outputs[2], tensor_f32(DIMS(1, 1), -6));
        assert_int_equal(stop(NULL), 0);
        start(NULL);
    }
}

/* More iterations, a condition that a run knows, and items of a loop that never runs. */
static void other_loops_stay(void **state) {
    (void)state;
    for (int form = 0; form < 3; form++) {
        RunValue *y;
        flow_constant(&graph, "m", tensor_i64(shape_scalar(), form == 0 ? 2 : form == 1));
        Node *loop =
            flow_node(&graph, OPSET, "Loop", form == 1 ? "m k x" : "m - x", form == 2 ? "- y" : "y -");
        Graph *body = flow_body(&graph, loop, "i c p");
        flow_node(body, OPSET, "Neg", "p", "n");
        flow_outputs(body, "c n n");
        flow_inputs(&graph, "x k");
        flow_outputs(&graph, "y");
        declare("x", STRIDER_F32, DIMS(1));
        declare("k", STRIDER_BOOL, shape_scalar());
        optimize();
        assert_int_equal(count(&graph, OP_Loop), 1);
        run(VALUES(F32(DIMS(1), 5), BOOL(0)), &y);
        if (form == 2)
            flow_expect(y, op_test_tensor(STRIDER_F32, DIMS(0, 1), NULL, 0));
        else
            flow_expect(y, tensor_f32(DIMS(1), 5));
        assert_int_equal(stop(NULL), 0);
        start(NULL);
    }
}

static void outputs_that_nobody_reads_are_not_made(void **state) {
    (void)state;
    RunValue *outputs[2];
    Node *node = flow_node_of(&graph, OPSET, "If", "c", "a b", NULL, "x");
    for (int i = 0; i < 2; i++) {
        Graph *body = flow_body(&graph, node, "");
        flow_node(body, OPSET, "Exp", "x", "e");
        flow_node(body, OPSET, "Neg", "x", "n");
        flow_outputs(body, "e n");
    }
    Node *loop = flow_node_of(&graph, OPSET, "Loop", "m - x", "u v w", NULL, "");
    Graph *body = flow_body(&graph, loop, "i c p");
    flow_node(body, OPSET, "Exp", "p", "e");
    flow_node(body, OPSET, "Neg", "p", "n");
    flow_outputs(body, "c n e n");
    flow_inputs(&graph, "c m x");
    flow_outputs(&graph, "b w");
    declare("c", STRIDER_BOOL, shape_scalar());
    declare("x", STRIDER_F32, DIMS(1));
    optimize();
    assert_int_equal(node->n_outputs, 1);
    assert_int_equal(node->bodies[1]->n_nodes, 1);
    assert_int_equal(body->n_nodes, 1);
    assert_int_equal(body->n_outputs, 3);
    run(VALUES(BOOL(0), I64(shape_scalar(), 2), F32(DIMS(1), 5)), outputs);
    flow_expect(outputs[0], tensor_f32(DIMS(1), -5));
    flow_expect(outputs[1], tensor_f32(DIMS(2, 1), -5, 5));
}

/* Peak bytes of a chain of Ifs that is inlined. */
static size_t inline_chain(int length) {
    char before[32] = "x", after[32];
    flow_constant(&graph, "c", tensor_typed(STRIDER_BOOL, shape_scalar(), 1));
    for (int i = 0; i < length; i++) {
        snprintf(after, sizeof after, "v%d", i);
        Node *node = flow_node_of(&graph, OPSET, "If", "c", after, NULL, before);
        for (int b = 0; b < 2; b++) {
            Graph *body = flow_body(&graph, node, "");
            flow_node(body, OPSET, "Neg", before, "n");
            flow_outputs(body, "n");
        }
        memcpy(before, after, sizeof before);
    }
    flow_inputs(&graph, "x");
    flow_outputs(&graph, before);
    declare("x", STRIDER_F32, DIMS(1));
    optimize();
    assert_int_equal(count(&graph, OP_Neg), length);
    return counted.peak_bytes;
}

/* A body that is inlined goes on with the nodes after it, however many there are. */
static void a_long_chain_of_ifs_is_inlined_in_proportion(void **state) {
    enum { FEW = 2500, MANY = 20000 };
    const size_t few = inline_chain(FEW);
    assert_int_equal(stop(state), 0);
    start(state);
    assert_true(inline_chain(MANY) < 12 * few);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(constants_flow_into_bodies_and_unread_values_are_captured_no_more),
        TEST(an_if_whose_condition_is_constant_is_its_branch),
        TEST(outputs_of_an_inlined_branch_may_be_anything),
        TEST(what_inlining_makes_constant_is_folded_and_inlined),
        TEST(known_dimensions_of_open_shapes_decide),
        TEST(passes_run_in_bodies_of_bodies),
        TEST(a_loop_of_no_or_one_iteration_is_its_body),
        TEST(other_loops_stay),
        TEST(outputs_that_nobody_reads_are_not_made),
        TEST(a_long_chain_of_ifs_is_inlined_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
