/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample and AffineGrid of up to three spatial dimensions. */
#include "ops/tensor/grid_sample.h"

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/tensor/affine_grid.h"

/* --- GridSample --- */

static int64_t sample_count(const KernelQuery *query) {
    const Shape *y = &query->outputs[0].type.shape;
    return count_of(y->dims[0], ceil_div(y->dims[1], SAMPLE_CHANNELS), shape_size(y, 2, y->rank));
}

static bool grid_sample_accepts(KernelQuery *query) {
    const Shape *x = &query->inputs[GRID_X].type.shape;
    return cuda_all_f32(query) && x->rank <= 2 + KERNEL_SPATIAL && cuda_positions_fit(x);
}

static Status grid_sample_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *x = &query->inputs[GRID_X].type.shape, *y = &query->outputs[0].type.shape;
    const int64_t count = sample_count(query);
    struct GridSampleArgs args = {.count = (int)count,
                                  .points = (int)shape_size(y, 2, y->rank),
                                  .channels = (int)x->dims[1],
                                  .parts = (int)ceil_div(x->dims[1], SAMPLE_CHANNELS),
                                  .spatial = x->rank - 2,
                                  .attrs = *(const GridSampleAttrs *)query->node->attrs};
    cuda_dims(args.spatial, x->dims + 2, 1, KERNEL_SPATIAL, args.dims);
    Launch launch = launch_each((const void *)k_grid_sample, count);
    launch.n_inputs = GRID_INPUTS;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

/* --- AffineGrid --- */

static bool affine_grid_accepts(KernelQuery *query) {
    query->inputs[AFFINE_SIZE].packed = true; /* it shows in the output's shape */
    return cuda_first_of(query, DTYPE_BIT(STRIDER_F32));
}

static Status affine_grid_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const AffineGridAttrs *attrs = query->node->attrs;
    const Shape *y = &query->outputs[0].type.shape;
    struct AffineGridArgs args = {.spatial = y->rank - 2,
                                  .points = (int)shape_size(y, 1, y->rank - 1),
                                  .align_corners = attrs->align_corners};
    args.count = (int)y->dims[0] * args.points;
    cuda_dims(args.spatial, y->dims + 1, 1, KERNEL_SPATIAL, args.dims);
    const Launch launch = launch_each((const void *)k_affine_grid, args.count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_grid_sample, OP_GridSample, grid_sample_accepts, grid_sample_prepare)
CUDA_ROW(cuda_affine_grid, OP_AffineGrid, affine_grid_accepts, affine_grid_prepare)
