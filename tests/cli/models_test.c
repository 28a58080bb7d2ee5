/* SPDX-License-Identifier: Apache-2.0 */
/* Models whose declared shapes are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"
#include "support/tiny_model.h"

enum { FLOAT = 1 };

static const char *save_model(const char *name, Proto *graph) {
    Proto model = make_model(graph, 8, 17);
    const char *path = in_scratch(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.data, 1, model.size, file), model.size);
    fclose(file);
    proto_free(&model);
    return path;
}

/* A Conv of a 1x1x3x3 kernel whose output is declared as 1 x 1 x `declared` x `declared`, and `after` it,
 * whose output is declared as 1 x 1 x `last` x `last`; with an open size of the input where `open`. */
static const char *write_two(const char *name, int64_t declared, bool open, const char *after, int64_t last) {
    Proto graph = {0}, node = make_node("Conv", "", "x w", "h");
    const int64_t input[] = {1, 1, open ? -1 : 8, open ? -1 : 8}, output[] = {1, 1, declared, declared};
    const int64_t end[] = {1, 1, last, last};
    const float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const int64_t dims[] = {1, 1, 3, 3};
    proto_text(&node, 3, "conv1");
    proto_message(&graph, GRAPH_NODE, &node);
    put_node(&graph, GRAPH_NODE, after, "", "h", "y");
    proto_text(&graph, 2, "test");
    put_tensor(&graph, "w", ONNX_FLOAT, 4, dims, ones, sizeof ones);
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, input, 4);
    proto_value(&graph, GRAPH_OUTPUT, "y", ONNX_FLOAT, end, 4);
    proto_value(&graph, 13, "h", ONNX_FLOAT, output, 4);
    return save_model(name, &graph);
}

static void put_in(Proto *proto, int field) {
    Proto outer = {0};
    proto_message(&outer, field, proto);
    *proto = outer;
}

static void put_sequence(Proto *graph, int field, const char *name) {
    enum { TENSOR = 1, SEQUENCE = 4 };
    Proto type = {0}, info = {0};
    proto_int(&type, 1, ONNX_FLOAT);
    put_in(&type, TENSOR);
    put_in(&type, 1); /* what the elements are */
    put_in(&type, SEQUENCE);
    proto_text(&info, 1, name);
    proto_message(&info, 2, &type);
    proto_message(graph, field, &info);
}

/* The number of elements of a sequence of floats. */
static const char *write_sequence(const char *name) {
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "SequenceLength", "", "s", "n");
    proto_text(&graph, 2, "test");
    put_sequence(&graph, GRAPH_INPUT, "s");
    proto_value(&graph, GRAPH_OUTPUT, "n", ONNX_INT64, NULL, 0);
    return save_model(name, &graph);
}

/* The rows of x as a sequence, and their number. */
static const char *write_rows(const char *name) {
    static const int64_t dims[] = {3, 2};
    Proto graph = {0};
    put_node(&graph, GRAPH_NODE, "SplitToSequence", "", "x", "rows");
    put_node(&graph, GRAPH_NODE, "SequenceLength", "", "rows", "n");
    proto_text(&graph, 2, "test");
    proto_value(&graph, GRAPH_INPUT, "x", ONNX_FLOAT, dims, 2);
    put_sequence(&graph, GRAPH_OUTPUT, "rows");
    proto_value(&graph, GRAPH_OUTPUT, "n", ONNX_INT64, NULL, 0);
    return save_model(name, &graph);
}

static const char *write_model(const char *name, int64_t declared, bool open) {
    return write_two(name, declared, open, "Abs", -1);
}

static const char formula[] = "floor((8 + 0 + 0 - 1*(3 - 1) - 1) / 1) + 1 = 6";

