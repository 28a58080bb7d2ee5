/* SPDX-License-Identifier: Apache-2.0 */
/* An activation, or the Add of a residual, behind Conv, ConvTranspose, Gemm or MatMul becomes the end of that
 * node's own arithmetic, applied while the results are still in registers; an activation behind
 * BatchNormalization likewise. */
#include "ops/math/binary.h"
#include "ops/math/gemm.h"
#include "ops/math/matmul.h"
#include "ops/math/unary.h"
#include "ops/nn/batch_norm.h"
#include "ops/nn/conv.h"
#include "optimize/parts.h"
#include "optimize/rewrite.h"

/* Where a node keeps its epilogue and takes its residual; NULL for nodes that have none. */
static Epilogue *epilogue_of(const Node *node, int *residual_port) {
    if (is_op(node, OP_Conv) || is_op(node, OP_ConvTranspose)) {
        *residual_port = CONV_RESIDUAL;
        return &((ConvAttrs *)node->attrs)->epilogue;
    }
    if (is_op(node, OP_Gemm)) {
        *residual_port = GEMM_RESIDUAL;
        return &((GemmAttrs *)node->attrs)->epilogue;
    }
    if (is_op(node, OP_MatMul)) {
        *residual_port = MATMUL_RESIDUAL;
        return &((MatMulAttrs *)node->attrs)->epilogue;
    }
    return NULL;
}

static bool is_complete(const Epilogue *epilogue) {
    return epilogue->has_residual && epilogue->residual_last;
}

/* Where a node keeps the activation behind it; NULL for nodes that have none. */
static Unary *activation_of(const Node *node) {
    int port;
    Epilogue *epilogue = epilogue_of(node, &port);
    if (epilogue)
        return is_complete(epilogue) ? NULL : &epilogue->activation;
    return is_op(node, OP_BatchNormalization) ? &((BatchNormAttrs *)node->attrs)->activation : NULL;
}

static Status fuse_activation(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    Unary activation, *own = activation_of(node);
    *fused = false;
    if (!own || own->kind != UNARY_NONE || !node_activation(next, &activation) ||
        next->inputs[0] != node->outputs[0])
        return STRIDER_OK;
    TRY(parts_extend(graph, node, next, err));
    *own = activation;
    *fused = true;
    TRY(note_fused(graph, node, next->op->name, err));
    absorb(node, next);
    return STRIDER_OK;
}

/* The residual must be there when the node runs: made before it. */
static bool is_earlier(const Value *value, const Node *node) {
    return !value->producer || value->producer->index < node->index;
}

/* Equal names of dimensions make equal sizes likely, no more. */
static Status fuse_residual(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    Value *y = node->outputs[0];
    int port;
    Epilogue *epilogue = epilogue_of(node, &port);
    *fused = false;
    if (!epilogue || !is_op(next, OP_Add) || epilogue->has_residual ||
        ((const BinaryAttrs *)next->attrs)->legacy_broadcast)
        return STRIDER_OK;
    Value *residual = next->inputs[0] == y ? next->inputs[1] : next->inputs[0];
    if (residual == y || !is_earlier(residual, node) || residual->type.dtype != y->type.dtype ||
        !shape_equal(&residual->type.shape, &y->type.shape) || y->type.shape.rank < 0)
        return STRIDER_OK;
    for (int d = 0; d < y->type.shape.rank; d++)
        if (y->type.shape.dims[d] == DIM_UNKNOWN)
            return STRIDER_OK;
    TRY(parts_begin(graph, node, next, port, err));
    TRY(graph_widen_inputs(graph, node, port + 1, err));
    epilogue->has_residual = true;
    epilogue->residual_last = epilogue->activation.kind != UNARY_NONE;
    *fused = true;
    TRY(note_fused(graph, node, "Add", err));
    node_set_input(node, port, residual);
    absorb(node, next);
    return STRIDER_OK;
}

/* Whether a constant has a value for each column of a product, and is the same for all rows. */
static bool is_row(const Value *value, const Type *product) {
    const Shape *shape = &value->type.shape, *y = &product->shape;
    if (!value->constant || value->type.dtype != product->dtype || shape->rank < 1 || shape->rank > y->rank)
        return false;
    for (int d = 0; d < shape->rank - 1; d++)
        if (shape->dims[d] != 1)
            return false;
    return shape->dims[shape->rank - 1] == y->dims[y->rank - 1];
}

/* The Add of a linear layer, as exporters write it behind MatMul. */
static Status fuse_bias(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    *fused = false;
    if (!is_op(node, OP_MatMul) || !is_op(next, OP_Add) ||
        ((const BinaryAttrs *)next->attrs)->legacy_broadcast)
        return STRIDER_OK;
    const Epilogue *epilogue = &((const MatMulAttrs *)node->attrs)->epilogue;
    Value *y = node->outputs[0], *bias = next->inputs[0] == y ? next->inputs[1] : next->inputs[0];
    if (epilogue->has_residual || epilogue->activation.kind != UNARY_NONE || node->n_inputs > MATMUL_BIAS ||
        !dtype_is_float(y->type.dtype) || node->inputs[MATMUL_B]->type.shape.rank < 2 ||
        !is_row(bias, &y->type.tensor))
        return STRIDER_OK;
    TRY(graph_widen_inputs(graph, node, MATMUL_BIAS + 1, err));
    *fused = true;
    TRY(note_fused(graph, node, "Add", err));
    node_set_input(node, MATMUL_BIAS, bias);
    absorb(node, next);
    return STRIDER_OK;
}

static Status fuse_behind(Graph *graph, Node *node, Error *err) {
    for (bool fused = activation_of(node) != NULL; fused;) {
        Node *next = only_reader(node->outputs[0]);
        if (!next)
            return STRIDER_OK;
        TRY(fuse_bias(graph, node, next, &fused, err));
        if (!fused)
            TRY(fuse_activation(graph, node, next, &fused, err));
        if (!fused)
            TRY(fuse_residual(graph, node, next, &fused, err));
    }
    return STRIDER_OK;
}

Status pass_fuse_epilogues(Graph *graph, Error *err) {
    /* From the end: of two nodes whose results are added, only the later one can take the other's as its
     * residual. */
    for (size_t i = graph->n_nodes; i > 0; i--)
        if (!graph->nodes[i - 1]->removed)
            TRY(fuse_behind(graph, graph->nodes[i - 1], err));
    graph_compact(graph);
    return STRIDER_OK;
}
