/* SPDX-License-Identifier: Apache-2.0 */
/* Uses of values, their names and post-operations of nodes, which the graph's functions keep right. */
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph/evaluate.h"
#include "ops/op.h"
#include "support/graph_builder.h"

static Value *add_value(Graph *graph, const char *name) {
    Value *value = NULL;
    OK(graph_add_value(graph, name, &value, &error));
    return value;
}

static Node *add_node(Graph *graph, int n_inputs, Value **inputs, Value *output) {
    Node *node = NULL;
    OK(graph_add_node(graph, op_find("", "Sum", 13), output->name, n_inputs, 1, &node, &error));
    for (int i = 0; i < n_inputs; i++)
        node_set_input(node, i, inputs[i]);
    node_set_output(node, 0, output);
    return node;
}

/* The list, its counts, and the places that it names agree. */
static void check_uses(const Graph *graph, const Value *value, int uses, int output_uses) {
    int count = 0, outputs = 0;
    const Use *previous = NULL;
    for (const Use *use = value->first_use; use; previous = use, use = use->next) {
        assert_ptr_equal(use->previous, previous);
        assert_ptr_equal(use->node ? use->node->inputs[use->port] : graph->outputs[use->port], value);
        count++;
        outputs += !use->node;
    }
    assert_ptr_equal(value->last_use, previous);
    assert_int_equal(count, uses);
    assert_int_equal(value->uses, uses);
    assert_int_equal(outputs, output_uses);
    assert_int_equal(is_graph_output(value), output_uses > 0);
}

static void uses_follow_every_change(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_value(&graph, "x"), *y = add_value(&graph, "y"), *z = add_value(&graph, "z");
    OK(graph_add_input(&graph, x, &error));
    Node *first = add_node(&graph, 3, (Value *[]){x, NULL, x}, y),
         *second = add_node(&graph, 2, (Value *[]){y, x}, z);
    OK(graph_add_output(&graph, y, &error));
    OK(graph_add_output(&graph, z, &error));
    OK(graph_add_output(&graph, y, &error));
    check_uses(&graph, x, 3, 0);
    check_uses(&graph, y, 3, 2);
    assert_ptr_equal(only_reader(z), NULL); /* an output of the graph is read by no node */

    node_set_input(first, 0, NULL);
    node_set_input(first, 1, x);
    check_uses(&graph, x, 3, 0);
    OK(graph_widen_inputs(&graph, first, 7, &error));
    node_set_input(first, 6, x);
    check_uses(&graph, x, 4, 0);
    node_drop_inputs(first, 2);
    check_uses(&graph, x, 2, 0);

    graph_replace_uses(&graph, y, x);
    check_uses(&graph, x, 5, 2);
    check_uses(&graph, y, 0, 0);
    assert_ptr_equal(graph.outputs[0], x);
    assert_ptr_equal(second->inputs[0], x);
    graph_replace_uses(&graph, x, x);
    check_uses(&graph, x, 5, 2);

    graph_remove_node(second);
    check_uses(&graph, x, 3, 2);
    assert_null(z->producer);
    graph_free(&graph);
}

static void a_value_that_another_replaces_has_no_producer(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Value *x = add_value(&graph, "x"), *y = add_value(&graph, "y"), *z = add_value(&graph, "z");
    OK(graph_add_input(&graph, x, &error));
    Node *node = add_node(&graph, 1, &x, y);
    assert_ptr_equal(y->producer, node);
    assert_int_equal(y->producer_port, 0);
    node_set_output(node, 0, z);
    assert_null(y->producer);
    assert_ptr_equal(z->producer, node);
    node_set_output(node, 0, NULL);
    assert_null(z->producer);
    graph_free(&graph);
}

static void names_are_unique(void **state) {
    (void)state;
    enum { MANY = 1000 };
    Graph graph;
    graph_init(&graph, allocator_default());
    char name[32];
    for (int i = 0; i < MANY; i++) { /* what graph_unique_name() would take first */
        snprintf(name, sizeof name, "v.%d", MANY + i);
        Value *value = add_value(&graph, name);
        assert_ptr_equal(graph_find_value(&graph, name), value);
    }
    assert_null(graph_find_value(&graph, "v"));
    Value *value = NULL;
    assert_int_equal(graph_add_value(&graph, name, &value, &error), STRIDER_BAD_MODEL);
    const char *unique = NULL, *next = NULL;
    OK(graph_unique_name(&graph, "v", &unique, &error));
    assert_null(graph_find_value(&graph, unique));
    OK(graph_unique_name(&graph, "v", &next, &error));
    assert_string_not_equal(unique, next);

    value = graph_find_value(&graph, name);
    OK(graph_rename_value(&graph, value, &error));
    assert_null(graph_find_value(&graph, name));
    assert_ptr_equal(graph_find_value(&graph, value->name), value);
    assert_ptr_not_equal(add_value(&graph, name), value);
    graph_free(&graph);
}

