/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that Strider lacks, and those that become others while a model is loaded; what these compute is
 * tested by the cases in tests/data/foreign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

#define MICROSOFT "com.microsoft"

static strider_error error;

/* What the log was told. */
static struct {
    int lines;
    char last[700];
} logged;

static void keep_line(void *context, strider_log_level level, const char *message) {
    (void)context;
    (void)level;
    logged.lines++;
    snprintf(logged.last, sizeof logged.last, "%s", message);
}

static bool optimizes;

static strider_status load(const Proto *model, uint64_t max_nodes, strider_model **loaded) {
    strider_load_options options = strider_load_options_default();
    memset(&logged, 0, sizeof logged);
    options.log = keep_line;
    options.optimize = optimizes;
    if (max_nodes)
        options.max_nodes = max_nodes;
    return strider_model_load_memory(model->data, model->size, NULL, &options, loaded, &error);
}

static Proto microsoft_model(Proto *graph) {
    Proto model = finish_model(graph, 8);
    put_opset(&model, MODEL_OPSET, MICROSOFT, 1);
    return model;
}

static void assert_refused(Proto *graph, strider_status status, const char *text) {
    strider_model *loaded = NULL;
    Proto model = microsoft_model(graph);
    const strider_status found = load(&model, 0, &loaded);
    if (found != status || !strstr(error.message, text))
        fail_msg("status %d, \"%s\" instead of \"%s\"", found, error.message, text);
    proto_free(&model);
}

static void assert_runs(const Proto *model, const strider_tensor *input, strider_tensor *output,
                        const float *expected) {
    strider_model *loaded = NULL;
    strider_session *session = NULL;
    if (load(model, 0, &loaded))
        fail_msg("%s", error.message);
    assert_int_equal(strider_session_create(loaded, NULL, &session, &error), STRIDER_OK);
    assert_int_equal(strider_session_run(session, input, 1, output, 1, &error), STRIDER_OK);
    for (int64_t i = 0; i < strider_tensor_elements(output); i++)
        assert_float_equal(((const float *)output->data)[i], expected[i], 1e-4);
    strider_session_free(session);
    strider_model_free(loaded);
}

/* --- what is missing --- */

static void one_operator_that_is_missing_is_told_with_its_node(void **state) {
    (void)state;
    Proto graph = start_graph(3), node = make_node("Frobnicate", "", "x", "h");
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "r");
    proto_text(&node, 3, "deep");
    proto_message(&graph, GRAPH_NODE, &node);
    put_node(&graph, GRAPH_NODE, "Frobnicate", "ai.onnx", "h", "y");
    assert_refused(
        &graph, STRIDER_UNSUPPORTED,
        "node 1 \"deep\" (Frobnicate): the operator is not supported (domain \"ai.onnx\", opset 17), in "
        "2 nodes");
    assert_string_equal(error.node, "deep");
    assert_string_equal(error.op, "Frobnicate");
    assert_true(error.byte_offset > 0);
    assert_int_equal(logged.lines, 0);
}

static void an_operator_of_a_domain_that_is_not_imported_is_missing(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Foo", "org.example", "x", "y");
    assert_refused(&graph, STRIDER_UNSUPPORTED, "imports no version of its domain \"org.example\"");
    graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Foo", "org.example", "x", "h");
    put_node(&graph, GRAPH_NODE, "Bar", "", "h", "y");
    assert_refused(&graph, STRIDER_UNSUPPORTED,
                   "org.example.Foo (no opset, 1 node), ai.onnx.Bar (opset 17, 1 node)");
}

/* A body of an If, whose output is y. */
static void put_branch(Proto *node, const char *name, const char *op) {
    Proto attribute = {0}, body = {0};
    put_node(&body, GRAPH_NODE, op, "", "x", "inner");
    proto_text(&body, GRAPH_NAME, name);
    proto_value(&body, GRAPH_OUTPUT, "inner", ONNX_FLOAT, (const int64_t[]){3}, 1);
    proto_text(&attribute, 1, name);
    proto_message(&attribute, 6, &body);
    proto_int(&attribute, 20, 5);
    proto_message(node, 5, &attribute);
}

