/* SPDX-License-Identifier: Apache-2.0 */
/* What no file may ask of a loader: more memory than max_parse_bytes, versions that nobody knows yet, names
 * that cost more than their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/counter.h"
#include "support/tiny_model.h"

static strider_error error;

static Counter counter; /* of the last load */

static strider_status load(const Proto *model, uint64_t max_bytes, strider_model **loaded) {
    strider_load_options options = strider_load_options_default();
    counter_init(&counter);
    options.allocator = &counter.allocator;
    if (max_bytes)
        options.max_parse_bytes = max_bytes;
    return strider_model_load_memory(model->data, model->size, NULL, &options, loaded, &error);
}

static strider_status load_and_free(const Proto *model, uint64_t max_bytes) {
    strider_model *loaded;
    const strider_status status = load(model, max_bytes, &loaded);
    strider_model_free(loaded);
    assert_int_equal(counter.used_bytes, 0);
    return status;
}

/* --- memory --- */

static Proto chain_of(int nodes) {
    Proto graph = start_graph(1);
    char from[24] = "x", to[24];
    for (int i = 0; i < nodes; i++) {
        snprintf(to, sizeof to, "v%d", i);
        put_node(&graph, GRAPH_NODE, "Relu", "", from, i + 1 < nodes ? to : "y");
        memcpy(from, to, sizeof to);
    }
    return finish_model(&graph, 8);
}

static void the_limit_of_parsing_counts_the_graph_and_is_met_exactly(void **state) {
    (void)state;
    Proto model = chain_of(3000);
    assert_int_equal(load_and_free(&model, 0), STRIDER_OK);
    const uint64_t peak = counter.peak_bytes;
    assert_true(peak > 500000); /* some hundred bytes a node */
    assert_int_equal(load_and_free(&model, peak), STRIDER_OK);
    for (uint64_t limit = peak / 16; limit < peak * 3 / 4; limit += peak / 16) {
        assert_int_equal(load_and_free(&model, limit), STRIDER_LIMIT_EXCEEDED);
        assert_true(counter.peak_bytes <
                    limit + limit / 4 + 200000); /* the limit leaves out some alignment */
        assert_non_null(strstr(error.message, "max_parse_bytes"));
    }
    proto_free(&model);
}

/* Each adds a constant of a megabyte that 20 bytes of the file ask for. */
static void constants_that_are_computed_while_loading_count(void **state) {
    (void)state;
    Proto graph = start_graph(1), shape = {0};
    const int64_t count = 262144;
    proto_int(&shape, 1, 1);
    proto_int(&shape, 2, 7);
    proto_text(&shape, 8, "shape");
    proto_bytes(&shape, 9, &count, sizeof count);
    proto_message(&graph, GRAPH_INITIALIZER, &shape);
    for (int i = 0; i < 40; i++) {
        char name[20];
        snprintf(name, sizeof name, "c%d", i);
        put_node(&graph, GRAPH_NODE, "ConstantOfShape", "", "shape", name);
    }
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    Proto model = finish_model(&graph, 8);
    assert_int_equal(load_and_free(&model, 20 << 20), STRIDER_LIMIT_EXCEEDED);
    assert_true(counter.peak_bytes < 21 << 20);
    assert_int_equal(load_and_free(&model, 60 << 20), STRIDER_OK);
    proto_free(&model);
}

static void a_large_constant_that_has_no_room_waits_for_the_plan(void **state) {
    (void)state;
    Proto graph = start_graph(1), node = make_node("Transpose", "", "w", "t");
    enum { COUNT = 1 << 20 };
    float *values = calloc(COUNT, sizeof *values);
    put_weight(&graph, "w", values, COUNT);
    proto_message(&graph, GRAPH_NODE, &node);
    put_node(&graph, GRAPH_NODE, "Gather", "", "t zero", "g");
    put_node(&graph, GRAPH_NODE, "Add", "", "x g", "y");
    Proto zero = {0};
    proto_int(&zero, 1, 1);
    proto_int(&zero, 2, 7);
    proto_text(&zero, 8, "zero");
    proto_bytes(&zero, 9, &(int64_t){0}, 8);
    proto_message(&graph, GRAPH_INITIALIZER, &zero);
    Proto model = finish_model(&graph, 8);
    strider_model *loaded;
    assert_int_equal(load(&model, 2 << 20, &loaded), STRIDER_OK);
    assert_int_not_equal(strider_model_get_info(loaded).node_count, 1);
    strider_model_free(loaded);
    assert_int_equal(load(&model, 16 << 20, &loaded), STRIDER_OK);
    assert_int_equal(strider_model_get_info(loaded).node_count, 1);
    strider_model_free(loaded);
    proto_free(&model);
    free(values);
}

/* --- functions --- */

static void put_function(Proto *model, const char *name, Proto *node) {
    Proto function = {0};
    proto_text(&function, 1, name);
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "b");
    proto_message(&function, 7, node);
    proto_text(&function, 10, "local");
    put_opset(&function, 9, "", 17);
    put_opset(&function, 9, "local", 1);
    proto_message(model, MODEL_FUNCTION, &function);
}

