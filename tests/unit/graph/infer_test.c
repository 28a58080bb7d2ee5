/* SPDX-License-Identifier: Apache-2.0 */
/* Types of all values, and what becomes of a declaration that says otherwise. */
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "graph/op.h"
#include "support/graph_builder.h"

/* Twice as many rows as the input has. */
static Status doubling_infer(InferContext *ctx) {
    ctx->outputs[0] = ctx->inputs[0];
    if (ctx->outputs[0].shape.dims[0] >= 0)
        ctx->outputs[0].shape.dims[0] *= 2;
    return STRIDER_OK;
}

static const char *explain(const Node *node, const Shape *x, char text[EXPLANATION_TEXT]) {
    (void)x;
    (void)node;
    snprintf(text, EXPLANATION_TEXT, "rows = 2 * rows");
    return text;
}

static Status failing_infer(InferContext *ctx) {
    return node_fail(ctx->node, ctx->err, STRIDER_BAD_MODEL, "nothing fits");
}

static const Op doubling = {.name = "Doubling", .infer = doubling_infer, .explain_shape = explain},
                strict = {.name = "Strict",
                          .infer = doubling_infer,
                          .explain_shape = explain,
                          .strict_shape = true},
                failing = {.name = "Failing", .infer = failing_infer};

typedef struct Fixture {
    Graph graph;
    Value *x, *y, *z;
    char log[400];
} Fixture;

static void keep(void *context, strider_log_level level, const char *message) {
    Fixture *fixture = context;
    assert_int_equal(level, STRIDER_LOG_WARNING);
    snprintf(fixture->log, sizeof fixture->log, "%s", message);
}

static Node *add_node(Fixture *fixture, const Op *op, Value *from, const char *name, Value **to) {
    Node *node = NULL;
    OK(graph_add_value(&fixture->graph, name, to, &error));
    OK(graph_add_node(&fixture->graph, op, name, 1, 1, &node, &error));
    node_set_input(node, 0, from);
    node_set_output(node, 0, *to);
    (*to)->declared = value_type_unknown();
    return node;
}

/* z = last(doubling(x)), where x has two rows. */
static void make(Fixture *fixture, const Op *last, Shape x) {
    *fixture = (Fixture){0};
    graph_init(&fixture->graph, allocator_default());
    OK(graph_add_value(&fixture->graph, "x", &fixture->x, &error));
    fixture->x->declared = value_type_tensor(type_of(STRIDER_F32, x));
    OK(graph_add_input(&fixture->graph, fixture->x, &error));
    add_node(fixture, &doubling, fixture->x, "y", &fixture->y);
    add_node(fixture, last, fixture->y, "z", &fixture->z);
    OK(graph_add_output(&fixture->graph, fixture->z, &error));
}

static Status infer(Fixture *fixture, strider_shape_policy shapes) {
    const Log log = {keep, fixture};
    return graph_infer(&fixture->graph, shapes, &log, &error);
}

static void types_go_from_the_inputs_to_the_outputs(void **state) {
    (void)state;
    Fixture fixture;
    make(&fixture, &doubling, DIMS(2, 5));
    fixture.z->declared = value_type_tensor(type_of(STRIDER_F32, DIMS(8, DIM_UNKNOWN)));
    OK(infer(&fixture, STRIDER_SHAPES_CHECK));
    assert_shape(&fixture.x->type.shape, DIMS(2, 5));
    assert_shape(&fixture.y->type.shape, DIMS(4, 5));
    assert_shape(&fixture.z->type.shape, DIMS(8, 5));
    assert_int_equal(fixture.z->type.dtype, STRIDER_F32);
    assert_string_equal(fixture.log, "");
    graph_free(&fixture.graph);
}

static void a_declared_type_that_differs_is_an_error(void **state) {
    (void)state;
    Fixture fixture;
    make(&fixture, &doubling, DIMS(2, 5));
    fixture.y->declared = value_type_tensor(type_of(STRIDER_I32, shape_unknown()));
    assert_int_equal(infer(&fixture, STRIDER_SHAPES_CHECK), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "node 0 \"y\" (Doubling): output \"y\" is declared as int32"));
    graph_free(&fixture.graph);
}

