/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs inside of nodes: what they capture, what they hide, and where their errors are.  Inputs with default
 * values, which bodies capture or not. */
#include "graph/op.h" /* before cmocka.h, which has a macro fail() */
#include "loader/loader.h"
#include "ops/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/tiny_model.h"

/* Operators with one and two bodies, of the domain that finish_model() imports. */
static const Op branch = {.name = "Branch",
                          .domain = "local",
                          .since = 1,
                          .inputs = {1, 1},
                          .outputs = {1, -1},
                          .bodies = {"then_branch", "else_branch"}};
static const Op repeat = {.name = "Repeat",
                          .domain = "local",
                          .since = 1,
                          .inputs = {1, -1},
                          .outputs = {1, -1},
                          .bodies = {"body"}};

const Op *__real_op_find(const char *domain, const char *name, int64_t opset);
const Op *__wrap_op_find(const char *domain, const char *name, int64_t opset);
const Op *__wrap_op_find(const char *domain, const char *name, int64_t opset) {
    if (strcmp(domain, "local") == 0)
        return strcmp(name, "Branch") == 0 ? &branch : strcmp(name, "Repeat") == 0 ? &repeat : NULL;
    return __real_op_find(domain, name, opset);
}

static strider_error error;
static LoadedModel model;

/* --- writing --- */

static Proto start_body(const char *output) {
    Proto body = {0};
    int64_t three = 3;
    proto_value(&body, GRAPH_OUTPUT, output, 1, &three, 1);
    return body;
}

static void put_body(Proto *node, const char *name, Proto *body) {
    Proto attribute = {0};
    proto_text(&attribute, 1, name);
    proto_message(&attribute, 6, body);
    proto_int(&attribute, 20, 5);
    proto_message(node, 5, &attribute);
}

static Proto start_node(const char *op, const char *name, const char *inputs, const char *output) {
    Proto node = make_node(op, "local", inputs, output);
    proto_text(&node, 3, name);
    return node;
}

/* A body of one node, OP: inputs -> output. */
static Proto body_of(const char *op, const char *inputs, const char *output) {
    Proto body = start_body(output);
    put_node(&body, GRAPH_NODE, op, "", inputs, output);
    return body;
}

static void put_branch(Proto *graph, int field, const char *name, const char *inputs, const char *output,
                       Proto then_branch, Proto else_branch) {
    Proto node = start_node("Branch", name, inputs, output);
    put_body(&node, "then_branch", &then_branch);
    put_body(&node, "else_branch", &else_branch);
    proto_message(graph, field, &node);
}

static void put_repeat(Proto *graph, const char *name, const char *inputs, const char *output, Proto body) {
    Proto node = start_node("Repeat", name, inputs, output);
    put_body(&node, "body", &body);
    proto_message(graph, GRAPH_NODE, &node);
}

/* --- loading --- */

static Status try_load(const Proto *proto, uint32_t max_depth, uint64_t max_nodes) {
    strider_load_options options = strider_load_options_default();
    options.max_depth = max_depth;
    options.max_nodes = max_nodes;
    return loader_load_memory(proto->data, proto->size, NULL, &options, &model, &error);
}

/* The bytes stay: constants lie in them. */
static void load(Proto *proto) {
    if (try_load(proto, 64, 1000))
        fail_msg("%s", error.message);
}

static void unload(Proto *proto) {
    loader_unload(&model);
    proto_free(proto);
}

static void assert_refused(Proto *graph, Status status, const char *message) {
    Proto proto = finish_model(graph, 8);
    assert_int_equal(try_load(&proto, 64, 1000), status);
    if (!strstr(error.message, message))
        fail_msg("\"%s\" is not in: %s", message, error.message);
    proto_free(&proto);
}

static const Node *find_node(const Graph *graph, const char *op) {
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i]->op->name, op) == 0)
            return graph->nodes[i];
    fail_msg("no %s", op);
    return NULL;
}

static void assert_reads(const Node *node, int port, const char *name) {
    assert_true(port < node->n_inputs);
    assert_string_equal(node->inputs[port]->name, name);
}

/* Node and bodies agree about the captures, and bodies have `formal` inputs besides. */
static void assert_captures(const Node *node, int count, size_t formal) {
    assert_int_equal(node->n_captures, count);
    assert_true(node->n_inputs >= count);
    for (int i = 0; i < node->n_bodies; i++) {
        assert_int_equal(node->bodies[i]->n_inputs, formal + (size_t)count);
        for (size_t j = 0; j < node->bodies[i]->n_inputs; j++)
            assert_true(node->bodies[i]->inputs[j]->is_input);
    }
}

