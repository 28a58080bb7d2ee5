/* SPDX-License-Identifier: Apache-2.0 */
/* Small steps that passes are made of. */
#ifndef OPTIMIZE_REWRITE_H
#define OPTIMIZE_REWRITE_H

#include "graph/attrs.h"
#include "graph/op.h"
#include "ops/op_kind.h"
#include "optimize/optimize.h"

bool is_op(const Node *node, OpKind kind); /* false for NULL and for removed nodes */

/* The node that makes a value, where it is of that operator and only one node reads the value; else NULL. */
Node *made_by(const Value *value, OpKind kind);

/* Lets the node at the front of a pair write what the one after it wrote, and removes that one: `front` must
 * have one output, which nobody but `next` reads.  Types and names of outputs are those of `next`. */
void absorb(Node *front, Node *next);

/* A new constant of one dimension; `dtype` a float type. */
Status add_vector(Graph *graph, const char *stem, DType dtype, const double *values, int64_t count,
                  Value **value, Error *err) MUST_CHECK;

/* A node of an operator of the domain ai.onnx at opset 18 with attributes as a model would state them, on
 * behalf of `node`, and its one output, whose type is inferred. */
Status add_stated(Graph *graph, const Node *node, const char *op, const Attr *attrs, size_t n_attrs,
                  Value *const *inputs, int n_inputs, Value **result, Error *err) MUST_CHECK;

/* A new constant of one dimension, of int64. */
Status add_integers(Graph *graph, const char *stem, const int64_t *values, int64_t count, Value **value,
                    Error *err) MUST_CHECK;

/* A constant float of one element; false where it is none. */
bool scalar_constant(const Value *value, double *number);

/* Makes the output of a Gather or Slice a constant where that takes only dimensions that are known from a
 * Shape; the node stays.  `*folded` says whether it did. */
Status fold_known_dims(Graph *graph, Node *node, bool *folded, Error *err) MUST_CHECK;

/* Adds a word such as "Relu" to what was fused into a node. */
Status note_fused(Graph *graph, Node *node, const char *what, Error *err) MUST_CHECK;

#endif
