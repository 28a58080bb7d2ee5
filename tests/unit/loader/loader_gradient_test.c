/* SPDX-License-Identifier: Apache-2.0 */
/* Gradient and the optimisers of ai.onnx.preview.training: derivatives against differences of values, what is
 * refused, and that no file makes them take long.  What operators' derivatives are is tested by the cases in
 * tests/data/gradient. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

#define TRAINING "ai.onnx.preview.training"

enum { SIZE = 4, ATTRIBUTE_STRINGS = 8 };

static strider_error error;

/* --- models --- */

/* Names with spaces between. */
static void put_strings(Proto *node, const char *name, const char *texts) {
    Proto attribute = {0};
    char copy[200], *rest;
    snprintf(copy, sizeof copy, "%s", texts);
    proto_text(&attribute, 1, name);
    for (char *text = strtok_r(copy, " ", &rest); text; text = strtok_r(NULL, " ", &rest))
        proto_text(&attribute, 9, text);
    proto_int(&attribute, 20, ATTRIBUTE_STRINGS);
    proto_message(node, 5, &attribute);
}

typedef struct GradientNode {
    const char *inputs, *xs, *zs, *y, *output;
} GradientNode;

static void put_gradient(Proto *graph, GradientNode what) {
    Proto node = make_node("Gradient", TRAINING, what.inputs, what.output);
    proto_text(&node, 3, "slope");
    put_strings(&node, "xs", what.xs);
    if (what.zs)
        put_strings(&node, "zs", what.zs);
    proto_text_attribute(&node, "y", what.y);
    proto_message(graph, GRAPH_NODE, &node);
}

static Proto training_model(Proto *graph) {
    Proto model = finish_model(graph, 8);
    put_opset(&model, MODEL_OPSET, TRAINING, 1);
    return model;
}

/* softmax(sin(x) * w + x) / (x^2 + 1) */
static void put_expression(Proto *graph, const char *y) {
    put_weight(graph, "w", (const float[]){1.5f, -0.5f, 2, 0.25f}, SIZE);
    put_weight(graph, "one", (const float[]){1}, 1);
    put_node(graph, GRAPH_NODE, "Sin", "", "x", "sine");
    put_node(graph, GRAPH_NODE, "Mul", "", "sine w", "weighted");
    put_node(graph, GRAPH_NODE, "Add", "", "weighted x", "total");
    put_node(graph, GRAPH_NODE, "Softmax", "", "total", "soft");
    put_node(graph, GRAPH_NODE, "Mul", "", "x x", "square");
    put_node(graph, GRAPH_NODE, "Add", "", "square one", "divisor");
    put_node(graph, GRAPH_NODE, "Div", "", "soft divisor", y);
}

/* The bytes are the caller's, and have to stay as long as the model. */
static strider_status load(const Proto *bytes, uint64_t max_nodes, strider_model **loaded) {
    strider_load_options options = strider_load_options_default();
    if (max_nodes)
        options.max_nodes = max_nodes;
    return strider_model_load_memory(bytes->data, bytes->size, NULL, &options, loaded, &error);
}

typedef struct Ready {
    Proto bytes;
    strider_model *model;
    strider_session *session;
} Ready;

static Ready make_ready(Proto *graph) {
    Ready ready = {.bytes = training_model(graph)};
    if (load(&ready.bytes, 0, &ready.model) ||
        strider_session_create(ready.model, NULL, &ready.session, &error))
        fail_msg("%s", error.message);
    return ready;
}

static void free_ready(Ready *ready) {
    strider_session_free(ready->session);
    strider_model_free(ready->model);
    proto_free(&ready->bytes);
}

static void run(const Ready *ready, float x[SIZE], float y[SIZE]) {
    const strider_tensor input = {STRIDER_F32, 1, {SIZE}, x};
    strider_tensor output = {0};
    if (strider_session_run(ready->session, &input, 1, &output, 1, &error))
        fail_msg("%s", error.message);
    assert_int_equal(strider_tensor_elements(&output), SIZE);
    memcpy(y, output.data, SIZE * sizeof *y);
}

static void assert_status(Proto *graph, uint64_t max_nodes, strider_status status, const char *text) {
    strider_model *loaded = NULL;
    Proto bytes = training_model(graph);
    const strider_status found = load(&bytes, max_nodes, &loaded);
    if (found != status || (status && !strstr(error.message, text)))
        fail_msg("status %d, \"%s\" instead of \"%s\"", found, error.message, text);
    strider_model_free(loaded);
    proto_free(&bytes);
}

static void assert_refused(Proto *graph, strider_status status, const char *text) {
    assert_status(graph, 0, status, text);
}

/* --- derivatives --- */

static double sum_at(const Ready *ready, const float x[SIZE], int at, double step) {
    float moved[SIZE], y[SIZE];
    memcpy(moved, x, sizeof moved);
    moved[at] += (float)step;
    run(ready, moved, y);
    double sum = 0;
    for (int i = 0; i < SIZE; i++)
        sum += y[i];
    return sum;
}