/* A function of x with one node. */
static void put_function(Proto *model, const char *name, const char *op, const char *domain) {
    Proto function = {0};
    proto_text(&function, 1, name);
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "b");
    put_node(&function, 7, op, domain, "a", "b");
    put_opset(&function, 9, "", 20);
    put_opset(&function, 9, MICROSOFT, 1);
    put_opset(&function, 9, "local", 1);
    proto_message(model, MODEL_FUNCTION, &function);
}

static void all_that_is_missing_is_told_also_in_bodies_and_functions(void **state) {
    (void)state;
    strider_model *loaded = NULL;
    Proto graph = start_graph(3), branch = make_node("If", "", "c", "h");
    put_tensor(&graph, "c", 9, 0, NULL, &(char){1}, 1);
    put_branch(&branch, "then_branch", "Missing1");
    put_branch(&branch, "else_branch", "Relu");
    proto_message(&graph, GRAPH_NODE, &branch);
    put_node(&graph, GRAPH_NODE, "outer", "local", "h", "i");
    put_node(&graph, GRAPH_NODE, "outer", "local", "i", "j");
    put_node(&graph, GRAPH_NODE, "Missing1", "", "j", "k");
    put_node(&graph, GRAPH_NODE, "Attend", MICROSOFT, "k", "y");
    Proto model = microsoft_model(&graph);
    put_function(&model, "outer", "inner", "local");
    put_function(&model, "inner", "Missing2", "");
    put_function(&model, "never_called", "Missing3", "");
    assert_int_equal(load(&model, 0, &loaded), STRIDER_UNSUPPORTED);
    assert_string_equal(error.message,
                        "3 operators are not supported: ai.onnx.Missing1 (opset 17, 2 nodes), "
                        "ai.onnx.Missing2 (opset 20, 1 node), com.microsoft.Attend (opset 1, 1 node)");
    proto_free(&model);
}

static void what_a_message_has_no_room_for_is_in_the_log(void **state) {
    (void)state;
    enum { MANY = 100 };
    Proto graph = start_graph(3);
    char name[24], from[24] = "x", to[24];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "Missing%d", i);
        snprintf(to, sizeof to, i + 1 < MANY ? "v%d" : "y", i);
        put_node(&graph, GRAPH_NODE, name, "", from, to);
        memcpy(from, to, sizeof to);
    }
    assert_refused(&graph, STRIDER_UNSUPPORTED,
                   "100 operators are not supported: ai.onnx.Missing0 (opset 17, 1 node), ");
    assert_non_null(strstr(error.message, "more, which the log names"));
    assert_int_equal(logged.lines, MANY);
    assert_string_equal(logged.last, "not supported: ai.onnx.Missing99 (opset 17, 1 node)");
}

static void functions_that_call_each_other_end_the_search(void **state) {
    (void)state;
    strider_model *loaded = NULL;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "a", "local", "x", "y");
    Proto model = microsoft_model(&graph);
    put_function(&model, "a", "b", "local");
    put_function(&model, "b", "a", "local");
    assert_int_equal(load(&model, 0, &loaded), STRIDER_LIMIT_EXCEEDED);
    proto_free(&model);
}

static void a_model_that_was_arranged_for_one_machine_comes_with_advice(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "ReorderInput", "com.microsoft.nchwc", "x", "h");
    put_node(&graph, GRAPH_NODE, "Conv", "com.microsoft.nchwc", "h", "y");
    assert_refused(&graph, STRIDER_UNSUPPORTED, "optimise to the level \"extended\" at most");
    graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Conv", "com.ms.internal.nhwc", "x", "y");
    assert_refused(&graph, STRIDER_UNSUPPORTED, "optimise to the level \"extended\" at most");
}

/* --- what becomes something else --- */

static void refuse_node(Proto *node, strider_status status, const char *text) {
    Proto graph = start_graph(3);
    proto_message(&graph, GRAPH_NODE, node);
    assert_refused(&graph, status, text);
}

