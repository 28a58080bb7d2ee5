/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/post_ops.h"

#include "ops/math/unary.h"

static bool take(Epilogue *epilogue, const PostOp *op) {
    const bool is_activated = epilogue->activation.kind != UNARY_NONE,
               has_residual = epilogue->residual_port >= 0, is_affine = !is_activated && !has_residual;
    switch (op->kind) {
    case POST_SCALE:
        if (!is_affine || epilogue->scale_port >= 0 || epilogue->bias_port >= 0)
            return false;
        epilogue->scale_port = op->port;
        return true;
    case POST_BIAS:
        if (!is_affine || epilogue->bias_port >= 0)
            return false;
        epilogue->bias_port = op->port;
        return true;
    case POST_ACTIVATION:
        if (is_activated || op->function <= UNARY_NONE || op->function >= UNARY_ACTIVATIONS)
            return false;
        epilogue->activation = (Unary){(UnaryKind)op->function, op->alpha, op->beta};
        return true;
    case POST_RESIDUAL:
        if (has_residual)
            return false;
        epilogue->residual_port = op->port;
        epilogue->residual_last = is_activated;
        return true;
    }
    return false;
}

bool node_epilogue(const Node *node, Epilogue *epilogue) {
    *epilogue = (Epilogue){.scale_port = -1, .bias_port = -1, .residual_port = -1};
    for (int i = 0; i < node->n_post_ops; i++)
        if (!take(epilogue, &node->post_ops[i]))
            return false;
    return true;
}

Status graph_add_activation(Graph *graph, Node *node, Unary activation, Error *err) {
    const PostOp op = {.kind = POST_ACTIVATION,
                       .function = (int)activation.kind,
                       .alpha = activation.alpha,
                       .beta = activation.beta};
    return graph_add_post_op(graph, node, op, NULL, err);
}

static int64_t channel_of(const Op *op, const Shape *y, int64_t index) {
    const int axis = op->channel_axis < 0 ? op->channel_axis + y->rank : op->channel_axis;
    return index / shape_size(y, axis + 1, y->rank) % y->dims[axis];
}

double eval_post_ops(const EvalContext *ctx, int64_t index, double value) {
    const Node *node = ctx->node;
    const Shape *y = &ctx->outputs[0]->type.shape;
    for (int i = 0; i < node->n_post_ops; i++) {
        const PostOp *op = &node->post_ops[i];
        const Tensor *operand = op->port >= 0 ? ctx->inputs[op->port] : NULL;
        switch (op->kind) {
        case POST_SCALE:
            value *= tensor_get_f64(operand, channel_of(node->op, y, index));
            break;
        case POST_BIAS:
            value += tensor_get_f64(operand, channel_of(node->op, y, index));
            break;
        case POST_ACTIVATION:
            value = unary_apply((Unary){(UnaryKind)op->function, op->alpha, op->beta}, value);
            break;
        case POST_RESIDUAL:
            value += tensor_get_f64(operand, index);
            break;
        }
    }
    return value;
}

void eval_store_doubles(const EvalContext *ctx, const double *values) {
    Tensor *y = ctx->outputs[0];
    if (!ctx->node->n_post_ops) {
        tensor_store_doubles(y, values);
        return;
    }
    const int64_t count = tensor_elements(y);
    for (int64_t i = 0; i < count; i++)
        tensor_set_f64(y, i, eval_post_ops(ctx, i, values[i]));
}
