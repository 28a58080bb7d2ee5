/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool, AveragePool, and the poolings of whole planes. */
#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/pool.h"

static bool pool_accepts(KernelQuery *query) {
    return cuda_all_f32(query) && (query->n_outputs == 1 || !query->node->outputs[1]);
}

static bool window_accepts(KernelQuery *query) {
    WindowDim dims[MAX_SPATIAL];
    if (!pool_accepts(query))
        return false;
    pool_geometry(query->node->attrs, &query->inputs[0].type.shape, dims);
    return cuda_windows_fit(dims, MAX_SPATIAL);
}

static Status pool_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const PoolAttrs *attrs = query->node->attrs;
    const int64_t count = cuda_elements(&query->outputs[0]);
    WindowDim dims[MAX_SPATIAL];
    struct PoolArgs args = {.count = (int)count,
                            .is_max = strcmp(query->node->op->name, "MaxPool") == 0,
                            .count_include_pad = attrs->count_include_pad};
    pool_geometry(attrs, &query->inputs[0].type.shape, dims);
    for (int i = 0; i < MAX_SPATIAL; i++)
        args.axes[i] = cuda_axis(&dims[i]);
    const Launch launch = launch_each((const void *)k_pool, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

static Status plane_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const Shape *x = &query->inputs[0].type.shape;
    const struct PlaneArgs args = {.count = (int)shape_size(x, 2, x->rank),
                                   .is_max = strcmp(query->node->op->name, "GlobalMaxPool") == 0};
    const Launch launch = launch_teams((const void *)k_plane, shape_size(x, 0, 2));
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

#define ROW(ROW_NAME, OP, ACCEPTS, PREPARE)                                                                  \
    const Kernel ROW_NAME = {                                                                                \
        .name = #ROW_NAME, .op = OP, .accepts = ACCEPTS, .cost = cuda_cost, .prepare = PREPARE};

ROW(cuda_max_pool, "MaxPool", window_accepts, pool_prepare)
ROW(cuda_average_pool, "AveragePool", window_accepts, pool_prepare)
ROW(cuda_global_average_pool, "GlobalAveragePool", pool_accepts, plane_prepare)
ROW(cuda_global_max_pool, "GlobalMaxPool", pool_accepts, plane_prepare)