/* --- captures --- */

static void bodies_share_one_list_of_captures(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    /* h is made after it is read. */
    put_branch(&graph, GRAPH_NODE, "if", "x", "y", body_of("Add", "x w", "t"), body_of("Sub", "h x", "t"));
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "h");
    put_weight(&graph, "w", (const float[]){1, 2, 3}, 3);
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    const Node *node = model.graph.nodes[1];
    assert_string_equal(node->op->name, "Branch");
    assert_int_equal(node->n_bodies, 2);
    assert_captures(node, 2, 0);
    assert_reads(node, 0, "x");
    assert_reads(node, 1, "x");
    assert_reads(node, 2, "h");
    const Graph *yes = node->bodies[0], *no = node->bodies[1];
    assert_ptr_equal(yes->outer, &model.graph);
    assert_ptr_equal(yes->nodes[0]->inputs[0], yes->inputs[0]);
    assert_ptr_equal(yes->nodes[0]->inputs[1]->constant, graph_find_value(&model.graph, "w")->constant);
    assert_int_equal(yes->inputs[1]->uses, 0); /* h, which the other one reads */
    assert_ptr_equal(no->nodes[0]->inputs[0], no->inputs[1]);
    assert_ptr_equal(no->nodes[0]->inputs[1], no->inputs[0]);
    assert_int_equal(model.parameter_count, 3);
    unload(&proto);
}

static void names_are_found_through_all_levels(void **state) {
    (void)state;
    Proto graph = start_graph(3), middle = start_body("m"), outer = start_body("o");
    put_repeat(&middle, "inner", "c", "m", body_of("Add", "x c", "i")); /* c: a Constant of the middle one */
    Proto constant = make_node("Constant", "", "", "c");
    proto_float_attribute(&constant, "value_float", 2);
    proto_message(&outer, GRAPH_NODE, &constant);
    put_repeat(&outer, "middle", "c", "o", middle);
    put_repeat(&graph, "outer", "x", "y", outer);
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    const Node *level = model.graph.nodes[0];
    for (int depth = 0; depth < 3; depth++) {
        assert_captures(level, 1, 0);
        assert_reads(level, 1, "x");
        if (depth < 2)
            level = find_node(level->bodies[0], "Repeat");
    }
    const Graph *inner = level->bodies[0];
    assert_ptr_equal(inner->nodes[0]->inputs[0], inner->inputs[0]);
    assert_non_null(inner->nodes[0]->inputs[1]->constant);
    assert_ptr_equal(inner->symbols, model.graph.symbols);
    unload(&proto);
}

static void a_body_s_own_names_hide_others(void **state) {
    (void)state;
    Proto graph = start_graph(3), body = start_body("t"), other = body_of("Neg", "x", "t");
    int64_t three = 3;
    proto_value(&body, GRAPH_INPUT, "x", 1, &three, 1); /* a formal input */
    put_node(&body, GRAPH_NODE, "Add", "", "h w", "t");
    put_node(&body, GRAPH_NODE, "Relu", "", "x", "h"); /* made after it is read */
    put_weight(&body, "w", (const float[]){1, 2, 3}, 3);
    put_weight(&graph, "w", (const float[]){4, 5, 6}, 3);
    put_node(&graph, GRAPH_NODE, "Exp", "", "x", "h");
    put_repeat(&graph, "loop", "h", "g", body);
    put_repeat(&graph, "loop", "g", "y", other);
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    const Node *node = model.graph.nodes[1];
    assert_captures(node, 0, 1);
    const Value *w = graph_find_value(node->bodies[0], "w");
    assert_float_equal(tensor_get_f64(w->constant, 0), 1, 0);
    assert_int_equal(model.parameter_count, 6);
    assert_captures(model.graph.nodes[2], 1, 0);
    unload(&proto);
}

static void outputs_may_be_inputs_captures_and_constants(void **state) {
    (void)state;
    Proto graph = start_graph(3), body = start_body("a");
    int64_t three = 3;
    proto_value(&body, GRAPH_INPUT, "a", 1, &three, 1);
    proto_value(&body, GRAPH_INPUT, "unused", 1, &three, 1);
    proto_value(&body, GRAPH_OUTPUT, "x", 1, &three, 1);
    proto_value(&body, GRAPH_OUTPUT, "w", 1, &three, 1);
    proto_value(&body, GRAPH_OUTPUT, "x", 1, &three, 1);
    put_weight(&graph, "w", (const float[]){1, 2, 3}, 3);
    put_repeat(&graph, "loop", "x", "y", body);
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    const Graph *made = model.graph.nodes[0]->bodies[0];
    assert_captures(model.graph.nodes[0], 1, 2);
    assert_int_equal(made->n_nodes, 0);
    assert_int_equal(made->n_outputs, 4);
    assert_ptr_equal(made->outputs[0], made->inputs[0]);
    assert_ptr_equal(made->outputs[1], made->inputs[2]);
    assert_ptr_equal(made->outputs[3], made->inputs[2]);
    assert_non_null(made->outputs[2]->constant);
    unload(&proto);
}