static void names_of_calls_in_calls_stay_short(void **state) {
    (void)state;
    enum { LEVELS = 50, LONG = 3000 };
    char name[LONG + 1], function[20], callee[20];
    memset(name, 'n', LONG);
    name[LONG] = '\0';
    Proto graph = start_graph(1);
    put_node(&graph, GRAPH_NODE, "f0", "local", "x", "y");
    Proto model = finish_model(&graph, 8);
    for (int i = 0; i < LEVELS; i++) {
        snprintf(function, sizeof function, "f%d", i);
        snprintf(callee, sizeof callee, "f%d", i + 1);
        Proto node = make_node(i + 1 < LEVELS ? callee : "Relu", i + 1 < LEVELS ? "local" : "", "a", "b");
        proto_text(&node, 3, name);
        put_function(&model, function, &node);
    }
    /* Each level would add its name to those before it: 50 * 51 / 2 * 3000 bytes. */
    assert_int_equal(load_and_free(&model, 2 << 20), STRIDER_OK);
    proto_free(&model);
}

static void equal_names_in_functions_stay_apart_where_they_are_cut(void **state) {
    (void)state;
    enum { LONG = 150 };
    char first[LONG + 2], second[LONG + 2];
    memset(first, 'n', LONG);
    memcpy(second, first, LONG);
    strcpy(first + LONG, "1");
    strcpy(second + LONG, "2");
    Proto graph = start_graph(2), function = {0};
    put_node(&graph, GRAPH_NODE, "two", "local", "x", "y");
    Proto model = finish_model(&graph, 8);
    proto_text(&function, 1, "two");
    proto_text(&function, 4, "a");
    proto_text(&function, 5, "b");
    Proto node = {0};
    proto_text(&node, 1, "a");
    proto_text(&node, 2, first);
    proto_text(&node, 4, "Neg");
    proto_message(&function, 7, &node);
    proto_text(&node, 1, "a");
    proto_text(&node, 2, second);
    proto_text(&node, 4, "Abs");
    proto_message(&function, 7, &node);
    proto_text(&node, 1, first);
    proto_text(&node, 1, second);
    proto_text(&node, 2, "b");
    proto_text(&node, 4, "Sub");
    proto_message(&function, 7, &node);
    proto_text(&function, 10, "local");
    put_opset(&function, 9, "", 17);
    proto_message(&model, MODEL_FUNCTION, &function);
    strider_model *loaded;
    strider_session *session;
    float x[] = {1, -2};
    strider_tensor input = {STRIDER_F32, 1, {2}, x}, output = {0};
    assert_int_equal(load(&model, 0, &loaded), STRIDER_OK);
    assert_int_equal(strider_session_create(loaded, NULL, &session, &error), STRIDER_OK);
    assert_int_equal(strider_session_run(session, &input, 1, &output, 1, &error), STRIDER_OK);
    assert_memory_equal(output.data, ((const float[]){-2, 0}), 8);
    strider_session_free(session);
    strider_model_free(loaded);
    proto_free(&model);
}

static void an_attribute_that_is_given_twice_is_refused_however_many_there_are(void **state) {
    (void)state;
    for (int count = 2; count < 200; count += 99) {
        Proto graph = start_graph(1), node = make_node("Relu", "", "x", "y");
        for (int i = 0; i < count; i++) {
            char name[20];
            snprintf(name, sizeof name, "a%d", i + 1 < count ? i : 0);
            proto_int_attribute(&node, name, 1);
        }
        proto_message(&graph, GRAPH_NODE, &node);
        Proto model = finish_model(&graph, 8);
        assert_int_equal(load_and_free(&model, 0), STRIDER_BAD_MODEL);
        assert_non_null(strstr(error.message, "\"a0\" is given twice"));
        proto_free(&model);
    }
}

/* --- versions --- */

static strider_status load_version(int64_t ir, const char *domain, int64_t opset) {
    Proto graph = start_graph(1), model = {0};
    put_node(&graph, GRAPH_NODE, "Relu", "", "x", "y");
    proto_int(&model, 1, ir);
    put_opset(&model, 8, domain, opset);
    if (domain[0] && strcmp(domain, "ai.onnx") != 0)
        put_opset(&model, 8, "", 17);
    proto_message(&model, MODEL_GRAPH, &graph);
    const strider_status status = load_and_free(&model, 0);
    proto_free(&model);
    return status;
}

static void versions_are_known_or_refused(void **state) {
    (void)state;
    assert_int_equal(load_version(14, "", 28), STRIDER_OK);
    assert_int_equal(load_version(8, "ai.onnx", 28), STRIDER_OK);
    assert_int_equal(load_version(15, "", 28), STRIDER_UNSUPPORTED);
    assert_non_null(strstr(error.message, "IR version 15"));
    assert_int_equal(load_version(8, "", 29), STRIDER_UNSUPPORTED);
    assert_non_null(strstr(error.message, "opset 29"));
    assert_int_equal(load_version(8, "ai.onnx", INT64_MAX), STRIDER_UNSUPPORTED);
    assert_int_equal(load_version(INT64_MAX, "", 17), STRIDER_UNSUPPORTED);
    assert_int_equal(load_version(8, "", -1), STRIDER_BAD_MODEL);
    assert_int_equal(load_version(-1, "", 17), STRIDER_BAD_MODEL);
    assert_int_equal(load_version(8, "a.domain.of.no.node", INT64_MAX), STRIDER_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_of_parsing_counts_the_graph_and_is_met_exactly),
        cmocka_unit_test(constants_that_are_computed_while_loading_count),
        cmocka_unit_test(a_large_constant_that_has_no_room_waits_for_the_plan),
        cmocka_unit_test(names_of_calls_in_calls_stay_short),
        cmocka_unit_test(equal_names_in_functions_stay_apart_where_they_are_cut),
        cmocka_unit_test(an_attribute_that_is_given_twice_is_refused_however_many_there_are),
        cmocka_unit_test(versions_are_known_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
