/* SPDX-License-Identifier: Apache-2.0 */
/* What a model that loads is likely not meant to say: the log is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/tiny_model.h"

#define MICROSOFT "com.microsoft"

static strider_error error;

static struct {
    int lines;
    char all[4000];
} logged;

static void keep_line(void *context, strider_log_level level, const char *message) {
    (void)context;
    assert_int_equal(level, STRIDER_LOG_WARNING);
    logged.lines++;
    const size_t length = strlen(logged.all);
    snprintf(logged.all + length, sizeof logged.all - length, "%s\n", message);
}

/* Loads a model, which is freed, and fails the test unless the log gets so many lines. */
static void load(Proto *model, int lines) {
    strider_model *loaded = NULL;
    strider_load_options options = strider_load_options_default();
    memset(&logged, 0, sizeof logged);
    options.log = keep_line;
    if (strider_model_load_memory(model->data, model->size, NULL, &options, &loaded, &error))
        fail_msg("%s", error.message);
    strider_model_free(loaded);
    proto_free(model);
    if (logged.lines != lines)
        fail_msg("%d lines instead of %d:\n%s", logged.lines, lines, logged.all);
}

static void assert_told(const char *text) {
    if (!strstr(logged.all, text))
        fail_msg("\"%s\" is not in:\n%s", text, logged.all);
}

static void put_odd_node(Proto *graph, const char *op, const char *inputs, const char *output,
                         const char *name) {
    Proto node = make_node(op, "", inputs, output);
    proto_text(&node, 3, name);
    proto_int_attribute(&node, "frobnicate", 1);
    proto_message(graph, GRAPH_NODE, &node);
}

static void an_attribute_that_is_unknown_is_told_once_for_each_operator(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_odd_node(&graph, "Relu", "x", "a", "first");
    put_odd_node(&graph, "Relu", "a", "b", "second");
    put_odd_node(&graph, "LeakyRelu", "b", "y", "third");
    Proto model = finish_model(&graph, 8);
    load(&model, 2);
    assert_told("node 0 \"first\" (Relu): attribute \"frobnicate\" is unknown");
    assert_told("node 2 \"third\" (LeakyRelu): attribute \"frobnicate\" is unknown");
}

/* The graph is read twice where an input has a default. */
static void it_is_told_once_also_where_an_input_has_a_default(void **state) {
    (void)state;
    Proto graph = start_graph(3);
    put_odd_node(&graph, "Add", "x w", "y", "sum");
    put_weight(&graph, "w", (const float[]){1, 2, 3}, 3);
    proto_value(&graph, GRAPH_INPUT, "w", ONNX_FLOAT, (const int64_t[]){3}, 1);
    Proto model = finish_model(&graph, 8);
    load(&model, 1);
}

/* The first names buffers that opset 1 used again; the others are for training. */
static void attributes_that_say_nothing_in_a_run_are_no_news(void **state) {
    (void)state;
    Proto graph = start_graph(3), relu = make_node("Relu", "", "x", "a"),
          dropout = make_node("Dropout", "", "a", "y");
    proto_ints_attribute(&relu, "consumed_inputs", (const int64_t[]){0}, 1);
    proto_message(&graph, GRAPH_NODE, &relu);
    proto_float_attribute(&dropout, "ratio", 0.5f);
    proto_int_attribute(&dropout, "is_test", 1);
    proto_message(&graph, GRAPH_NODE, &dropout);
    Proto model = make_model(&graph, 3, 1);
    load(&model, 0);
}

static void put_gemm(Proto *graph, const char *attribute) {
    Proto gemm = make_node("FusedGemm", MICROSOFT, "x w", "y");
    proto_text_attribute(&gemm, "activation", "Relu");
    proto_int_attribute(&gemm, attribute, 1);
    proto_message(graph, GRAPH_NODE, &gemm);
}

static void operators_that_become_others_ask_for_theirs(void **state) {
    (void)state;
    static const char *const attributes[] = {"transB", "frobnicate"};
    for (int i = 0; i < 2; i++) {
        Proto graph = {0};
        const int64_t dims[] = {2, 2};
        const float weights[] = {1, 2, 3, 4};
        put_gemm(&graph, attributes[i]);
        put_tensor(&graph, "w", ONNX_FLOAT, 2, dims, weights, sizeof weights);
        proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 2);
        proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, dims, 2);
        Proto model = finish_model(&graph, 8);
        put_opset(&model, MODEL_OPSET, MICROSOFT, 1);
        load(&model, i);
    }
    assert_told("(FusedGemm): attribute \"frobnicate\" is unknown");
}

