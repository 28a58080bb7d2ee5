/* SPDX-License-Identifier: Apache-2.0 */
/* DepthToSpace and SpaceToDepth of plain tensors of any type: one permutation. */
#include "ops/tensor/depth_space.h"

#include "ops/cpu/strided_copy.h"

static bool depth_space_accepts(KernelQuery *query) {
    query->inputs[0].layout = query->outputs[0].layout = layout_plain();
    return query->inputs[0].type.dtype != STRIDER_DTYPE_NONE;
}

static double depth_space_cost(const KernelQuery *query) {
    return cpu_memory_cost(8 * (double)shape_elements(&query->inputs[0].type.shape) *
                           (double)dtype_size(query->inputs[0].type.dtype));
}

static Status depth_space_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const DepthSpaceGeometry g = depth_space_geometry(query->node->attrs, &query->inputs[0].type.shape);
    CopyBox box = {.rank = DEPTH_SPACE_DIMS};
    for (int64_t d = DEPTH_SPACE_DIMS - 1, stride = 1; d >= 0; stride *= g.dims[d--]) {
        box.dims[d] = g.dims[d];
        box.in_strides[d] = g.in_strides[d];
        box.out_strides[d] = stride;
    }
    return copy_prepare(&box, 1, dtype_size(query->inputs[0].type.dtype), ctx, instance);
}

const Kernel kernel_depth_to_space = {
    .name = "depth_to_space",
    .op = OP_DepthToSpace,
    .accepts = depth_space_accepts,
    .cost = depth_space_cost,
    .prepare = depth_space_prepare,
};

const Kernel kernel_space_to_depth = {
    .name = "space_to_depth",
    .op = OP_SpaceToDepth,
    .accepts = depth_space_accepts,
    .cost = depth_space_cost,
    .prepare = depth_space_prepare,
};
