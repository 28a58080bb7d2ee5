/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/partition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/flow.h"
#include "support/op_test.h"
#include "support/program_check.h"

static const Value *value_of(const Graph *graph, const char *name) {
    const Value *value = graph_find_value(graph, name);
    assert_non_null(value);
    return value;
}

/* --- how graphs are cut --- */

static void expect_items(const Program *program, const char *expected) {
    char kinds[64] = "";
    assert_true(program->n_items < sizeof kinds);
    for (size_t i = 0; i < program->n_items; i++)
        kinds[i] = "PEH"[program->items[i].kind];
    assert_string_equal(kinds, expected);
}

static void expect_nodes(const ProgramItem *item, const char *expected) {
    char names[200] = "";
    for (size_t i = 0; i < item->partition.n_nodes; i++) {
        const size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i ? " " : "",
                 item->partition.nodes[i]->op->name);
    }
    assert_string_equal(names, expected);
}

static void a_plain_net_is_one_partition(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x unread");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(2, 3));
    flow_constant(graph, "c", tensor_f32(DIMS(3), 1, 2, 3));
    flow_node(graph, 21, "Add", "x c", "a");
    flow_node(graph, 21, "Relu", "a", "b");
    flow_node(graph, 21, "Mul", "a b", "y");
    flow_outputs(graph, "y b");
    const Program *program = cut_graph(&cut);
    expect_items(program, "P");
    const Partition *partition = &program->items[0].partition;
    expect_nodes(&program->items[0], "Add Relu Mul");
    assert_true(partition->is_last);
    assert_int_equal(partition->n_inputs, 1);
    assert_ptr_equal(partition->inputs[0].value, value_of(graph, "x"));
    assert_false(partition->inputs[0].shapes);
    assert_int_equal(partition->n_outputs, 2);
    assert_int_equal(program->inputs[1], NO_CELL);
    assert_int_equal(partition_find(partition, value_of(graph, "unread")), -1);
    cut_close(&cut);
}

static void an_empty_graph_hands_its_inputs_on(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    flow_inputs(&cut.graph, "x");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(2));
    flow_constant(&cut.graph, "c", tensor_f32(DIMS(1), 1));
    flow_outputs(&cut.graph, "x c x");
    const Program *program = cut_graph(&cut);
    expect_items(program, "");
    assert_int_equal(program->n_cells, 1);
    assert_int_equal(program->outputs[0], program->inputs[0]);
    assert_int_equal(program->outputs[1], NO_CELL);
    assert_int_equal(program->outputs[2], program->inputs[0]);
    cut_close(&cut);
}

/* What does not wait for the data is planned together, wherever it stands. */
static void what_waits_for_data_is_a_level_of_its_own(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(4));
    flow_node(graph, 21, "Abs", "x", "a");
    flow_node(graph, 21, "NonZero", "a", "where");
    flow_node(graph, 21, "Neg", "where", "b");
    flow_node(graph, 21, "Relu", "x", "early");
    flow_node(graph, 21, "NonZero", "b", "again");
    flow_node(graph, 21, "NonZero", "early", "other");
    flow_node(graph, 21, "Sign", "again", "y");
    flow_node(graph, 21, "Sin", "early", "z");
    flow_outputs(graph, "y z other");
    const Program *program = cut_graph(&cut);
    expect_items(program, "PEEPEP");
    expect_nodes(&program->items[0], "Abs Relu Sin");
    expect_nodes(&program->items[3], "Neg");
    expect_nodes(&program->items[5], "Sign");
    for (size_t i = 0; i < program->n_items; i++)
        assert_int_equal(program->items[i].partition.is_last, i == 5);
    cut_close(&cut);
}

