/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool, AveragePool and LpPool; and GlobalLpPool for the p that are no reduction. */
#include "ops/nn/pool.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    WindowDim dims[MAX_SPATIAL];
    if (!cuda_is_f32(&query->inputs[0]) || !cuda_is_f32(&query->outputs[0]) || !query->outputs[0].type.dtype)
        return false;
    pool_geometry(query->node->attrs, &query->inputs[0].type.shape, dims);
    return cuda_windows_fit(dims, MAX_SPATIAL);
}

static Status prepare_pool(const KernelQuery *query, const void *kernel, PrepareContext *ctx,
                           KernelInstance *instance) {
    const PoolAttrs *attrs = query->node->attrs;
    const int64_t count = cuda_elements(&query->outputs[0]);
    WindowDim dims[MAX_SPATIAL];
    struct PoolArgs args = {.count = (int)count,
                            .is_max = query->node->op->kind == OP_MaxPool,
                            .count_include_pad = attrs->count_include_pad,
                            .column_major = attrs->column_major,
                            .p = (float)attrs->p};
    pool_geometry(attrs, &query->inputs[0].type.shape, dims);
    for (int i = 0; i < MAX_SPATIAL; i++)
        args.axes[i] = cuda_axis(&dims[i]);
    Launch launch = launch_each(kernel, count);
    launch.gives_indices = query->n_outputs > 1;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_pool(query, (const void *)k_pool, ctx, instance);
}

static Status norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_pool(query, (const void *)k_norm_pool, ctx, instance);
}

Status cuda_prepare_norm_of_planes(const KernelQuery *query, int64_t p, PrepareContext *ctx,
                                   KernelInstance *instance) {
    const Shape *x = &query->inputs[0].type.shape;
    const int plane = (int)shape_size(x, 2, x->rank);
    const KernelAxis one = {.in = 1, .out = 1, .kernel = 1, .stride = 1, .dilation = 1};
    struct PoolArgs args = {
        .count = (int)cuda_elements(&query->outputs[0]), .p = (float)p, .axes = {one, one, one}};
    args.axes[KERNEL_SPATIAL - 1].in = args.axes[KERNEL_SPATIAL - 1].kernel = plane;
    const Launch launch = launch_each((const void *)k_norm_pool, args.count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_max_pool, OP_MaxPool, accepts, prepare)
CUDA_ROW(cuda_average_pool, OP_AveragePool, accepts, prepare)
CUDA_ROW(cuda_lp_pool, OP_LpPool, accepts, norm_prepare)
