/* SPDX-License-Identifier: Apache-2.0 */
/* Post-operations: what a node does to its first output besides its operator's arithmetic, while the results
 * are at hand.  Passes put them into a node's list in the place of nodes of their own, and they follow in the
 * order of the list. */
#ifndef GRAPH_POST_OP_H
#define GRAPH_POST_OP_H

typedef enum PostOpKind {
    POST_SCALE,      /* y = y * operand, which has a value for each element along Op.channel_axis */
    POST_BIAS,       /* y = y + operand, likewise */
    POST_ACTIVATION, /* y = function(y) */
    POST_RESIDUAL    /* y = y + operand, of the output's shape */
} PostOpKind;

typedef struct PostOp {
    PostOpKind kind;
    int port;          /* the node's input that is the operand; -1 for an activation */
    int function;      /* of an activation: UnaryKind of ops/math/unary_kind.h */
    float alpha, beta; /* the function's numbers */
} PostOp;

#endif