static void a_shape_that_a_run_brings_cuts_off_its_node_alone(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x shape");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(12));
    cut_declare(&cut, "shape", STRIDER_I64, DIMS(2));
    flow_node(graph, 21, "Neg", "shape", "negative");
    flow_node(graph, 21, "Neg", "negative", "computed");
    flow_node(graph, 21, "Relu", "x", "a");
    flow_node(graph, 21, "Reshape", "a computed", "b");
    flow_node(graph, 21, "Sin", "b", "c");
    flow_node(graph, 21, "Abs", "c", "y");
    flow_outputs(graph, "y");
    const Program *program = cut_graph(&cut);
    expect_items(program, "PPP");
    expect_nodes(&program->items[0], "Neg Neg Relu");
    expect_nodes(&program->items[1], "Reshape");
    expect_nodes(&program->items[2], "Sin Abs");
    for (size_t item = 0; item < 3; item++) {
        const Partition *partition = &program->items[item].partition;
        for (size_t i = 0; i < partition->n_inputs; i++)
            assert_int_equal(partition->inputs[i].shapes,
                             partition->inputs[i].value == value_of(graph, "computed"));
    }
    cut_close(&cut);
}

static void shape_arithmetic_stays_inside(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x");
    cut_declare(&cut, "x", STRIDER_F32, shape_make(2, (int64_t[]){DIM_UNKNOWN, DIM_UNKNOWN}));
    flow_constant(graph, "zero", tensor_i64(DIMS(1), 0));
    flow_constant(graph, "rest", tensor_i64(DIMS(1), -1));
    flow_node(graph, 21, "Relu", "x", "a");
    flow_node(graph, 21, "Shape", "a", "shape");
    flow_node(graph, 21, "Gather", "shape zero", "first");
    flow_node_of(graph, 21, "Concat", "rest first", "wanted", (Attr[]){attr_int("axis", 0), {0}}, "");
    flow_node(graph, 21, "Reshape", "a wanted", "y");
    flow_outputs(graph, "y");
    const Program *program = cut_graph(&cut);
    expect_items(program, "P");
    const Partition *partition = &program->items[0].partition;
    assert_int_equal(partition->n_inputs, 1);
    assert_false(partition->inputs[0].shapes);
    static const char *const deciding[] = {"shape", "first", "wanted"};
    for (size_t i = 0; i < 3; i++)
        assert_true(partition->shapes[partition_find(partition, value_of(graph, deciding[i]))]);
    assert_false(partition->shapes[partition_find(partition, value_of(graph, "a"))]);
    cut_close(&cut);
}

/* Shapes of what a run made are there when the partition after it is planned. */
static void the_shape_of_data_is_plannable_after_it(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(3, 4));
    flow_node(graph, 21, "NonZero", "x", "where");
    flow_node(graph, 21, "Shape", "where", "shape");
    flow_node(graph, 21, "ConstantOfShape", "shape", "y");
    flow_outputs(graph, "y");
    const Program *program = cut_graph(&cut);
    expect_items(program, "EP");
    expect_nodes(&program->items[1], "Shape ConstantOfShape");
    assert_false(program->items[1].partition.inputs[0].shapes);
    cut_close(&cut);
}

static void add_branch(Graph *graph, Node *node, bool is_deep) {
    Graph *body = flow_body(graph, node, "");
    flow_node(body, 21, "Relu", "x", "p");
    if (is_deep)
        flow_node(body, 21, "NonZero", "p", "found");
    else
        flow_node(body, 21, "Shape", "p", "found");
    flow_node(body, 21, "Neg", "found", "q");
    flow_outputs(body, "q");
}

static void a_node_with_bodies_runs_by_itself_and_they_are_programs(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x yes");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(4));
    cut_declare(&cut, "yes", STRIDER_BOOL, shape_scalar());
    flow_node(graph, 21, "Sin", "x", "before");
    Node *node = flow_node_of(graph, 21, "If", "yes", "found", NULL, "x");
    add_branch(graph, node, true);
    add_branch(graph, node, false);
    flow_node(graph, 21, "Sign", "found", "y");
    flow_outputs(graph, "y before");
    const Program *program = cut_graph(&cut);
    expect_items(program, "PHP");
    const ProgramItem *item = &program->items[1];
    expect_items(item->bodies[0], "PEP");
    expect_items(item->bodies[1], "P");
    expect_nodes(&item->bodies[1]->items[0], "Relu Shape Neg");
    assert_int_equal(cut.n_partitions, 5);
    for (int body = 0; body < 2; body++)
        for (size_t i = 0; i < item->bodies[body]->n_items; i++)
            assert_false(item->bodies[body]->items[i].partition.is_last);
    assert_true(program->items[2].partition.is_last);
    cut_close(&cut);
}

