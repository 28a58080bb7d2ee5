/* SPDX-License-Identifier: Apache-2.0 */
/* Dimensions that are known among others that are not: a Gather or Slice of a Shape that takes only those. */
#include <string.h>

#include "graph/evaluate.h"
#include "optimize/rewrite.h"

enum { MAX_INPUTS = 5 }; /* Slice has as many */

static const Node *picked_shape(const Node *node) {
    const Node *shape = is_op(node, OP_Gather) || is_op(node, OP_Slice) ? node->inputs[0]->producer : NULL;
    if (!is_op(shape, OP_Shape) || shape->inputs[0]->type.shape.rank < 0)
        return NULL;
    for (int i = 1; i < node->n_inputs; i++)
        if (node->inputs[i] && !node->inputs[i]->constant)
            return NULL;
    return node->n_inputs <= MAX_INPUTS && value_type_is_known(&node->outputs[0]->type) ? shape : NULL;
}

/* Constants of a file may be unaligned. */
static Status copy_inputs(const Node *node, const Allocator *allocator, Tensor *copies, const Tensor **inputs,
                          Error *err) {
    for (int i = 1; i < node->n_inputs; i++) {
        const Tensor *constant = node->inputs[i] ? node->inputs[i]->constant : NULL;
        if (!constant)
            continue;
        TRY(tensor_alloc(&copies[i], allocator, constant->type.dtype, &constant->type.shape, err));
        if (constant->size_bytes)
            memcpy(copies[i].data, constant->data, constant->size_bytes);
        inputs[i] = &copies[i];
    }
    return STRIDER_OK;
}

/* A dimension that is not known is negative in a shape, so it is in what Shape makes of that, and stays so.
 */
static Status pick(const Node *node, const Node *shape, const Allocator *allocator, Tensor *copies,
                   Tensor *picked, Error *err) {
    const Tensor of = {.type = shape->inputs[0]->type.tensor};
    const Tensor *inputs[MAX_INPUTS] = {&copies[0]}, *shape_inputs[] = {&of};
    TRY(node_evaluate(shape, shape_inputs, &shape->outputs[0]->type, &copies[0], allocator, err));
    TRY(copy_inputs(node, allocator, copies, inputs, err));
    return node_evaluate(node, inputs, &node->outputs[0]->type, picked, allocator, err);
}

Status fold_known_dims(Graph *graph, Node *node, bool *folded, Error *err) {
    const Allocator *allocator = graph->region.allocator;
    const Node *shape = picked_shape(node);
    Tensor copies[MAX_INPUTS] = {0}, picked = {0};
    *folded = false;
    if (!shape)
        return STRIDER_OK;
    Status status = pick(node, shape, allocator, copies, &picked, err);
    for (int i = 0; i < MAX_INPUTS; i++)
        tensor_free(&copies[i]);
    TRY(status);
    *folded = true;
    for (int64_t i = 0; i < tensor_elements(&picked); i++)
        *folded = *folded && tensor_get_i64(&picked, i) >= 0;
    if (*folded)
        return graph_set_constant(graph, node->outputs[0], picked, err);
    tensor_free(&picked);
    return STRIDER_OK;
}