static void bad_nodes_are_told_by_their_own_operator(void **state) {
    (void)state;
    Proto node = make_node("FusedConv", MICROSOFT, "x x", "y");
    proto_text_attribute(&node, "activation", "Frobnicate");
    refuse_node(&node, STRIDER_UNSUPPORTED,
                "node 0 (FusedConv): the activation \"Frobnicate\" is not supported");
    node = make_node("FusedConv", MICROSOFT, "x x", "y");
    proto_text_attribute(&node, "activation", "LeakyRelu");
    refuse_node(&node, STRIDER_BAD_MODEL, "(FusedConv): 0 activation_params, LeakyRelu has 1");
    node = make_node("FusedConv", MICROSOFT, "x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(FusedConv): a required input is missing");
    node = make_node("FusedConv", MICROSOFT, "- x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(FusedConv): a required input is missing");
    node = make_node("Gelu", MICROSOFT, "x x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(Gelu)");
    node = make_node("BiasGelu", MICROSOFT, "x x x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(BiasGelu): it has more inputs or outputs");
    node = make_node("SkipLayerNormalization", MICROSOFT, "x x x", "y");
    proto_text(&node, 2, "mean");
    refuse_node(&node, STRIDER_UNSUPPORTED, "which only training reads");
    node = make_node("GroupNorm", MICROSOFT, "x x x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(GroupNorm): required attribute groups is missing");
    node = make_node("ConvTransposeWithDynamicPads", MICROSOFT, "x x x", "y");
    refuse_node(&node, STRIDER_UNSUPPORTED, "pads that are computed");
    node = make_node("Attention", MICROSOFT, "x x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(Attention): required attribute num_heads is missing");
    node = make_node("Attention", MICROSOFT, "x x - - - - x", "y");
    proto_int_attribute(&node, "num_heads", 2);
    refuse_node(&node, STRIDER_UNSUPPORTED, "(Attention): past_sequence_length is not supported");
    node = make_node("Attention", MICROSOFT, "x x", "y");
    proto_int_attribute(&node, "num_heads", 2);
    proto_int_attribute(&node, "do_rotary", 1);
    refuse_node(&node, STRIDER_UNSUPPORTED, "(Attention): do_rotary");
    node = make_node("MultiHeadAttention", MICROSOFT, "x x x", "y");
    proto_int_attribute(&node, "num_heads", 0);
    refuse_node(&node, STRIDER_BAD_MODEL, "(MultiHeadAttention): num_heads must be positive");
    node = make_node("MultiHeadAttention", MICROSOFT, "x - x", "y");
    proto_int_attribute(&node, "num_heads", 2);
    refuse_node(&node, STRIDER_BAD_MODEL, "it has values without keys");
    node = make_node("MultiHeadAttention", MICROSOFT, "x x x - - - x", "y");
    proto_int_attribute(&node, "num_heads", 2);
    refuse_node(&node, STRIDER_BAD_MODEL, "past keys or values without the other");
    node = make_node("QLinearSoftmax", MICROSOFT, "x x x", "y");
    proto_int_attribute(&node, "opset", 13);
    refuse_node(&node, STRIDER_BAD_MODEL, "(QLinearSoftmax): the scale of its output is missing");
    node = make_node("FusedMatMul", MICROSOFT, "x x", "y");
    proto_text_attribute(&node, "alpha", "one");
    refuse_node(&node, STRIDER_BAD_MODEL, "(FusedMatMul): attribute alpha is a string");
}

static void experiments_end_with_opset_10(void **state) {
    (void)state;
    Proto node = make_node("Affine", "", "x", "y");
    refuse_node(&node, STRIDER_UNSUPPORTED, "(Affine): the operator is not supported");
    node = make_node("LayerNormalization", "", "x", "y");
    refuse_node(&node, STRIDER_BAD_MODEL, "(LayerNormalization)");
}

static void an_output_that_is_made_twice_is_refused(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    put_node(&graph, GRAPH_NODE, "QuickGelu", MICROSOFT, "x", "y");
    assert_refused(&graph, STRIDER_BAD_MODEL, "(QuickGelu): output \"y\" is already made elsewhere");
}