/* Nothing but a default is a constant of the body, whatever the version of the file. */
static void an_initializer_among_a_body_s_inputs_is_a_constant(void **state) {
    (void)state;
    for (int64_t ir = 3; ir < 9; ir += 5) {
        Proto graph = start_graph(3), body = body_of("Add", "x w", "t");
        int64_t three = 3;
        proto_value(&body, GRAPH_INPUT, "w", 1, &three, 1);
        put_weight(&body, "w", (const float[]){1, 2, 3}, 3);
        put_repeat(&graph, "loop", "x", "y", body);
        Proto proto = finish_model(&graph, ir);
        load(&proto);
        assert_captures(model.graph.nodes[0], 1, 0);
        unload(&proto);
    }
}

/* --- inputs with default values --- */

static void defaults_are_constants_and_in_a_second_graph_inputs(void **state) {
    (void)state;
    int64_t three = 3;
    Proto graph = start_graph(3);
    proto_value(&graph, GRAPH_INPUT, "w", 1, &three, 1);
    put_weight(&graph, "w", (const float[]){1, 2, 3}, 3);
    put_weight(&graph, "k", (const float[]){1, 2, 3}, 3);
    put_node(&graph, GRAPH_NODE, "Mul", "", "x k", "h");
    put_branch(&graph, GRAPH_NODE, "if", "h", "y", body_of("Add", "x w", "t"), body_of("Sub", "x k", "t"));
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    assert_int_equal(model.graph.n_inputs, 1);
    assert_captures(find_node(&model.graph, "Branch"), 1, 0);
    const Value *w = graph_find_value(&model.graph, "w");
    assert_non_null(w->constant);
    assert_int_equal(model.parameter_count, 6);

    const Graph *second = model.overridable;
    assert_non_null(second);
    assert_int_equal(second->n_inputs, 2);
    assert_string_equal(second->inputs[1]->name, "w");
    assert_ptr_equal(second->inputs[1]->default_value, w->constant);
    assert_null(second->inputs[1]->constant);
    assert_ptr_equal(graph_find_value(second, "k")->constant, graph_find_value(&model.graph, "k")->constant);
    assert_captures(find_node(second, "Branch"), 2, 0);
    assert_ptr_equal(second->symbols, model.graph.symbols);
    unload(&proto);

    graph = start_graph(3);
    proto_value(&graph, GRAPH_INPUT, "w", 1, &three, 1);
    put_weight(&graph, "w", (const float[]){1, 2, 3}, 3);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
    proto = finish_model(&graph, 3); /* when every initializer had to be an input */
    load(&proto);
    assert_null(model.overridable);
    unload(&proto);
}

/* --- functions --- */

/* f(a, b): in a branch, LeakyRelu(a, alpha: slope), or Add(a, k) with its own constant; at opset 14. */
static void put_function(Proto *to) {
    Proto function = {0}, leaky = make_node("LeakyRelu", "", "a", "t"), slope = {0}, yes = start_body("t"),
          constant = make_node("Constant", "", "", "k");
    proto_text(&function, 1, "f");
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a");
    proto_text(&function, 4, "b");
    proto_text(&function, 5, "r");
    proto_text(&slope, 1, "alpha");
    proto_int(&slope, 20, 1);
    proto_text(&slope, 21, "slope");
    proto_message(&leaky, 5, &slope);
    proto_message(&yes, GRAPH_NODE, &leaky);
    proto_float_attribute(&constant, "value_float", 2);
    proto_message(&function, 7, &constant);
    put_branch(&function, 7, "choose", "b", "r", yes, body_of("Add", "a k", "t"));
    put_opset(&function, 9, "", 14);
    put_opset(&function, 9, "local", 1);
    proto_message(to, MODEL_FUNCTION, &function);
}

static void put_call(Proto *graph, const char *inputs, const char *output, float slope) {
    Proto call = start_node("f", "call", inputs, output);
    proto_float_attribute(&call, "slope", slope);
    proto_message(graph, GRAPH_NODE, &call);
}

