/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/math/softmax.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const SoftmaxGeometry g = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    const struct SoftmaxArgs args = {
        .count = (int)g.count, .inner = (int)g.inner, .is_log = query->node->op->kind == OP_LogSoftmax};
    const Launch launch = launch_teams((const void *)k_softmax, g.outer * g.inner);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

static Status hardmax_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const SoftmaxGeometry g = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    const struct HardmaxArgs args = {
        .groups = (int)count_of(g.outer, g.inner), .count = (int)g.count, .inner = (int)g.inner};
    const Launch launch = launch_each((const void *)k_hardmax, args.groups);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_softmax, OP_Softmax, accepts, prepare)
CUDA_ROW(cuda_log_softmax, OP_LogSoftmax, accepts, prepare)
CUDA_ROW(cuda_hardmax, OP_Hardmax, accepts, hardmax_prepare)
