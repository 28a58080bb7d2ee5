/* SPDX-License-Identifier: Apache-2.0 */
#include "support/tiny_model.h"

#include <stdio.h>
#include <string.h>

void put_opset(Proto *to, int field, const char *domain, int64_t version) {
    Proto opset = {0};
    proto_text(&opset, 1, domain);
    proto_int(&opset, 2, version);
    proto_message(to, field, &opset);
}

Proto make_node(const char *op, const char *domain, const char *inputs, const char *output) {
    Proto node = {0};
    char text[100], *rest = NULL;
    snprintf(text, sizeof text, "%s", inputs);
    for (char *name = strtok_r(text, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        proto_text(&node, 1, strcmp(name, "-") == 0 ? "" : name);
    proto_text(&node, 2, output);
    proto_text(&node, 4, op);
    proto_text(&node, 7, domain);
    return node;
}

void put_node(Proto *to, int field, const char *op, const char *domain, const char *inputs,
              const char *output) {
    Proto node = make_node(op, domain, inputs, output);
    proto_message(to, field, &node);
}

Proto start_graph(int64_t size) {
    Proto graph = {0};
    proto_value(&graph, GRAPH_INPUT, "x", 1, &size, 1);
    proto_value(&graph, GRAPH_OUTPUT, "y", 1, &size, 1);
    return graph;
}

Proto make_model(Proto *graph, int64_t ir, int64_t opset) {
    Proto model = {0};
    proto_int(&model, 1, ir);
    put_opset(&model, MODEL_OPSET, "", opset);
    proto_message(&model, MODEL_GRAPH, graph);
    return model;
}

Proto finish_model(Proto *graph, int64_t ir) {
    Proto model = make_model(graph, ir, 17);
    put_opset(&model, MODEL_OPSET, "local", 1);
    put_opset(&model, MODEL_OPSET, "an.unused.domain", 99);
    return model;
}

void put_tensor(Proto *graph, const char *name, int elem_type, int rank, const int64_t *dims,
                const void *data, size_t size_bytes) {
    Proto tensor = {0};
    for (int i = 0; i < rank; i++)
        proto_int(&tensor, 1, dims[i]);
    proto_int(&tensor, 2, elem_type);
    proto_text(&tensor, 8, name);
    proto_bytes(&tensor, 9, data, size_bytes);
    proto_message(graph, GRAPH_INITIALIZER, &tensor);
}

void put_weight(Proto *graph, const char *name, const float *values, int64_t count) {
    put_tensor(graph, name, ONNX_FLOAT, 1, &count, values, (size_t)count * sizeof *values);
}
