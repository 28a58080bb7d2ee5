/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/softmax.h"

#include <string.h>

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    return cuda_all_f32(query);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const SoftmaxGeometry g = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    const struct SoftmaxArgs args = {.count = (int)g.count,
                                     .inner = (int)g.inner,
                                     .is_log = strcmp(query->node->op->name, "LogSoftmax") == 0};
    const Launch launch = launch_teams((const void *)k_softmax, g.outer * g.inner);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

CUDA_ROW(cuda_softmax, "Softmax", accepts, prepare)
CUDA_ROW(cuda_log_softmax, "LogSoftmax", accepts, prepare)