static Value *add_typed(Graph *graph, const char *name, DType dtype, Shape shape) {
    Value *value = add_value(graph, name);
    value->type = value_type_tensor(type_of(dtype, shape));
    OK(graph_add_input(graph, value, &error));
    return value;
}

/* A Conv of three channels, without a bias of its own. */
static Node *add_small_conv(Graph *graph) {
    Node *node = NULL;
    OK(graph_add_node(graph, op_find("", "Conv", 11), "conv", 2, 1, &node, &error));
    node_set_input(node, 0, add_typed(graph, "x", STRIDER_F32, shape_make(4, (int64_t[]){1, 2, 5, 5})));
    node_set_input(node, 1, add_typed(graph, "w", STRIDER_F32, shape_make(4, (int64_t[]){3, 2, 1, 1})));
    node_set_output(node, 0, add_value(graph, "y"));
    OK(graph_add_output(graph, node->outputs[0], &error));
    ParseContext parse = {.node = node, .attrs = &(AttrList){0}, .region = &graph->region, .err = &error};
    OK(node->op->parse(&parse, node->attrs));
    return node;
}

static void operands_of_post_operations_follow_the_operators_own_inputs(void **state) {
    (void)state;
    Graph graph;
    graph_init(&graph, allocator_default());
    Node *node = add_small_conv(&graph);
    assert_int_equal(node_own_inputs(node), 2);
    Value *bias = add_typed(&graph, "b", STRIDER_F32, shape_make(1, (int64_t[]){3})),
          *residual = add_typed(&graph, "r", STRIDER_F32, shape_make(4, (int64_t[]){1, 3, 5, 5}));
    OK(graph_add_post_op(&graph, node, (PostOp){.kind = POST_BIAS}, bias, &error));
    const Node before = *node; /* as the parts of a fused node are copied */
    OK(graph_add_post_op(&graph, node, (PostOp){.kind = POST_ACTIVATION, .function = 1}, NULL, &error));
    OK(graph_add_post_op(&graph, node, (PostOp){.kind = POST_RESIDUAL}, residual, &error));

    assert_int_equal(node_own_inputs(node), 3);
    assert_null(node->inputs[2]); /* Conv's own bias */
    assert_int_equal(node_post_op(node, POST_BIAS)->port, 3);
    assert_int_equal(node_post_op(node, POST_ACTIVATION)->port, -1);
    assert_int_equal(node_post_op(node, POST_RESIDUAL)->port, 4);
    assert_null(node_post_op(node, POST_SCALE));
    assert_ptr_equal(node->inputs[4], residual);
    check_uses(&graph, bias, 1, 0);
    OK(graph_validate(&graph, &error));
    assert_int_equal(before.n_post_ops, 1);
    assert_int_equal(before.post_ops[0].kind, POST_BIAS);

    node_drop_post_ops(node);
    assert_int_equal(node->n_inputs, 3);
    assert_int_equal(node->n_post_ops, 0);
    check_uses(&graph, bias, 0, 0);
    check_uses(&graph, residual, 0, 0);
    graph_free(&graph);
}

static void operands_of_post_operations_must_fit_the_output(void **state) {
    (void)state;
    const struct {
        DType dtype;
        Shape shape;
        Status expected;
    } rows[] = {{STRIDER_F32, shape_make(1, (int64_t[]){3}), STRIDER_OK},
                {STRIDER_F32, shape_make(1, (int64_t[]){4}), STRIDER_BAD_MODEL},
                {STRIDER_F32, shape_make(2, (int64_t[]){1, 3}), STRIDER_OK},
                {STRIDER_F32, shape_make(2, (int64_t[]){3, 1}), STRIDER_BAD_MODEL},
                {STRIDER_F64, shape_make(1, (int64_t[]){3}), STRIDER_BAD_MODEL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Graph graph;
        ValueType y;
        graph_init(&graph, allocator_default());
        Node *node = add_small_conv(&graph);
        Value *scale = add_typed(&graph, "s", rows[i].dtype, rows[i].shape);
        OK(graph_add_post_op(&graph, node, (PostOp){.kind = POST_SCALE}, scale, &error));
        assert_int_equal(node_infer_in_graph(node, graph.symbols, &y, &error), rows[i].expected);
        graph_free(&graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_follow_every_change),
        cmocka_unit_test(a_value_that_another_replaces_has_no_producer),
        cmocka_unit_test(operands_of_post_operations_follow_the_operators_own_inputs),
        cmocka_unit_test(operands_of_post_operations_must_fit_the_output),
        cmocka_unit_test(names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
