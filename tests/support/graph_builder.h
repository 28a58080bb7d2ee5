/* SPDX-License-Identifier: Apache-2.0 */
/* Small graphs, put together from nodes by the graph's own functions.  What fails fails the test. */
#ifndef TESTS_GRAPH_BUILDER_H
#define TESTS_GRAPH_BUILDER_H

#include "graph/graph.h"
#include "support/op_test.h"

extern Error error; /* of what failed last */

/* To be used in tests alone, which include cmocka. */
#define OK(EXPRESSION)                                                                                       \
    do {                                                                                                     \
        Status ok_status = (EXPRESSION);                                                                     \
        if (ok_status)                                                                                       \
            fail_msg("%s: %s", #EXPRESSION, error.message);                                                  \
    } while (0)

/* Of float32. */
Value *add_input(Graph *graph, const char *name, Shape shape);
/* Random numbers; where `low` is above 0, none below it. */
Value *add_constant(Graph *graph, const char *name, Shape shape, uint64_t seed, float low);
Value *add_scalar(Graph *graph, const char *name, float number);

typedef struct Attrs {
    Attr items[4];
} Attrs;

/* A node of ONNX's own domain with `n` inputs, whose output is called `name`. */
Value *add_of(Graph *graph, int opset, const char *op, const char *name, Attrs attrs, int n, Value **inputs);
Value *add(Graph *graph, const char *op, const char *name, Attrs attrs, int n, Value **inputs);
/* At an opset where axes are attributes. */
Value *add_old(Graph *graph, const char *op, const char *name, Attrs attrs, Value *x);
/* ADD("Add", "sum", a, b), to a graph that is called `graph`. */
#define ADD(OP, NAME, ...)                                                                                   \
    add(&graph, OP, NAME, (Attrs){0}, (int)(sizeof((Value *[]){__VA_ARGS__}) / sizeof(Value *)),             \
        (Value *[]){__VA_ARGS__})

/* With that output: sorted, valid, and with types. */
void finish(Graph *graph, Value *output);
size_t count_nodes(const Graph *graph, const char *op);

#endif