static void nodes_that_are_put_in_place_count(void **state) {
    (void)state;
    strider_model *loaded = NULL;
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "BiasAdd", MICROSOFT, "x x x", "y"); /* two Adds */
    Proto model = microsoft_model(&graph);
    assert_int_equal(load(&model, 1, &loaded), STRIDER_LIMIT_EXCEEDED);
    assert_int_equal(load(&model, 2, &loaded), STRIDER_OK);
    strider_model_free(loaded);
    proto_free(&model);
}

/* In a function that is called twice, where x is also the output, and with names that others have already. */
static void they_stand_in_functions_and_beside_names_like_theirs(void **state) {
    (void)state;
    float x[] = {1, -2, 3}, y[3];
    Proto graph = start_graph(3);
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "Add");
    put_node(&graph, GRAPH_NODE, "BiasAdd", MICROSOFT, "Add x x", "Add_1"); /* 3, -4, 9 */
    put_node(&graph, GRAPH_NODE, "scale", "local", "Add_1", "h");
    put_node(&graph, GRAPH_NODE, "scale", "local", "h", "i");
    put_node(&graph, GRAPH_NODE, "BiasAdd", MICROSOFT, "i i i", "y");
    Proto model = microsoft_model(&graph), function = {0};
    proto_text(&function, 1, "scale");
    proto_text(&function, 10, "local");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "b");
    put_node(&function, 7, "BiasAdd", MICROSOFT, "a a a", "b");
    put_opset(&function, 9, MICROSOFT, 1);
    proto_message(&model, MODEL_FUNCTION, &function);
    strider_tensor input = {STRIDER_F32, 1, {3}, x}, output = {STRIDER_F32, 1, {3}, y};
    assert_runs(&model, &input, &output, (const float[]){81, -108, 243});
    proto_free(&model);
}

/* A matrix that is transposed, and transposed again by the product that reads it. */
static void transposes_of_a_product_join_those_before_it(void **state) {
    (void)state;
    float x[] = {1, 2, 3, 4, 5, 6}, y[2];
    const float ones[] = {1, 10, 100};
    Proto graph = {0}, transpose = make_node("Transpose", "", "x", "h"), product = {0};
    proto_ints_attribute(&transpose, "perm", (const int64_t[]){1, 0}, 2);
    proto_message(&graph, GRAPH_NODE, &transpose);
    product = make_node("FusedMatMul", MICROSOFT, "h w", "y");
    proto_int_attribute(&product, "transA", 1);
    proto_message(&graph, GRAPH_NODE, &product);
    put_tensor(&graph, "w", ONNX_FLOAT, 2, (const int64_t[]){3, 1}, ones, sizeof ones);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, (const int64_t[]){2, 3}, 2);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, (const int64_t[]){2, 1}, 2);
    Proto model = microsoft_model(&graph);
    strider_tensor input = {STRIDER_F32, 2, {2, 3}, x}, output = {STRIDER_F32, 2, {2, 1}, y};
    for (int pass = 0; pass < 2; pass++) {
        optimizes = pass;
        assert_runs(&model, &input, &output, (const float[]){321, 654});
    }
    optimizes = false;
    proto_free(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_operator_that_is_missing_is_told_with_its_node),
        cmocka_unit_test(an_operator_of_a_domain_that_is_not_imported_is_missing),
        cmocka_unit_test(all_that_is_missing_is_told_also_in_bodies_and_functions),
        cmocka_unit_test(what_a_message_has_no_room_for_is_in_the_log),
        cmocka_unit_test(functions_that_call_each_other_end_the_search),
        cmocka_unit_test(a_model_that_was_arranged_for_one_machine_comes_with_advice),
        cmocka_unit_test(bad_nodes_are_told_by_their_own_operator),
        cmocka_unit_test(experiments_end_with_opset_10),
        cmocka_unit_test(an_output_that_is_made_twice_is_refused),
        cmocka_unit_test(nodes_that_are_put_in_place_count),
        cmocka_unit_test(they_stand_in_functions_and_beside_names_like_theirs),
        cmocka_unit_test(transposes_of_a_product_join_those_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
