/* SPDX-License-Identifier: Apache-2.0 */
/* Strings in whole models: which memory their bytes are in, and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "strider/strider.h"
#include "support/counter.h"
#include "support/tiny_model.h"

enum { ONNX_STRING = 8, STRING_DATA = 6 };

static const int64_t open_list[] = {-1};

/* An initializer of one dimension. */
static void put_strings(Proto *graph, const char *name, const char *const *texts, int64_t count,
                        int64_t stated) {
    Proto tensor = {0};
    proto_int(&tensor, 1, stated);
    proto_int(&tensor, 2, ONNX_STRING);
    for (int64_t i = 0; i < count; i++)
        proto_text(&tensor, STRING_DATA, texts[i]);
    proto_text(&tensor, 8, name);
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}

typedef struct Model {
    Proto bytes; /* the model's strings lie in them */
    strider_model *model;
    strider_session *session;
    strider_error error;
    Counter counter;
} Model;

static strider_status open_graph(Model *opened, Proto *graph, bool reference) {
    strider_load_options load = strider_load_options_default();
    strider_session_options options = strider_session_options_default();
    proto_text(graph, GRAPH_NAME, "strings");
    opened->bytes = make_model(graph, 10, 21);
    counter_init(&opened->counter);
    load.allocator = &opened->counter.allocator;
    strider_status status = strider_model_load_memory(opened->bytes.data, opened->bytes.size, NULL, &load,
                                                      &opened->model, &opened->error);
    options.reference = reference;
    options.threads = 2;
    return status ? status
                  : strider_session_create(opened->model, &options, &opened->session, &opened->error);
}

static void close_model(Model *opened) {
    strider_session_free(opened->session);
    strider_model_free(opened->model);
    proto_free(&opened->bytes);
}

static strider_tensor run(Model *opened, strider_string *strings, int64_t count) {
    strider_tensor x = {STRIDER_STRING, 1, {count}, strings}, y = {0};
    if (strider_session_run(opened->session, &x, 1, &y, 1, &opened->error))
        fail_msg("%s", opened->error.message);
    return y;
}

static void expect_strings(const strider_tensor *got, const char *const *expected, int64_t count) {
    const strider_string *strings = got->data;
    assert_int_equal(got->dtype, STRIDER_STRING);
    assert_int_equal(strider_tensor_elements(got), count);
    for (int64_t i = 0; i < count; i++)
        if (strings[i].size != strlen(expected[i]) ||
            memcmp(strings[i].data, expected[i], strings[i].size) != 0)
            fail_msg("element %d is \"%.*s\", not \"%s\"", (int)i, (int)strings[i].size, strings[i].data,
                     expected[i]);
}

/* y = (x + mark) turned round: what is made in one step is moved in the next. */
static Proto marking_graph(void) {
    static const char *const marks[] = {"!"};
    Proto graph = {0};
    const int64_t last[] = {-1}, first[] = {0}, beyond[] = {-100};
    put_node(&graph, GRAPH_NODE, "StringConcat", "", "x mark", "z");
    put_node(&graph, GRAPH_NODE, "Slice", "", "z last beyond first last", "y");
    put_strings(&graph, "mark", marks, 1, 1);
    put_tensor(&graph, "last", ONNX_INT64, 1, (int64_t[]){1}, last, sizeof last);
    put_tensor(&graph, "first", ONNX_INT64, 1, (int64_t[]){1}, first, sizeof first);
    put_tensor(&graph, "beyond", ONNX_INT64, 1, (int64_t[]){1}, beyond, sizeof beyond);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_STRING, open_list, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_STRING, open_list, 1);
    return graph;
}

static void strings_are_made_in_each_run(void **state) {
    (void)state;
    static const char *const first[] = {"c!", "!", "ab!"}, *const second[] = {"xyz!"};
    for (int reference = 0; reference < 2; reference++) {
        Model opened = {0};
        Proto graph = marking_graph();
        assert_int_equal(open_graph(&opened, &graph, reference), STRIDER_OK);
        size_t before = 0;
        for (int turn = 0; turn < 3; turn++) {
            strider_string three[] = {{"ab", 2}, {NULL, 0}, {"c", 1}}, one[] = {{"xyz", 3}};
            strider_tensor y = run(&opened, three, 3);
            expect_strings(&y, first, 3);
            y = run(&opened, one, 1);
            expect_strings(&y, second, 1);
            if (turn == 2) /* what the last run made is used again */
                assert_int_equal(opened.counter.allocations, before);
            before = opened.counter.allocations;
        }
        close_model(&opened);
    }
}

