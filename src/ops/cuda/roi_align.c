/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/object_detection/roi_align.h"

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    return cuda_is_f32(&query->inputs[ROI_X]) && cuda_is_f32(&query->inputs[ROI_ROIS]) &&
           cuda_is_f32(&query->outputs[0]) && cuda_positions_fit(&query->inputs[ROI_X].type.shape) &&
           cuda_may_check(query, ROI_BATCHES, query->inputs[ROI_X].type.shape.dims[0]);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RoiAlignAttrs *attrs = query->node->attrs;
    const int64_t *x = query->inputs[ROI_X].type.shape.dims, count = cuda_elements(&query->outputs[0]);
    const struct RoiAlignArgs args = {.count = (int)count,
                                      .images = (int)x[0],
                                      .channels = (int)x[1],
                                      .in_height = (int)x[2],
                                      .in_width = (int)x[3],
                                      .height = (int)attrs->height,
                                      .width = (int)attrs->width,
                                      .sampling_ratio = (int)attrs->sampling_ratio,
                                      .spatial_scale = attrs->spatial_scale,
                                      .is_max = attrs->is_max,
                                      .half_pixel = attrs->half_pixel,
                                      .are_i64 = query->inputs[ROI_BATCHES].type.dtype == STRIDER_I64,
                                      .check = cuda_check(query, ROI_BATCHES, x[0], "image", ctx)};
    Launch launch = launch_each((const void *)k_roi_align, count);
    launch.n_inputs = ROI_INPUTS;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_roi_align, OP_RoiAlign, accepts, prepare)
