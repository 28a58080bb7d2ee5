/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool and AveragePool. */
#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/pool.h"

static bool accepts(KernelQuery *query) {
    WindowDim dims[MAX_SPATIAL];
    if (!cuda_all_f32(query) || !cuda_has_one_output(query))
        return false;
    pool_geometry(query->node->attrs, &query->inputs[0].type.shape, dims);
    return cuda_windows_fit(dims, MAX_SPATIAL);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
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

CUDA_ROW(cuda_max_pool, "MaxPool", accepts, prepare)
CUDA_ROW(cuda_average_pool, "AveragePool", accepts, prepare)
