/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/post_op.h"

#include <string.h>

#include "graph/op.h"

static Status no_memory(Error *err) {
    return fail(err, STRIDER_OUT_OF_MEMORY, "out of memory for the graph");
}

Status graph_add_post_op(Graph *graph, Node *node, PostOp added, Value *operand, Error *err) {
    const size_t n = (size_t)node->n_post_ops;
    /* An array of its own: a copy of the node may have the one that it had. */
    PostOp *list = region_alloc_array(&graph->region, n + 1, sizeof *list);
    if (!list)
        return no_memory(err);
    if (n)
        memcpy(list, node->post_ops, n * sizeof *list);
    added.port = -1;
    if (operand) {
        const int own = node->op->inputs.max;
        added.port = node->n_inputs > own ? node->n_inputs : own;
        TRY(graph_widen_inputs(graph, node, added.port + 1, err));
        node_set_input(node, added.port, operand);
    }
    list[n] = added;
    node->post_ops = list;
    node->n_post_ops++;
    return STRIDER_OK;
}

void node_drop_post_ops(Node *node) {
    node_drop_inputs(node, node_own_inputs(node));
    node->n_post_ops = 0;
}

const PostOp *node_post_op(const Node *node, PostOpKind kind) {
    for (int i = 0; i < node->n_post_ops; i++)
        if (node->post_ops[i].kind == kind)
            return &node->post_ops[i];
    return NULL;
}

/* The dimension that scales and biases go along, where it is known; else less than 0. */
static int64_t channels_of(const Op *op, const Shape *y) {
    const int axis = op->channel_axis < 0 ? op->channel_axis + y->rank : op->channel_axis;
    return axis >= 0 && axis < y->rank ? y->dims[axis] : DIM_UNKNOWN;
}

/* A value for each channel: [channels], after dimensions of 1 as exporters write them. */
static bool fits_channels(const Shape *shape, int64_t channels) {
    for (int d = 0; d < shape->rank - 1; d++)
        if (shape->dims[d] >= 0 && shape->dims[d] != 1)
            return false;
    return shape->rank >= 1 && (shape->dims[shape->rank - 1] < 0 || shape->dims[shape->rank - 1] == channels);
}

Status node_check_post_ops(const Node *node, const ValueType *inputs, const ValueType *y, Error *err) {
    for (int i = 0; i < node->n_post_ops; i++) {
        const PostOp *op = &node->post_ops[i];
        const ValueType *operand = op->port >= 0 ? &inputs[op->port] : NULL;
        if (!operand)
            continue;
        if (operand->dtype && y->dtype && operand->dtype != y->dtype)
            return node_fail(node, err, STRIDER_BAD_MODEL,
                             "operand %d of a post-operation is %s, the output %s", op->port,
                             dtype_name(operand->dtype), dtype_name(y->dtype));
        const int64_t channels = channels_of(node->op, &y->shape);
        const Shape *shape = &operand->shape;
        if (op->kind == POST_RESIDUAL || shape->rank < 0 || channels < 0)
            continue;
        if (!fits_channels(shape, channels))
            return node_fail(node, err, STRIDER_BAD_MODEL,
                             "operand %d of a post-operation does not fit %lld channels", op->port,
                             (long long)channels);
    }
    return STRIDER_OK;
}
