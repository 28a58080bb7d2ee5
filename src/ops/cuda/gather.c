/* SPDX-License-Identifier: Apache-2.0 */
/* Gather, GatherElements and GatherND. */
#include "ops/tensor/gather.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/tensor/concat.h"

enum { GATHER_DATA, GATHER_INDICES };

static IndexedParts parts_of(const KernelQuery *query) {
    const void *attrs = query->node->attrs;
    const Shape *x = &query->inputs[GATHER_DATA].type.shape,
                *indices = &query->inputs[GATHER_INDICES].type.shape;
    if (query->node->op->kind == OP_Gather)
        return indexed_along_axis(((const AxisAttrs *)attrs)->axis, x, indices);
    if (query->node->op->kind == OP_GatherElements)
        return indexed_elements(((const AxisAttrs *)attrs)->axis, x, indices);
    return indexed_by_tuples(((const GatherNdAttrs *)attrs)->batch_dims, x, indices);
}

static bool accepts(KernelQuery *query) {
    if (!cuda_first_of(query, CUDA_FLOATS_AND_BOOLS) ||
        !cuda_is(&query->inputs[GATHER_INDICES], DTYPES_INDEX))
        return false;
    const IndexedParts parts = parts_of(query);
    return parts.rank <= KERNEL_DIMS && parts.depth <= KERNEL_DIMS &&
           (!query->inputs[GATHER_INDICES].constant || cuda_indices_fit(query, GATHER_INDICES, &parts));
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const IndexedParts parts = parts_of(query);
    const int64_t count = cuda_elements(&query->outputs[0]);
    const bool fit = cuda_indices_fit(query, GATHER_INDICES, &parts);
    struct GatherArgs args = {.count = (int)count,
                              .part = (int)parts.part,
                              .depth = parts.depth,
                              .are_bools = query->outputs[0].type.dtype == STRIDER_BOOL,
                              .are_i64 = query->inputs[GATHER_INDICES].type.dtype == STRIDER_I64,
                              .check = fit ? (KernelCheck){0} : cuda_run_check(query, ctx)};
    cuda_dims(parts.rank, parts.dims, 1, KERNEL_DIMS, args.dims);
    cuda_dims(parts.rank, parts.base, 0, KERNEL_DIMS, args.base);
    cuda_dims(parts.rank, parts.position, 0, KERNEL_DIMS, args.position);
    for (int d = 0; d < parts.depth; d++) {
        args.index_dims[d] = (int)parts.index_dims[d];
        args.steps[d] = (int)parts.steps[d];
    }
    Launch launch = launch_each((const void *)k_gather, count);
    launch.n_inputs = 2;
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_gather, OP_Gather, accepts, prepare)
CUDA_ROW(cuda_gather_elements, OP_GatherElements, accepts, prepare)
CUDA_ROW(cuda_gather_nd, OP_GatherND, accepts, prepare)