/* How often the text stands in the other. */
static int count_of(const char *text, const char *part) {
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

static void a_wrong_declared_shape_is_shown_with_the_formula(void **state) {
    (void)state;
    const char *model = write_model("wrong.onnx", 7, false);
    const Result *result = expect(0, strider("run", model, "ones", NULL));
    assert_int_equal(count_of(result->err, "warning"), 1);
    assert_non_null(strstr(result->err, "conv1"));
    assert_non_null(strstr(result->err, "declared as [1, 1, 7, 7]"));
    assert_non_null(strstr(result->err, formula));
    assert_non_null(strstr(result->out, "1x1x6x6"));
    expect(0, strider("run", model, "ones", "--shapes=warn", NULL));
    result = strider("run", model, "ones", "--shapes=check", NULL);
    expect_error(3, "conv1", result);
    assert_non_null(strstr(result->err, formula));
}

static void open_sizes_are_held_against_the_declaration_when_they_are_known(void **state) {
    (void)state;
    const char *model = write_model("open.onnx", 6, true);
    expect(0, strider("run", model, "ones", "--shape", "x=1x1x8x8", NULL));
    const Result *result = expect(0, strider("run", model, "ones", "--shape", "x=1x1x9x9", NULL));
    assert_non_null(strstr(result->err, "declared as [1, 1, 6, 6], but is [1, 1, 7, 7]"));
    expect(0,
           strider("run", model, "ones", "--shape", "x=1x1x9x9", "-o", in_scratch("y.npy"), "--quiet", NULL));
    /* An input file of another size is no override. */
    expect(0, strider("run", write_model("any.onnx", -1, true), "ones", "--shape", "x=1x1x11x11", "-o",
                      in_scratch("nine.npy"), "--quiet", NULL));
    result = strider("run", model, in_scratch("nine.npy"), "--shapes=check", NULL);
    expect_error(3, "declared as [1, 1, 6, 6], but is [1, 1, 7, 7] for these inputs", result);
    assert_non_null(strstr(result->err, "H: floor((9 + 0 + 0 - 1*(3 - 1) - 1) / 1) + 1 = 7"));
    /* Many runs, one warning. */
    result = expect(0, strider("bench", model, in_scratch("nine.npy"), "--seconds=0.1", NULL));
    assert_int_equal(count_of(result->err, "warning"), 1);
    expect_error(2, "open", strider("run", model, "ones", NULL));
}

static void what_is_fused_into_a_convolution_keeps_its_declaration(void **state) {
    (void)state;
    const char *model = write_two("relu.onnx", -1, true, "Relu", 9);
    expect(0, strider("run", write_model("any.onnx", -1, true), "ones", "--shape", "x=1x1x11x11", "-o",
                      in_scratch("nine.npy"), "--quiet", NULL));
    for (int check = 0; check < 2; check++) {
        const Result *result = expect(0, strider("run", model, in_scratch("nine.npy"),
                                                 check ? "--shapes=check" : "--shapes=warn", NULL));
        assert_int_equal(count_of(result->err, "warning"), 1);
        assert_non_null(strstr(result->err, "(Relu): output \"y\" is declared as [1, 1, 9, 9]"));
        assert_null(strstr(result->err, "Conv"));
        assert_null(strstr(result->err, "floor"));
    }
    /* At load, each is told of as what it is, and not again when it runs. */
    const Result *result =
        expect(0, strider("run", write_two("both.onnx", 9, false, "Relu", 9), "ones", NULL));
    assert_int_equal(count_of(result->err, "warning"), 2);
    assert_int_equal(count_of(result->err, "(Conv): output \"h\""), 1);
    assert_int_equal(count_of(result->err, "(Relu): output \"y\""), 1);
}

static void info_shows_kinds_of_values(void **state) {
    (void)state;
    const char *model = write_sequence("sequence.onnx");
    const Result *result = expect(0, strider("info", model, NULL));
    assert_non_null(strstr(result->out, "s: sequence of float32"));
    assert_non_null(strstr(result->out, "n: int64"));
    assert_non_null(strstr(result->out, "input \"s\" is no tensor"));
    result = expect(0, strider("info", model, "--json", NULL));
    assert_non_null(strstr(result->out, "\"kind\": \"sequence\""));
    assert_non_null(strstr(result->out, "\"kind\": \"tensor\""));
}

static void run_shows_the_items_of_sequences(void **state) {
    (void)state;
    const char *model = write_rows("rows.onnx"), *saved = in_scratch("rows.npz");
    const Result *result = expect(0, strider("run", model, "ones", "-o", saved, NULL));
    assert_non_null(strstr(result->out, "rows: a sequence of 3 tensors"));
    assert_non_null(strstr(result->out, "rows[2]: float32 1x2  min 1  max 1"));
    assert_non_null(strstr(result->out, "n: int64"));
    assert_int_equal(access(saved, F_OK), 0);
    result = expect(0, strider("run", model, "ones", "--json", NULL));
    assert_int_equal(count_of(result->out, "\"rows["), 3);
    expect(0, strider("bench", model, "--seconds", "0.01", NULL));
}

static void sizes_beyond_all_memory_are_refused_before_planning(void **state) {
    (void)state;
    const char *model = write_model("huge.onnx", -1, true);
    const Result *result = strider("info", model, "--shape", "x=1x1x4000000000x1000000000", NULL);
    expect_error(3, "dimension 0 of 4000000000 is too large for a window", result);
    result = strider("info", model, "--shape", "x=1x1x100000x300000", NULL);
    assert_non_null(strstr(expect(0, result)->out, "max_memory_bytes"));
}

int model_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_declared_shape_is_shown_with_the_formula),
        cmocka_unit_test(open_sizes_are_held_against_the_declaration_when_they_are_known),
        cmocka_unit_test(what_is_fused_into_a_convolution_keeps_its_declaration),
        cmocka_unit_test(info_shows_kinds_of_values),
        cmocka_unit_test(run_shows_the_items_of_sequences),
        cmocka_unit_test(sizes_beyond_all_memory_are_refused_before_planning),
    };
    return cmocka_run_group_tests_name("declared shapes", tests, NULL, NULL);
}
