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

const Kernel cuda_softmax = {
    .name = "cuda_softmax", .op = "Softmax", .accepts = accepts, .cost = cuda_cost, .prepare = prepare};
const Kernel cuda_log_softmax = {.name = "cuda_log_softmax",
                                 .op = "LogSoftmax",
                                 .accepts = accepts,
                                 .cost = cuda_cost,
                                 .prepare = prepare};