static void bodies_in_functions_see_the_call(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_call(&graph, "x x", "h", 0.5f);
    put_call(&graph, "h x", "y", 4);
    Proto proto = finish_model(&graph, 8);
    put_function(&proto);
    load(&proto);
    const Node *nodes[2] = {model.graph.nodes[0], model.graph.nodes[1]};
    const float slopes[] = {0.5f, 4};
    for (int i = 0; i < 2; i++) {
        const Graph *yes = nodes[i]->bodies[0], *no = nodes[i]->bodies[1];
        assert_captures(nodes[i], 1, 0);
        assert_reads(nodes[i], 1, i ? "h" : "x");
        assert_int_equal(yes->nodes[0]->opset, 14);
        assert_float_equal(*(const float *)yes->nodes[0]->attrs, slopes[i], 0); /* alpha, its only one */
        assert_float_equal(tensor_get_f64(no->nodes[0]->inputs[1]->constant, 0), 2, 0);
    }
    unload(&proto);
}

static void a_body_reads_no_input_that_the_call_left_out(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_call(&graph, "- x", "y", 1);
    Proto proto = finish_model(&graph, 8);
    put_function(&proto);
    assert_int_equal(try_load(&proto, 64, 1000), STRIDER_BAD_MODEL);
    assert_non_null(strstr(error.message, "function \"f\": node 1 \"choose\" (Branch): then_branch: node 0"));
    proto_free(&proto);
}

static void a_function_that_calls_itself_in_a_body_is_refused(void **state) {
    (void)state;
    Proto graph = start_graph(3), function = {0}, body = start_body("t");
    put_node(&graph, GRAPH_NODE, "self", "local", "x", "y");
    proto_text(&function, 1, "self");
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "r");
    put_node(&body, GRAPH_NODE, "self", "local", "a", "t");
    Proto node = start_node("Repeat", "loop", "a", "r");
    put_body(&node, "body", &body);
    proto_message(&function, 7, &node);
    put_opset(&function, 9, "local", 1);
    Proto proto = finish_model(&graph, 8);
    proto_message(&proto, MODEL_FUNCTION, &function);
    assert_int_equal(try_load(&proto, 64, 1000), STRIDER_LIMIT_EXCEEDED);
    proto_free(&proto);
}

/* --- errors --- */

static void errors_name_the_body(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "h");
    put_branch(&graph, GRAPH_NODE, "if", "x", "y", body_of("Neg", "h", "t"),
               body_of("Add", "x nowhere", "t"));
    assert_refused(
        &graph, STRIDER_BAD_MODEL,
        "node 1 \"if\" (Branch): else_branch: node 0 (Add): input 1 \"nowhere\" is made by no node");
    assert_true(error.byte_offset > 0);
    assert_string_equal(error.op, "Add");

    graph = start_graph(3);
    Proto middle = start_body("m");
    put_repeat(&middle, "in", "x", "m", body_of("Nothing", "x", "t"));
    put_repeat(&graph, "out", "x", "y", middle);
    assert_refused(&graph, STRIDER_UNSUPPORTED,
                   "node 0 \"out\" (Repeat): body: node 0 \"in\" (Repeat): body: node 0 \"\" (Nothing): ");

    graph = start_graph(3);
    Proto body = start_body("t"), twice = make_node("LeakyRelu", "", "x", "t");
    proto_float_attribute(&twice, "alpha", 1);
    proto_float_attribute(&twice, "alpha", 2);
    proto_message(&body, GRAPH_NODE, &twice);
    put_repeat(&graph, "out", "x", "y", body);
    assert_refused(&graph, STRIDER_BAD_MODEL,
                   "node 0 \"out\" (Repeat): body: node \"\" (LeakyRelu): attribute");
}