/* Constants that strings are made of before any run stay what they are, and nodes that make strings wait. */
static void constants_are_moved_before_runs_and_joined_in_them(void **state) {
    (void)state;
    static const char *const words[] = {"a", "b"}, *const expected[] = {"ba", "ab"};
    Model opened = {0};
    Proto graph = {0};
    const int64_t last[] = {-1}, far[] = {-100}, first[] = {0};
    put_node(&graph, GRAPH_NODE, "Slice", "", "words last far first last", "turned");
    put_node(&graph, GRAPH_NODE, "StringConcat", "", "turned words", "joined");
    put_node(&graph, GRAPH_NODE, "Where", "", "c joined x", "y");
    put_strings(&graph, "words", words, 2, 2);
    put_tensor(&graph, "last", ONNX_INT64, 1, (int64_t[]){1}, last, sizeof last);
    put_tensor(&graph, "far", ONNX_INT64, 1, (int64_t[]){1}, far, sizeof far);
    put_tensor(&graph, "first", ONNX_INT64, 1, (int64_t[]){1}, first, sizeof first);
    put_tensor(&graph, "c", 9, 1, (int64_t[]){1}, "\1", 1);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_STRING, open_list, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_STRING, open_list, 1);
    assert_int_equal(open_graph(&opened, &graph, false), STRIDER_OK);
    strider_string x[] = {{"x", 1}, {"y", 1}};
    strider_tensor y = run(&opened, x, 2);
    expect_strings(&y, expected, 2);
    close_model(&opened);
}

static void a_string_without_data_is_refused(void **state) {
    (void)state;
    Model opened = {0};
    Proto graph = marking_graph();
    assert_int_equal(open_graph(&opened, &graph, false), STRIDER_OK);
    strider_string strings[] = {{"a", 1}, {NULL, 2}};
    strider_tensor x = {STRIDER_STRING, 1, {2}, strings}, y = {0};
    assert_int_equal(strider_session_run(opened.session, &x, 1, &y, 1, &opened.error),
                     STRIDER_INVALID_ARGUMENT);
    assert_non_null(strstr(opened.error.message, "a string of input \"x\" has no data"));
    close_model(&opened);
}

static void the_budget_counts_strings(void **state) {
    (void)state;
    enum { LENGTH = 1 << 20 };
    strider_session_options options = strider_session_options_default();
    Model opened = {0};
    Proto graph = marking_graph();
    char *text = calloc(LENGTH, 1);
    assert_non_null(text);
    assert_int_equal(open_graph(&opened, &graph, false), STRIDER_OK);
    strider_session_free(opened.session);
    options.max_memory_bytes = LENGTH / 2;
    assert_int_equal(strider_session_create(opened.model, &options, &opened.session, &opened.error),
                     STRIDER_OK);
    strider_string strings[] = {{text, LENGTH}, {text, 1000}};
    strider_tensor x = {STRIDER_STRING, 1, {1}, strings}, y = {0};
    assert_int_equal(strider_session_run(opened.session, &x, 1, &y, 1, &opened.error),
                     STRIDER_LIMIT_EXCEEDED);
    x.data = strings + 1;
    assert_int_equal(strider_session_run(opened.session, &x, 1, &y, 1, &opened.error), STRIDER_OK);
    assert_int_equal(((const strider_string *)y.data)->size, 1001);
    free(text);
    close_model(&opened);
}

static void files_with_too_few_strings_are_refused(void **state) {
    (void)state;
    static const char *const words[] = {"a", "b"};
    for (int64_t stated = 0; stated <= 3; stated++) {
        Model opened = {0};
        Proto graph = {0};
        put_node(&graph, GRAPH_NODE, "Identity", "", "words", "y");
        put_strings(&graph, "words", words, 2, stated);
        proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_STRING, open_list, 1);
        const strider_status status = open_graph(&opened, &graph, false);
        assert_int_equal(status, stated == 2 ? STRIDER_OK : STRIDER_BAD_MODEL);
        if (status)
            assert_non_null(strstr(opened.error.message, "it has 2 elements of data"));
        close_model(&opened);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_made_in_each_run),
        cmocka_unit_test(constants_are_moved_before_runs_and_joined_in_them),
        cmocka_unit_test(a_string_without_data_is_refused),
        cmocka_unit_test(the_budget_counts_strings),
        cmocka_unit_test(files_with_too_few_strings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
