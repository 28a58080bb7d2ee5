/* SPDX-License-Identifier: Apache-2.0 */
/* Small models, put together from nodes. */
#ifndef TESTS_TINY_MODEL_H
#define TESTS_TINY_MODEL_H

#include "support/proto_writer.h"

enum {
    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_FUNCTION = 25
};
enum { ONNX_FLOAT = 1, ONNX_INT64 = 7 };

void put_opset(Proto *to, int field, const char *domain, int64_t version);
/* Inputs are names with spaces between; "-" is an absent one. */
Proto make_node(const char *op, const char *domain, const char *inputs, const char *output);
void put_node(Proto *to, int field, const char *op, const char *domain, const char *inputs,
              const char *output);
/* An initializer; `elem_type` is ONNX's number. */
void put_tensor(Proto *graph, const char *name, int elem_type, int rank, const int64_t *dims,
                const void *data, size_t size_bytes);
/* The same of floats in one dimension. */
void put_weight(Proto *graph, const char *name, const float *values, int64_t count);
/* A graph with input x and output y of `size` floats, to which nodes are added. */
Proto start_graph(int64_t size);
/* The model of a graph, which is freed, for an opset of ONNX's own domain. */
Proto make_model(Proto *graph, int64_t ir, int64_t opset);
/* The same at opset 17, with a domain for functions and one that nobody uses. */
Proto finish_model(Proto *graph, int64_t ir);

#endif