static void assert_slopes(Proto *value, Proto *gradient) {
    const double step = 1e-2;
    float x[SIZE] = {0.3f, -1.2f, 0.8f, 2}, slopes[SIZE];
    Ready values = make_ready(value), slope = make_ready(gradient);
    run(&slope, x, slopes);
    for (int i = 0; i < SIZE; i++)
        assert_float_equal((sum_at(&values, x, i, step) - sum_at(&values, x, i, -step)) / (2 * step),
                           slopes[i], 1e-3);
    free_ready(&values);
    free_ready(&slope);
}

static void derivatives_are_limits_of_differences(void **state) {
    (void)state;
    Proto value = start_graph(SIZE), gradient = start_graph(SIZE);
    put_expression(&value, "y");
    put_expression(&gradient, "f");
    put_gradient(&gradient, (GradientNode){"x", "x", NULL, "f", "y"});
    assert_slopes(&value, &gradient);
}

static void so_are_second_derivatives_where_the_first_stands_later_in_the_file(void **state) {
    (void)state;
    Proto value = start_graph(SIZE), gradient = start_graph(SIZE);
    put_gradient(&value, (GradientNode){"x", "x", NULL, "f", "y"});
    put_expression(&value, "f");
    put_gradient(&gradient, (GradientNode){"x", "x", NULL, "f", "slopes"});
    put_gradient(&gradient, (GradientNode){"x", "x", NULL, "slopes", "y"});
    put_expression(&gradient, "f");
    assert_slopes(&value, &gradient);
}

/* f(2 x) */
static void nodes_are_computed_anew_at_other_values(void **state) {
    (void)state;
    float x[SIZE] = {0.3f, -1.2f, 0.8f, 2}, doubled[SIZE], expected[SIZE], found[SIZE];
    Proto at_x = start_graph(SIZE), at_other = start_graph(SIZE);
    put_expression(&at_x, "f");
    put_gradient(&at_x, (GradientNode){"x", "x", NULL, "f", "y"});
    put_expression(&at_other, "f");
    put_node(&at_other, GRAPH_NODE, "Add", "", "x x", "doubled");
    put_gradient(&at_other, (GradientNode){"doubled", "x", NULL, "f", "y"});
    Ready first = make_ready(&at_x), second = make_ready(&at_other);
    for (int i = 0; i < SIZE; i++)
        doubled[i] = 2 * x[i];
    run(&first, doubled, expected);
    run(&second, x, found);
    for (int i = 0; i < SIZE; i++)
        assert_float_equal(found[i], expected[i], 1e-6);
    free_ready(&first);
    free_ready(&second);
}

static void what_y_does_not_depend_on_gets_zeros(void **state) {
    (void)state;
    float x[SIZE] = {0.3f, -1.2f, 0.8f, 2}, found[SIZE];
    Proto graph = start_graph(SIZE);
    put_node(&graph, GRAPH_NODE, "Floor", "", "x", "steps");
    put_gradient(&graph, (GradientNode){"x", "x", NULL, "steps", "y"});
    Ready ready = make_ready(&graph);
    run(&ready, x, found);
    for (int i = 0; i < SIZE; i++)
        assert_true(found[i] == 0);
    free_ready(&ready);
}

/* --- what is refused --- */

static void operators_without_a_derivative_are_named(void **state) {
    (void)state;
    Proto graph = start_graph(SIZE);
    put_node(&graph, GRAPH_NODE, "Hardmax", "", "x", "a");
    put_node(&graph, GRAPH_NODE, "CumSum", "", "a axis", "b");
    put_node(&graph, GRAPH_NODE, "Hardmax", "", "b", "c");
    put_tensor(&graph, "axis", ONNX_INT64, 0, NULL, &(int64_t){0}, sizeof(int64_t));
    put_gradient(&graph, (GradientNode){"x", "x", NULL, "c", "y"});
    assert_refused(&graph, STRIDER_UNSUPPORTED,
                   "node 3 \"slope\" (Gradient): the derivative of Hardmax, CumSum is not supported");
    assert_string_equal(error.op, "Gradient");
}

static void only_what_xs_reach_needs_a_derivative(void **state) {
    (void)state;
    Proto graph = start_graph(SIZE);
    put_node(&graph, GRAPH_NODE, "Hardmax", "", "x", "a");
    put_node(&graph, GRAPH_NODE, "Exp", "", "x", "e");
    put_node(&graph, GRAPH_NODE, "Mul", "", "a e", "b");
    put_gradient(&graph, (GradientNode){"e a", "e", "a", "b", "y"});
    assert_status(&graph, 0, STRIDER_OK, "");
}