static void what_no_graph_may_have_no_body_may(void **state) {
    (void)state;
    Proto graph = start_graph(3), body = body_of("Neg", "x", "t");
    put_node(&body, GRAPH_NODE, "Exp", "", "x", "t");
    put_repeat(&graph, "loop", "x", "y", body);
    assert_refused(&graph, STRIDER_BAD_MODEL,
                   "body: node 1 \"\" (Exp): output \"t\" is already made elsewhere");

    graph = start_graph(3);
    body = start_body("t");
    put_node(&body, GRAPH_NODE, "Neg", "", "a", "t");
    put_node(&body, GRAPH_NODE, "Exp", "", "t", "a");
    put_repeat(&graph, "loop", "x", "y", body);
    assert_refused(&graph, STRIDER_BAD_MODEL, "body: node 0 (Neg): the graph has a cycle");

    graph = start_graph(3);
    put_repeat(&graph, "loop", "x", "y", (Proto){0});
    assert_refused(&graph, STRIDER_BAD_MODEL, "node 0 \"loop\" (Repeat): body: the graph has no outputs");

    graph = start_graph(3);
    body = body_of("Neg", "x", "t");
    put_weight(&body, "w", (const float[]){1}, 1);
    put_weight(&body, "w", (const float[]){1}, 1);
    put_repeat(&graph, "loop", "x", "y", body);
    assert_refused(&graph, STRIDER_BAD_MODEL, "body: two initializers are called \"w\"");

    graph = start_graph(3);
    put_repeat(&graph, "loop", "x", "y", body_of("Neg", "y", "t"));
    assert_refused(&graph, STRIDER_BAD_MODEL, "the graph has a cycle");
}

static void a_graph_that_an_operator_needs_must_be_there(void **state) {
    (void)state;
    Proto graph = start_graph(3), node = start_node("Branch", "if", "x", "y"), yes = body_of("Neg", "x", "t");
    put_body(&node, "then_branch", &yes);
    proto_int_attribute(&node, "else_branch", 1);
    proto_message(&graph, GRAPH_NODE, &node);
    assert_refused(&graph, STRIDER_BAD_MODEL,
                   "node 0 \"if\" (Branch): attribute \"else_branch\", a graph, is missing");

    graph = start_graph(3);
    node = start_node("Repeat", "loop", "x", "y");
    Proto attribute = {0};
    proto_text(&attribute, 1, "body");
    proto_int(&attribute, 20, 5);
    proto_text(&attribute, 21, "given");
    proto_message(&node, 5, &attribute);
    proto_message(&graph, GRAPH_NODE, &node);
    assert_refused(&graph, STRIDER_UNSUPPORTED, "attribute \"body\" is a graph that the function's caller");
}

/* An operator that has no bodies may have graphs: they are nothing to anybody. */
static void other_operators_graphs_capture_nothing(void **state) {
    (void)state;
    Proto graph = start_graph(3), node = make_node("Relu", "", "x", "y"), body = body_of("Neg", "h", "t");
    put_body(&node, "body", &body);
    put_node(&graph, GRAPH_NODE, "Exp", "", "x", "h");
    proto_message(&graph, GRAPH_NODE, &node);
    Proto proto = finish_model(&graph, 8);
    load(&proto);
    assert_int_equal(find_node(&model.graph, "Relu")->n_inputs, 1);
    unload(&proto);
}

static void bodies_count_for_the_limits(void **state) {
    (void)state;
    Proto graph = start_graph(3), body = body_of("Neg", "x", "t");
    for (int depth = 1; depth < 10; depth++) {
        Proto outer = start_body("t");
        put_repeat(&outer, "loop", "x", "t", body);
        body = outer;
    }
    put_repeat(&graph, "loop", "x", "y", body);
    Proto proto = finish_model(&graph, 8);
    assert_int_equal(try_load(&proto, 64, 10), STRIDER_LIMIT_EXCEEDED);
    assert_non_null(strstr(error.message, "max_nodes"));
    assert_non_null(strstr(error.message, "body: node 0 \"loop\""));
    assert_int_equal(try_load(&proto, 16, 1000), STRIDER_LIMIT_EXCEEDED);
    assert_int_equal(try_load(&proto, 64, 11), STRIDER_OK);
    unload(&proto);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_share_one_list_of_captures),
        cmocka_unit_test(names_are_found_through_all_levels),
        cmocka_unit_test(a_body_s_own_names_hide_others),
        cmocka_unit_test(outputs_may_be_inputs_captures_and_constants),
        cmocka_unit_test(an_initializer_among_a_body_s_inputs_is_a_constant),
        cmocka_unit_test(defaults_are_constants_and_in_a_second_graph_inputs),
        cmocka_unit_test(bodies_in_functions_see_the_call),
        cmocka_unit_test(a_body_reads_no_input_that_the_call_left_out),
        cmocka_unit_test(a_function_that_calls_itself_in_a_body_is_refused),
        cmocka_unit_test(errors_name_the_body),
        cmocka_unit_test(what_no_graph_may_have_no_body_may),
        cmocka_unit_test(a_graph_that_an_operator_needs_must_be_there),
        cmocka_unit_test(other_operators_graphs_capture_nothing),
        cmocka_unit_test(bodies_count_for_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