/* A BatchNormalization of two channels. */
static Proto batch_norm_model(int64_t training_mode) {
    static const float ones[] = {1, 1};
    static const int64_t dims[] = {1, 2, 3};
    Proto graph = {0}, node = make_node("BatchNormalization", "", "x w w w w", "y");
    proto_int_attribute(&node, "training_mode", training_mode);
    proto_message(&graph, GRAPH_NODE, &node);
    put_weight(&graph, "w", ones, 2);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 3);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, dims, 3);
    return finish_model(&graph, 8);
}

static void a_batch_norm_that_trains_is_told(void **state) {
    (void)state;
    Proto model = batch_norm_model(0);
    load(&model, 0);
    model = batch_norm_model(1);
    load(&model, 1);
    assert_told("node 0 (BatchNormalization): it is in training mode");
}

static void a_dropout_that_trains_is_told(void **state) {
    (void)state;
    for (char training = 0; training < 2; training++) {
        Proto graph = start_graph(3);
        put_node(&graph, GRAPH_NODE, "Dropout", "", "x - training", "y");
        put_tensor(&graph, "training", 9, 0, NULL, &training, 1);
        Proto model = finish_model(&graph, 8);
        load(&model, training);
    }
    assert_told("node 0 (Dropout): it is in training mode");
}

static void a_slope_that_is_taken_for_the_channels_is_told(void **state) {
    (void)state;
    static const int64_t dims[] = {1, 2, 3};
    for (int opset = 6; opset <= 9; opset += 3) {
        Proto graph = {0};
        put_node(&graph, GRAPH_NODE, "PRelu", "", "x slope", "y");
        put_weight(&graph, "slope", (const float[]){1, 2}, 2);
        proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 3);
        proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, dims, 3);
        Proto model = make_model(&graph, 4, opset);
        load(&model, opset > 6);
    }
    assert_told("one number for each channel");
}

/* In a body, and in a function. */
static void put_training_body(Proto *node, const char *name) {
    Proto attribute = {0}, body = {0}, norm = make_node("BatchNormalization", "", "x w w w w", "inner");
    proto_int_attribute(&norm, "training_mode", 1);
    proto_message(&body, GRAPH_NODE, &norm);
    proto_text(&body, GRAPH_NAME, name);
    proto_value(&body, GRAPH_OUTPUT, "inner", ONNX_FLOAT, (const int64_t[]){1, 2, 3}, 3);
    proto_text(&attribute, 1, name);
    proto_message(&attribute, 6, &body);
    proto_int(&attribute, 20, 5);
    proto_message(node, 5, &attribute);
}

static void what_stands_in_bodies_is_told(void **state) {
    (void)state;
    static const float ones[] = {1, 1};
    static const int64_t dims[] = {1, 2, 3};
    Proto graph = {0}, branch = make_node("If", "", "c", "y");
    put_training_body(&branch, "then_branch");
    put_training_body(&branch, "else_branch");
    proto_message(&graph, GRAPH_NODE, &branch);
    put_weight(&graph, "w", ones, 2);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 3);
    proto_value(&graph, GRAPH_INPUT, "c", 9, NULL, 0);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, dims, 3);
    Proto model = finish_model(&graph, 8);
    load(&model, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_attribute_that_is_unknown_is_told_once_for_each_operator),
        cmocka_unit_test(it_is_told_once_also_where_an_input_has_a_default),
        cmocka_unit_test(attributes_that_say_nothing_in_a_run_are_no_news),
        cmocka_unit_test(operators_that_become_others_ask_for_theirs),
        cmocka_unit_test(a_batch_norm_that_trains_is_told),
        cmocka_unit_test(a_dropout_that_trains_is_told),
        cmocka_unit_test(a_slope_that_is_taken_for_the_channels_is_told),
        cmocka_unit_test(what_stands_in_bodies_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
