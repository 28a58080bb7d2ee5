/* SPDX-License-Identifier: Apache-2.0 */
/* MaxUnpool, where each index is known to be in range and to come once, so that threads do not meet: by
 * contents that are the same in every run, or by Indices of a MaxPool whose windows do not overlap. */
#include "ops/nn/max_unpool.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/nn/pool.h"

enum { MAX_CONSTANTS = 4096 }; /* that are compared with one another */

/* Each window has elements, and none that another one has. */
static bool windows_are_apart(const PoolAttrs *attrs, const Shape *x) {
    WindowDim dims[MAX_SPATIAL];
    pool_geometry(attrs, x, dims);
    for (int d = 0; d < MAX_SPATIAL; d++) {
        if ((dims[d].kernel - 1) * dims[d].dilation + 1 > dims[d].stride && dims[d].out > 1)
            return false;
        for (int64_t i = 0; i < dims[d].out; i++) {
            const WindowTaps taps = window_taps(&dims[d], i * dims[d].stride - dims[d].pad_begin, dims[d].in);
            if (taps.first == taps.end)
                return false;
        }
    }
    return true;
}

static bool come_from_pooling(const KernelQuery *query, int64_t size) {
    const Node *pool = query->node->inputs[UNPOOL_INDICES]->producer;
    if (!pool || pool->op->kind != OP_MaxPool)
        return false;
    const Type *x = query_type(query, pool->inputs[0]);
    return x && cuda_indices_below(query, UNPOOL_INDICES, size) && windows_are_apart(pool->attrs, &x->shape);
}

static bool are_distinct(const Tensor *indices, int64_t size) {
    const int64_t count = tensor_elements(indices);
    if (count > MAX_CONSTANTS)
        return false;
    for (int64_t i = 0; i < count; i++) {
        const int64_t index = tensor_get_i64(indices, i);
        if (index < 0 || index >= size)
            return false;
        for (int64_t k = 0; k < i; k++)
            if (tensor_get_i64(indices, k) == index)
                return false;
    }
    return true;
}

static bool accepts(KernelQuery *query) {
    const Operand *x = &query->inputs[UNPOOL_X], *indices = &query->inputs[UNPOOL_INDICES];
    if (!cuda_is_f32(x) || !cuda_is_f32(&query->outputs[0]) || !cuda_is(indices, DTYPE_BIT(STRIDER_I64)) ||
        !shape_equal(&x->type.shape, &indices->type.shape))
        return false;
    if (cuda_has_input(query, UNPOOL_SHAPE)) /* it shows in the output's shape */
        query->inputs[UNPOOL_SHAPE].packed = true;
    const Shape from = unpool_pooled_from(query->node->attrs, &x->type.shape);
    const int64_t size = shape_elements(&from);
    return indices->constant ? are_distinct(indices->constant, size) : come_from_pooling(query, size);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape from = unpool_pooled_from(query->node->attrs, &query->inputs[UNPOOL_X].type.shape);
    const int64_t count = cuda_elements(&query->inputs[UNPOOL_X]);
    int64_t strides[MAX_RANK];
    struct UnpoolArgs args[2] = {{.count = (int)cuda_elements(&query->outputs[0])}, {.count = (int)count}};
    shape_strides(&query->outputs[0].type.shape, strides);
    cuda_dims(from.rank, from.dims, 1, KERNEL_DIMS, args[1].dims);
    cuda_dims(from.rank, strides, 0, KERNEL_DIMS, args[1].strides);
    Launch launches[2] = {launch_each((const void *)k_unpool_begin, args[0].count),
                          launch_each((const void *)k_unpool, args[1].count)};
    launches[1].n_inputs = 2;
    return cuda_prepare_launches(ctx, launches, 2, args, sizeof *args, instance);
}

CUDA_ROW(cuda_max_unpool, OP_MaxUnpool, accepts, prepare)
