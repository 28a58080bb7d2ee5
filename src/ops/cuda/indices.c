/* SPDX-License-Identifier: Apache-2.0 */
/* Which indices are known to be in range before a run.  Others a kernel checks, and tells the host of one
 * that is not; constants that are not in range are left to the reference, which names the first. */
#include <limits.h>
#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/math/topk.h"
#include "ops/reduction/arg_reduce.h"
#include "ops/tensor/concat.h"

enum { MAX_NODES = 16 }; /* that are looked through for the node that makes indices */

/* Operators that only move or repeat elements of their first input. */
static bool moves_elements(const Node *node) {
    static const int kinds[] = {OP_Identity, OP_Reshape, OP_Flatten,        OP_Squeeze,  OP_Unsqueeze,
                                OP_Expand,   OP_Tile,    OP_Transpose,      OP_Slice,    OP_Split,
                                OP_Gather,   OP_Cast,    OP_GatherElements, OP_GatherND, OP_Dropout};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (node->op->kind == kinds[i])
            return node->inputs[0]->type.dtype == node->outputs[0]->type.dtype ||
                   (dtype_is_integer(node->inputs[0]->type.dtype) &&
                    node->outputs[0]->type.dtype == STRIDER_I64);
    return false;
}

/* All elements are in [0, result); -1 where that is not known. */
static int64_t limit_of(const KernelQuery *query, const Value *value, int *nodes);

static int64_t limit_of_inputs(const KernelQuery *query, const Node *node, int *nodes) {
    int64_t limit = 0;
    for (int i = 0; i < node->n_inputs; i++) {
        const int64_t one = limit_of(query, node->inputs[i], nodes);
        if (one < 0)
            return -1;
        limit = limit > one ? limit : one;
    }
    return limit;
}

static int64_t limit_of_constant(const Tensor *constant) {
    int64_t limit = 0;
    for (int64_t i = 0; i < tensor_elements(constant); i++) {
        const int64_t value = tensor_get_i64(constant, i);
        if (value < 0)
            return -1;
        limit = value >= limit ? value + 1 : limit;
    }
    return limit;
}

static int64_t size_of_axis(const Shape *shape, int64_t axis) {
    return shape_is_known(shape) ? shape->dims[axis_resolve(axis, shape->rank)] : -1;
}

/* Of what a node chooses positions of. */
static int64_t limit_of_positions(const Node *node, int port, const Shape *x) {
    const int kind = node->op->kind;
    if (kind == OP_ArgMax || kind == OP_ArgMin)
        return size_of_axis(x, ((const ArgReduceAttrs *)node->attrs)->axis);
    if (kind == OP_TopK && port == 1)
        return size_of_axis(x, ((const TopKAttrs *)node->attrs)->axis);
    if (kind == OP_MaxPool && port == 1)
        return shape_is_known(x) ? shape_elements(x) : -1;
    return -1;
}

static int64_t limit_of(const KernelQuery *query, const Value *value, int *nodes) {
    const Node *node = value->producer;
    if (value->constant)
        return limit_of_constant(value->constant);
    if (!node || ++*nodes > MAX_NODES)
        return -1;
    if (moves_elements(node))
        return limit_of(query, node->inputs[0], nodes);
    if (node->op->kind == OP_Concat)
        return limit_of_inputs(query, node, nodes);
    const Type *x = node->n_inputs && node->inputs[0] ? query_type(query, node->inputs[0]) : NULL;
    for (int port = 0; x && port < node->n_outputs; port++)
        if (node->outputs[port] == value)
            return limit_of_positions(node, port, &x->shape);
    return -1;
}

bool cuda_indices_below(const KernelQuery *query, int port, int64_t size) {
    int nodes = 0;
    const int64_t limit = limit_of(query, query->node->inputs[port], &nodes);
    return limit >= 0 && limit <= size;
}

bool cuda_indices_fit(const KernelQuery *query, int port, const IndexedParts *parts) {
    const Tensor *constant = query->inputs[port].constant;
    if (!constant) {
        for (int d = 0; d < parts->depth; d++)
            if (!cuda_indices_below(query, port, parts->index_dims[d]))
                return false;
        return true;
    }
    IndexedWalk walk = indexed_walk(parts, constant);
    int64_t at;
    for (int64_t i = indexed_count(parts); i > 0; i--)
        if (!indexed_next(&walk, &at))
            return false;
    return true;
}

bool cuda_may_check(const KernelQuery *query, int port, int64_t size) {
    return cuda_is(&query->inputs[port], DTYPES_INDEX) && size <= INT_MAX &&
           (!query->inputs[port].constant || cuda_indices_below(query, port, size));
}

KernelCheck cuda_run_check(const KernelQuery *query, PrepareContext *ctx) {
    const CudaDevice *device = (const CudaDevice *)ctx->device;
    return (KernelCheck){(KernelFault *)(void *)device->fault.memory, query->node, NULL};
}

KernelCheck cuda_check(const KernelQuery *query, int port, int64_t size, const char *what,
                       PrepareContext *ctx) {
    const bool is_known = !cuda_has_input(query, port) || cuda_indices_below(query, port, size);
    KernelCheck check = is_known ? (KernelCheck){0} : cuda_run_check(query, ctx);
    check.what = what;
    return check;
}
