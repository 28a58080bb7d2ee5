/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_UNARY_H
#define OPS_MATH_UNARY_H

#include "ops/math/unary_kind.h"
#include "ops/op.h"

/* The plain definition, in float64: what every fast version is tested against. */
double unary_apply(Unary unary, double x);
/* "Relu": of the operator that is this function; "" where that has other forms, or there is none. */
const char *unary_name(UnaryKind kind);

/* The function that a node applies to each element: Relu, Exp, a Clip with constant bounds and so on; false
 * where it is none. */
bool node_unary(const Node *node, Unary *unary);
/* The same where it may be a post-operation of another node. */
bool node_activation(const Node *node, Unary *activation);

/* Adds a node of the operator of a function, of unary_list.inc: inputs and output are the caller's to
 * connect. */
Status graph_add_unary(Graph *graph, Unary unary, const char *name, Node **node, Error *err) MUST_CHECK;

/* The bounds of a Clip node, from its attributes or constant inputs (min and max of its type where absent);
 * false where they are not known before a run. */
bool clip_bounds(const Node *node, double *low, double *high);

#endif
