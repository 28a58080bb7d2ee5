/* SPDX-License-Identifier: Apache-2.0 */
/* Files that say what no terminal should obey, and files that change while they are in use. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "program.h"
#include "support/tiny_model.h"

enum { FLOAT = 1 };

/* Acts on a terminal, begins a line, ends its quotes, turns the direction of writing, and is no UTF-8. */
#define ODD "\x1b[31m\nstrider: all is well\r\"\xe2\x80\xae\xc2\x9b\xff"

static const char *write_model(const char *name, const char *op_type) {
    Proto graph = {0}, node = {0}, property = {0};
    const int64_t dims[] = {4};
    proto_text(&node, 1, "x" ODD);
    proto_text(&node, 2, "y" ODD);
    proto_text(&node, 3, "n" ODD);
    proto_text(&node, 4, op_type);
    proto_text(&property, 1, "pkg.torch.onnx.name_scopes");
    proto_text(&property, 2, "['', 's" ODD "', 'n']");
    proto_message(&node, 9, &property);
    proto_message(&graph, 1, &node);
    proto_text(&graph, 2, "g" ODD);
    proto_value(&graph, 11, "x" ODD, FLOAT, dims, 1);
    proto_value(&graph, 12, "y" ODD, FLOAT, dims, 1);
    Proto model = make_model(&graph, 8, 17);
    proto_text(&model, 2, "producer" ODD);
    proto_text(&model, 3, "version" ODD);
    const char *path = write_file(name, model.data, model.size);
    proto_free(&model);
    return path;
}

/* Lines of plain characters, none of which the file made up. */
static void check_text(const char *text) {
    for (const char *at = text; *at; at++)
        if (((unsigned char)*at < 0x20 && *at != '\n') || (unsigned char)*at >= 0x7f)
            fail_msg("byte %#x in:\n%s", (unsigned char)*at, text);
    assert_null(strstr(text, "\nstrider: all is well"));
}

static void check_result(const Result *result) {
    check_text(result->out);
    check_text(result->err);
}

static void names_are_escaped_wherever_they_are_printed(void **state) {
    (void)state;
    const char *model = write_model("odd.onnx", "Relu");
    const Result *result = expect(0, strider("run", model, "ones", NULL));
    assert_non_null(
        strstr(result->out, "y\\x1b[31m\\x0astrider: all is well\\x0d\"\\u202e\\u009b\\xff: float32"));
    check_result(result);
    check_result(expect(0, strider("info", model, "--shapes", "--memory", NULL)));
    check_result(expect(0, strider("profile", model, "--seconds", "0", NULL)));
    check_result(expect(0, strider("bench", model, "--seconds", "0", NULL)));
    check_result(expect(2, strider("run", model, NULL))); /* names the input that is missing */
    check_result(expect(0, strider("run", model, "ones", "-o", in_scratch("odd.npz"), NULL)));
    check_result(expect(0, strider("check", model, "ones", "--expect", in_scratch("odd.npz"), NULL)));
    check_result(expect(1, strider("check", model, "zeros", "--expect", in_scratch("odd.npz"), NULL)));
    check_result(expect(0, strider("run", model, "ones", "-o", in_scratch("odd/"), NULL)));
    model = write_model("unknown.onnx", "Op" ODD);
    result = strider("info", model, NULL);
    check_result(result);
    expect_error(4, "node 0 \"n\\x1b[31m\\x0astrider: all is well\\x0d\\\"\\u202e\\u009b\\xff\"", result);
}

static void json_of_odd_names_is_whole(void **state) {
    (void)state;
    const char *model = write_model("odd.onnx", "Relu");
    const char *const commands[][2] = {
        {"info", "--shapes"}, {"profile", "--seconds=0"}, {"bench", "--seconds=0"}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const Result *result = expect(0, strider(commands[i][0], model, commands[i][1], "--json", NULL));
        check_result(result);
        json_t *all = json_loads(result->out, 0, NULL);
        assert_non_null(all);
        if (i == 0) {
            json_t *input = json_array_get(json_object_get(all, "inputs"), 0);
            assert_string_equal(json_string_value(json_object_get(input, "name")),
                                "x\\x1b[31m\\x0astrider: all is well\\x0d\"\\u202e\\u009b\\xff");
        }
        json_decref(all);
    }
    const Result *result = expect(0, strider("run", model, "ones", "--json", NULL));
    check_result(result);
    json_t *all = json_loads(result->out, 0, NULL);
    json_t *output = json_array_get(json_object_get(all, "outputs"), 0);
    assert_non_null(json_object_get(output, "name"));
    json_decref(all);
}

