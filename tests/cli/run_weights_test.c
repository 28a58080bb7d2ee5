/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions whose weights or bias are no constants: which kernels a plan has for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "program.h"
#include "support/tiny_model.h"

typedef struct Case {
    const char *name, *op;
    int64_t x[4], w[4], bias[1];
    int64_t group;
    bool with_constant_weights;
    const char *kernel; /* the beginning of its name */
} Case;

enum { FLOAT = 1, MAX_WEIGHTS = 20 * 20 * 9 };

static const char *write_model(const Case *test) {
    static const float zeros[MAX_WEIGHTS];
    static const int64_t any[] = {-1, -1, -1, -1};
    Proto model = {0}, graph = {0}, node = {0}, weights = {0};
    node = make_node(test->op, "", "x w b", "y");
    proto_int_attribute(&node, "group", test->group);
    proto_message(&graph, GRAPH_NODE, &node);
    proto_text(&graph, 2, "test");
    proto_value(&graph, GRAPH_INPUT, "x", FLOAT, test->x, 4);
    if (test->with_constant_weights) {
        for (int i = 0; i < 4; i++)
            proto_int(&weights, 1, test->w[i]);
        proto_int(&weights, 2, FLOAT);
        proto_text(&weights, 8, "w");
        proto_bytes(&weights, 9, zeros,
                    (size_t)(test->w[0] * test->w[1] * test->w[2] * test->w[3]) * sizeof *zeros);
        proto_message(&graph, GRAPH_INITIALIZER, &weights);
    } else {
        proto_value(&graph, GRAPH_INPUT, "w", FLOAT, test->w, 4);
    }
    proto_value(&graph, GRAPH_INPUT, "b", FLOAT, test->bias, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", FLOAT, any, 4);
    proto_int(&model, 1, 8);
    proto_message(&model, MODEL_GRAPH, &graph);
    put_opset(&model, 8, "", 17);
    char name[64];
    snprintf(name, sizeof name, "%s.onnx", test->name);
    const char *path = in_scratch(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(model.data, 1, model.size, file), model.size);
    fclose(file);
    proto_free(&model);
    return path;
}

static void no_reference_kernel_computes_them(void **state) {
    (void)state;
    static const Case cases[] = {
        {"dense", "Conv", {1, 20, 12, 12}, {20, 20, 3, 3}, {20}, 1, false, "conv_"},
        {"bias", "Conv", {1, 20, 12, 12}, {20, 20, 3, 3}, {20}, 1, true, "conv_"},
        {"correlation", "Conv", {1, 20, 12, 12}, {20, 1, 5, 5}, {20}, 20, false, "conv_depthwise"},
        {"groups", "Conv", {1, 32, 12, 12}, {32, 8, 3, 3}, {32}, 4, false, "conv_"},
        {"transposed", "ConvTranspose", {1, 20, 6, 6}, {20, 20, 2, 2}, {20}, 1, false, "conv_transpose"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Result *result = expect(0, strider("info", write_model(&cases[i]), "--memory", NULL));
        if (!strstr(result->out, cases[i].kernel) || strstr(result->out, "reference"))
            fail_msg("%s:\n%s", cases[i].name, result->out);
    }
}

int run_weights_tests(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_reference_kernel_computes_them)};
    return cmocka_run_group_tests_name("weights of each run", tests, NULL, NULL);
}