/* A result that nobody reads is released by the item that makes it, and one that is read twice by the second
 * reader. */
static void cells_end_with_their_last_reader(void **state) {
    (void)state;
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x");
    cut_declare(&cut, "x", STRIDER_F32, DIMS(4));
    flow_constant(graph, "two", tensor_i64(DIMS(1), 2));
    flow_node(graph, 21, "SequenceConstruct", "x x", "items");
    flow_node(graph, 21, "NonZero", "x", "unread");
    flow_node(graph, 21, "SequenceLength", "items", "count");
    flow_node(graph, 21, "SequenceLength", "items", "same");
    flow_outputs(graph, "count same");
    const Program *program = cut_graph(&cut);
    expect_items(program, "HEHH");
    const ProgramItem *items = program->items;
    assert_int_equal(items[0].inputs[0], items[0].inputs[1]);
    assert_int_equal(items[0].n_last_reads, 0);
    assert_int_equal(items[1].n_last_reads, 2);
    assert_int_equal(items[2].n_last_reads, 0);
    assert_int_equal(items[3].n_last_reads, 1);
    assert_int_equal(items[3].last_reads[0], items[0].outputs[0]);
    cut_close(&cut);
}

/* --- large graphs --- */

static void must(Status status, const Error *error) {
    if (status)
        fail_msg("%s", error->message);
}

/* Bytes of the program of nodes that depend on data: one after the other, or side by side. */
static size_t bytes_for(int count, bool in_a_row) {
    Cut cut;
    cut_open(&cut);
    Graph *graph = &cut.graph;
    flow_inputs(graph, "x shape");
    cut_declare(&cut, "x", STRIDER_F32, shape_unknown());
    cut_declare(&cut, "shape", STRIDER_I64, DIMS(2));
    char inputs[64], output[24], last[24] = "x";
    for (int i = 0; i < count; i++) {
        snprintf(inputs, sizeof inputs, "%s shape", in_a_row ? last : "x");
        snprintf(output, sizeof output, "r%d", i);
        flow_node(graph, 21, "Reshape", inputs, output);
        snprintf(last, sizeof last, "a%d", i);
        flow_node(graph, 21, "Relu", output, last);
    }
    flow_outputs(graph, last);
    Error error;
    must(flow_infer(graph, &error), &error);
    must(program_make(graph, &cut.region, &(int){0}, &cut.program, &error), &error);
    const size_t bytes = cut.region.total_bytes;
    cut_close(&cut);
    return bytes;
}

/* Eight times the nodes would take 64 times the memory if each item held something of all. */
static void nodes_that_depend_on_data_take_memory_in_proportion(void **state) {
    (void)state;
    enum { FEW = 5000, MANY = 40000 };
    for (int in_a_row = 0; in_a_row < 2; in_a_row++)
        assert_true(bytes_for(MANY, in_a_row) < 12 * bytes_for(FEW, in_a_row));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_net_is_one_partition),
        cmocka_unit_test(an_empty_graph_hands_its_inputs_on),
        cmocka_unit_test(what_waits_for_data_is_a_level_of_its_own),
        cmocka_unit_test(a_shape_that_a_run_brings_cuts_off_its_node_alone),
        cmocka_unit_test(shape_arithmetic_stays_inside),
        cmocka_unit_test(the_shape_of_data_is_plannable_after_it),
        cmocka_unit_test(a_node_with_bodies_runs_by_itself_and_they_are_programs),
        cmocka_unit_test(cells_end_with_their_last_reader),
        cmocka_unit_test(nodes_that_depend_on_data_take_memory_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
