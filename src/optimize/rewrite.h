/* SPDX-License-Identifier: Apache-2.0 */
/* Small steps that passes are made of. */
#ifndef OPTIMIZE_REWRITE_H
#define OPTIMIZE_REWRITE_H

#include "graph/op.h"
#include "optimize/optimize.h"

bool is_op(const Node *node, const char *name); /* of the ai.onnx domain */
bool is_graph_output(const Graph *graph, const Value *value);

/* The node that makes a value, where it is of that operator and only one node reads the value; else NULL.
 * Needs counts of uses. */
Node *made_by(const Value *value, const char *op);

/* The only node that reads `value`; NULL where there are several readers, or it is a graph output.  Needs
 * counts of uses. */
typedef struct Readers {
    Node **only; /* by value */
} Readers;
Status readers_find(const Graph *graph, Region *scratch, Readers *readers, Error *err) MUST_CHECK;
static inline Node *only_reader(const Readers *readers, const Value *value) {
    return value->uses == 1 ? readers->only[value->index] : NULL;
}

/* Lets the node at the front of a pair write what the one behind it wrote, and removes that one: `front` must
 * have one output, which only `behind` reads.  Types and names of outputs stay as they were behind. */
void absorb(Graph *graph, Node *front, Node *behind);

/* Makes room for inputs up to `count` ports (absent ones). */
Status widen_inputs(Graph *graph, Node *node, int count, Error *err) MUST_CHECK;
/* Connects an input, counting the use. */
void set_input(Node *node, int port, Value *value);

/* A new constant of one dimension; `dtype` a float type. */
Status add_vector(Graph *graph, const char *stem, DType dtype, const double *values, int64_t count,
                  Value **value, Error *err) MUST_CHECK;

/* A constant float of one element; false where it is none. */
bool scalar_constant(const Value *value, double *number);

/* Adds a word such as "Relu" to what was fused into a node. */
Status note_fused(Graph *graph, Node *node, const char *what, Error *err) MUST_CHECK;

#endif
