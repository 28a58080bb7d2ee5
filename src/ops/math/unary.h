/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_UNARY_H
#define OPS_MATH_UNARY_H

#include "ops/math/activation.h"
#include "ops/math/function_kind.h"
#include "ops/op.h"

/* Whether a node is one of the activations: Relu, Clip with constant bounds, Sigmoid and so on, with no other
 * inputs. */
bool node_activation(const Node *node, Activation *activation);

/* The same of the other functions of one element: Exp, Abs and so on, Gelu's tanh form too. */
bool node_function(const Node *node, Function *function);

/* Adds a node for an activation that is an operator of its own (not Clip): inputs and output are the caller's
 * to connect. */
Status graph_add_activation(Graph *graph, Activation activation, const char *name, Node **node,
                            Error *err) MUST_CHECK;

/* The bounds of a Clip node, from its attributes or constant inputs (min and max of its type where absent);
 * false where they are not known before a run. */
bool clip_bounds(const Node *node, double *low, double *high);

#endif