static void names_and_inputs_have_to_fit(void **state) {
    (void)state;
    const struct {
        GradientNode node;
        const char *text;
    } cases[] = {
        {{"x", "q", NULL, "f", "y"}, "the graph has no value that is called \"q\""},
        {{"x", "x", NULL, "q", "y"}, "the graph has no value that is called \"q\""},
        {{"x x", "x", NULL, "f", "y"}, "it needs one input for each of xs and zs"},
        {{"x", "x", "w", "f", "y"}, "it needs one input for each of xs and zs"},
        {{"x x", "x x", NULL, "f", "y"}, "\"x\" is named twice"},
        {{"x w", "x", "x", "f", "y"}, "\"x\" is named twice"},
        {{"x - one", "x w", "one", "f", "y"}, "the input for \"w\" is missing"},
        {{"x", "x", NULL, "y", "y"}, "no node before it makes \"y\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto graph = start_graph(SIZE);
        put_expression(&graph, "f");
        put_gradient(&graph, cases[i].node);
        assert_refused(&graph, STRIDER_BAD_MODEL, cases[i].text);
    }
}

static void a_cycle_is_refused(void **state) {
    (void)state;
    Proto graph = start_graph(SIZE);
    put_node(&graph, GRAPH_NODE, "Add", "", "x b", "a");
    put_node(&graph, GRAPH_NODE, "Sin", "", "a", "b");
    put_node(&graph, GRAPH_NODE, "Exp", "", "x", "other");
    put_gradient(&graph, (GradientNode){"other", "x", NULL, "b", "y"});
    assert_refused(&graph, STRIDER_BAD_MODEL, "cycle");
}

/* Each looks at all nodes, and the file names one more each time. */
static void many_that_look_at_the_same_nodes_meet_a_limit(void **state) {
    enum { NODES = 1000, GRADIENTS = 20 };
    (void)state;
    Proto graph = start_graph(SIZE);
    char from[24] = "x", to[24];
    for (int i = 0; i < NODES; i++) {
        snprintf(to, sizeof to, "v%d", i);
        put_node(&graph, GRAPH_NODE, "Floor", "", from, to);
        memcpy(from, to, sizeof to);
    }
    for (int i = 0; i < GRADIENTS; i++) {
        snprintf(to, sizeof to, "g%d", i);
        put_gradient(&graph, (GradientNode){"x", "x", NULL, from, i ? to : "y"});
    }
    assert_status(&graph, 10 * NODES, STRIDER_LIMIT_EXCEEDED,
                  "look at more nodes, inputs and outputs than the limit");
}

/* Each is made of several times as many nodes as the one before. */
static void derivatives_of_derivatives_count_as_nodes(void **state) {
    (void)state;
    Proto graph = start_graph(SIZE);
    char from[24] = "y", to[24];
    put_node(&graph, GRAPH_NODE, "Tanh", "", "x", "y");
    for (int i = 0; i < 60; i++) {
        snprintf(to, sizeof to, "g%d", i);
        put_gradient(&graph, (GradientNode){"x", "x", NULL, from, to});
        memcpy(from, to, sizeof to);
    }
    assert_status(&graph, 20000, STRIDER_LIMIT_EXCEEDED, "max_nodes");
}

static void optimisers_want_as_many_states_as_tensors(void **state) {
    (void)state;
    const struct {
        const char *op, *inputs, *text;
    } cases[] = {
        {"Adam", "r t x x x x x", "its inputs are not as many gradients and states as tensors"},
        {"Adagrad", "r t x x x x", "its inputs are not as many gradients and states as tensors"},
        {"Adagrad", "r t x x", "a required input is missing"},
        {"Adagrad", "r t x x x - x x", "a required input is missing"},
        {"Momentum", "r t x x x", "alpha"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Proto graph = start_graph(SIZE);
        put_weight(&graph, "r", (const float[]){0.1f}, 1);
        put_tensor(&graph, "t", ONNX_INT64, 0, NULL, &(int64_t){1}, sizeof(int64_t));
        put_node(&graph, GRAPH_NODE, cases[i].op, TRAINING, cases[i].inputs, "y");
        assert_refused(&graph, STRIDER_BAD_MODEL, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derivatives_are_limits_of_differences),
        cmocka_unit_test(so_are_second_derivatives_where_the_first_stands_later_in_the_file),
        cmocka_unit_test(nodes_are_computed_anew_at_other_values),
        cmocka_unit_test(what_y_does_not_depend_on_gets_zeros),
        cmocka_unit_test(operators_without_a_derivative_are_named),
        cmocka_unit_test(only_what_xs_reach_needs_a_derivative),
        cmocka_unit_test(names_and_inputs_have_to_fit),
        cmocka_unit_test(a_cycle_is_refused),
        cmocka_unit_test(many_that_look_at_the_same_nodes_meet_a_limit),
        cmocka_unit_test(derivatives_of_derivatives_count_as_nodes),
        cmocka_unit_test(optimisers_want_as_many_states_as_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
