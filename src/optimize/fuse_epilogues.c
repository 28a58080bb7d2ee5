/* SPDX-License-Identifier: Apache-2.0 */
/* An activation, or the Add of a residual, after Conv, ConvTranspose, Gemm, MatMul or a normalisation by
 * statistics of its input becomes a post-operation of that node, applied while the results are still in
 * registers; an activation after BatchNormalization likewise. */
#include "ops/math/binary.h"
#include "ops/math/matmul.h"
#include "ops/math/unary.h"
#include "ops/post_ops.h"
#include "optimize/parts.h"
#include "optimize/rewrite.h"

/* Kernels of float64 compute the product alone. */
static bool is_fused_type(const Value *value) {
    return dtype_is_float(value->type.dtype) && value->type.dtype != STRIDER_F64;
}

/* The post-operations of a node that may get more. */
static bool is_open(const Node *node, Epilogue *epilogue) {
    return (node->op->flags & OP_POST_OPS) && node->outputs[0] && is_fused_type(node->outputs[0]) &&
           node_epilogue(node, epilogue) && !epilogue->residual_last;
}

static Status fuse_activation(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    Unary activation;
    Epilogue epilogue;
    *fused = false;
    if (!is_open(node, &epilogue) || epilogue.activation.kind != UNARY_NONE ||
        !node_activation(next, &activation) || next->inputs[0] != node->outputs[0])
        return STRIDER_OK;
    TRY(parts_extend(graph, node, next, err));
    TRY(graph_add_activation(graph, node, activation, err));
    *fused = true;
    TRY(note_fused(graph, node, next->op->name, err));
    absorb(node, next);
    return STRIDER_OK;
}

/* The residual must be there when the node runs: made before it. */
static bool is_earlier(const Value *value, const Node *node) {
    return !value->producer || value->producer->index < node->index;
}

/* What an Add adds to a value; NULL where it is none that a node could do itself. */
static Value *added_to(const Node *add, const Value *y) {
    if (!is_op(add, OP_Add) || ((const BinaryAttrs *)add->attrs)->legacy_broadcast)
        return NULL;
    return add->inputs[0] == y ? add->inputs[1] : add->inputs[0];
}

/* Equal names of dimensions make equal sizes likely, no more. */
static Status fuse_residual(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    Value *y = node->outputs[0], *residual = added_to(next, y);
    Epilogue epilogue;
    *fused = false;
    if (!residual || !is_open(node, &epilogue) || is_op(node, OP_BatchNormalization) ||
        epilogue.residual_port >= 0 || residual == y || !is_earlier(residual, node) ||
        residual->type.dtype != y->type.dtype || !shape_equal(&residual->type.shape, &y->type.shape) ||
        y->type.shape.rank < 0)
        return STRIDER_OK;
    for (int d = 0; d < y->type.shape.rank; d++)
        if (y->type.shape.dims[d] == DIM_UNKNOWN)
            return STRIDER_OK;
    TRY(parts_begin(graph, node, next, err));
    TRY(graph_add_post_op(graph, node, (PostOp){.kind = POST_RESIDUAL}, residual, err));
    *fused = true;
    TRY(note_fused(graph, node, "Add", err));
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

/* The Add of a linear layer, as exporters write it after MatMul. */
static Status fuse_bias(Graph *graph, Node *node, Node *next, bool *fused, Error *err) {
    Value *y = node->outputs[0], *bias = added_to(next, y);
    *fused = false;
    if (!is_op(node, OP_MatMul) || !bias || node->n_post_ops || !is_fused_type(y) ||
        node->inputs[MATMUL_B]->type.shape.rank < 2 || !is_row(bias, &y->type.tensor))
        return STRIDER_OK;
    TRY(parts_extend(graph, node, next, err));
    TRY(graph_add_post_op(graph, node, (PostOp){.kind = POST_BIAS}, bias, err));
    *fused = true;
    TRY(note_fused(graph, node, "Add", err));
    absorb(node, next);
    return STRIDER_OK;
}

static Status fuse_after(Graph *graph, Node *node, Error *err) {
    Epilogue epilogue;
    for (bool fused = true; fused && is_open(node, &epilogue);) {
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
            TRY(fuse_after(graph, graph->nodes[i - 1], err));
    graph_compact(graph);
    return STRIDER_OK;
}