static void labels_and_words_of_the_command_line_are_escaped(void **state) {
    (void)state;
    static const char labels[] = "one\x1b[2J\ntwo\x07\nthree\xff\nfour\xe2\x80\xae\n";
    const char *model = write_model("odd.onnx", "Relu");
    const char *path = write_file("labels.txt", labels, sizeof labels - 1);
    const Result *result = expect(0, strider("run", model, "ones", "--labels", path, "--top", "4", NULL));
    check_result(result);
    assert_non_null(strstr(result->out, "one\\x1b[2J"));
    result = expect(3, strider("run", model, "no" ODD, NULL));
    check_result(result);
    check_result(expect(2, strider("run", model, "--dim", "no" ODD, NULL)));
    check_result(expect(2, strider("no" ODD, NULL)));
    check_result(expect(3, strider("info", "no" ODD, NULL)));
}

static void a_labels_file_has_a_limit(void **state) {
    (void)state;
    const char *model = write_model("odd.onnx", "Relu"), *path = write_file("labels.txt", "", 0);
    assert_int_equal(truncate(path, (16 << 20) + 1), 0);
    expect_error(3, "more than the limit", strider("run", model, "ones", "--labels", path, NULL));
    assert_int_equal(truncate(path, 0), 0);
    expect(0, strider("run", model, "ones", "--labels", path, NULL));
}

/* A Python program might write the weights anew while this one runs. */
/* What a model hub's cache or git leaves where links or large files were not fetched. */
static void a_text_in_the_place_of_a_model_is_quoted(void **state) {
    (void)state;
    static const char link[] = "../../blobs/0a1b", pointer[] = "version https://git-lfs.github.com/spec/v1\n";
    const char *path = write_file("link.onnx", link, sizeof link - 1);
    expect_error(3, "a short text, \"../../blobs/0a1b\"", strider("run", path, "ones", NULL));
    path = write_file("pointer.onnx", pointer, sizeof pointer - 1);
    expect_error(3, "git-lfs", strider("info", path, NULL));
}

static void a_mapped_file_that_shrinks_ends_with_a_message(void **state) {
    (void)state;
    enum { COUNT = 2 << 20 };
    Proto graph = {0}, weight = {0}, entry = {0};
    const int64_t dims[] = {COUNT};
    const char *weights = write_file("w.bin", "", 0);
    assert_int_equal(truncate(weights, COUNT * 4), 0);
    put_node(&graph, GRAPH_NODE, "Add", "", "x w", "y");
    proto_int(&weight, 1, COUNT);
    proto_int(&weight, 2, FLOAT);
    proto_text(&weight, 8, "w");
    proto_text(&entry, 1, "location");
    proto_text(&entry, 2, "w.bin");
    proto_message(&weight, 13, &entry);
    proto_int(&weight, 14, 1);
    proto_message(&graph, GRAPH_INITIALIZER, &weight);
    proto_value(&graph, GRAPH_INPUT, "x", FLOAT, dims, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", FLOAT, dims, 1);
    Proto model = make_model(&graph, 8, 17);
    const char *path = write_file("shrinks.onnx", model.data, model.size);
    proto_free(&model);
    const pid_t child = fork();
    if (child == 0) {
        usleep(500000); /* while it loads it is a file error, later the signal: status 3 in any case */
        _exit(truncate(weights, 0) != 0);
    }
    expect_error(3, "", strider("bench", path, "--seconds", "100", NULL));
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(truncate(weights, COUNT * 4), 0);
    expect(0, strider("run", path, "ones", "--copy", NULL));
}

int odd_file_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_escaped_wherever_they_are_printed),
        cmocka_unit_test(json_of_odd_names_is_whole),
        cmocka_unit_test(labels_and_words_of_the_command_line_are_escaped),
        cmocka_unit_test(a_labels_file_has_a_limit),
        cmocka_unit_test(a_text_in_the_place_of_a_model_is_quoted),
        cmocka_unit_test(a_mapped_file_that_shrinks_ends_with_a_message),
    };
    return cmocka_run_group_tests_name("odd files", tests, NULL, NULL);
}
