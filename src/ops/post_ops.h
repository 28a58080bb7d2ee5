/* SPDX-License-Identifier: Apache-2.0 */
/* A node's post-operations as references and kernels take them. */
#ifndef OPS_POST_OPS_H
#define OPS_POST_OPS_H

#include "graph/op.h"
#include "ops/math/unary_kind.h"

/* y = activation(product * scale + bias + residual) or, where `residual_last`,
 *     activation(product * scale + bias) + residual */
typedef struct Epilogue {
    int scale_port, bias_port, residual_port; /* of the node; -1: none */
    bool residual_last;
    Unary activation;
} Epilogue;

/* What a node's list comes to; false where its post-operations stand in another order, which no kernel has.
 */
bool node_epilogue(const Node *node, Epilogue *epilogue);

/* Appends an activation to a node's list. */
Status graph_add_activation(Graph *graph, Node *node, Unary activation, Error *err) MUST_CHECK;

/* For references: what the post-operations make of element `index` of output 0. */
double eval_post_ops(const EvalContext *ctx, int64_t index, double value);
/* The same of all elements, which are then stored, rounded once. */
void eval_store_doubles(const EvalContext *ctx, const double *values);

#endif