/* Also where no data type is stated. */
static void a_declared_kind_that_differs_is_an_error(void **state) {
    (void)state;
    static const char *const texts[] = {
        "declared as sequence of float32 [2, 5], but the operator makes float32 [4, 5]",
        "declared as sequence of unknown [unknown rank], but the operator makes float32 [4, 5]",
        "declared as optional float32 [2, 5], but the operator makes float32 [4, 5]"};
    for (int i = 0; i < 3; i++) {
        Fixture fixture;
        make(&fixture, &doubling, DIMS(2, 5));
        fixture.y->declared =
            i == 1 ? value_type_unknown() : value_type_tensor(type_of(STRIDER_F32, DIMS(2, 5)));
        fixture.y->declared.kind = i == 2 ? VALUE_OPTIONAL : VALUE_SEQUENCE;
        assert_int_equal(infer(&fixture, STRIDER_SHAPES_WARN), STRIDER_BAD_MODEL);
        if (!strstr(error.message, texts[i]))
            fail_msg("%s", error.message);
        graph_free(&fixture.graph);
    }
}

static void a_stale_shape_is_warned_of_and_replaced(void **state) {
    (void)state;
    static const Op *const ops[] = {&doubling, &strict};
    for (int i = 0; i < 2; i++) {
        Fixture fixture;
        make(&fixture, ops[i], DIMS(2, 5));
        fixture.z->declared = value_type_tensor(type_of(STRIDER_F32, DIMS(7, 5)));
        OK(infer(&fixture, i ? STRIDER_SHAPES_WARN : STRIDER_SHAPES_CHECK));
        assert_non_null(strstr(fixture.log, "declared as [7, 5], but is [8, 5]"));
        assert_shape(&fixture.z->type.shape, DIMS(8, 5));
        graph_free(&fixture.graph);
    }
}

static void a_stale_shape_of_a_strict_operator_is_an_error_with_its_formula(void **state) {
    (void)state;
    Fixture fixture;
    make(&fixture, &strict, DIMS(2, 5));
    fixture.z->declared = value_type_tensor(type_of(STRIDER_F32, DIMS(7, 5)));
    assert_int_equal(infer(&fixture, STRIDER_SHAPES_CHECK), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "node 1 \"z\" (Strict): output \"z\" is declared as [7, 5], but is "
                                          "[8, 5]: rows = 2 * rows"));
    graph_free(&fixture.graph);
}

/* Names of dimensions are taken over where nothing is known; numbers are not, as nothing computes them. */
static void names_are_believed_and_numbers_are_not(void **state) {
    (void)state;
    enum { N = -5 };
    Fixture fixture;
    make(&fixture, &doubling, DIMS(DIM_UNKNOWN, DIM_UNKNOWN));
    fixture.y->declared = value_type_tensor(type_of(STRIDER_F32, DIMS(N, 5)));
    fixture.z->declared = value_type_tensor(type_of(STRIDER_F32, DIMS(N, N, N)));
    OK(infer(&fixture, STRIDER_SHAPES_CHECK));
    assert_shape(&fixture.y->type.shape, DIMS(N, DIM_UNKNOWN));
    assert_shape(&fixture.z->type.shape, DIMS(N, DIM_UNKNOWN)); /* of another rank: no */
    graph_free(&fixture.graph);
}

static void an_operator_that_refuses_its_inputs_ends_it(void **state) {
    (void)state;
    Fixture fixture;
    make(&fixture, &failing, DIMS(2, 5));
    assert_int_equal(infer(&fixture, STRIDER_SHAPES_CHECK), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "node 1 \"z\" (Failing): nothing fits"));
    graph_free(&fixture.graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_go_from_the_inputs_to_the_outputs),
        cmocka_unit_test(a_declared_type_that_differs_is_an_error),
        cmocka_unit_test(a_declared_kind_that_differs_is_an_error),
        cmocka_unit_test(a_stale_shape_is_warned_of_and_replaced),
        cmocka_unit_test(a_stale_shape_of_a_strict_operator_is_an_error_with_its_formula),
        cmocka_unit_test(names_are_believed_and_numbers_are_not),
        cmocka_unit_test(an_operator_that_refuses_its_inputs_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
