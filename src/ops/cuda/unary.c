/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element. */
#include "ops/math/unary.h"

#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"

static bool accepts(KernelQuery *query) {
    Unary unary;
    if (!node_unary(query->node, &unary))
        return false;
    for (int i = 1; i < query->n_inputs; i++) /* Clip's bounds, which are constants */
        query->inputs[i].packed = true;
    return cuda_all_of(query, CUDA_FLOATS_AND_BOOLS);
}

/* By the kernel that has these alone: it takes fewer registers. */
static Status prepare_activation(const KernelQuery *query, Unary activation, PrepareContext *ctx,
                                 KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    const struct FinishArgs args = {.count = (int)count, .plane = 1, .columns = 1, .activation = activation};
    const Launch launch = launch_each((const void *)k_finish, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct UnaryArgs args = {.count = (int)count,
                             .takes_bools = query->inputs[0].type.dtype == STRIDER_BOOL,
                             .gives_bools = query->outputs[0].type.dtype == STRIDER_BOOL};
    node_unary(query->node, &args.unary);
    if (args.unary.kind < UNARY_ACTIVATIONS)
        return prepare_activation(query, args.unary, ctx, instance);
    const Launch launch = launch_each((const void *)k_unary, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

#define ROW(NAME, ROW_NAME) CUDA_ROW(cuda_##ROW_NAME, OP_##NAME, accepts, prepare, .overwrites = 1)
#define UNARY(KIND, NAME, ROW_NAME, ...) ROW(NAME, ROW_NAME)
#include "ops/math/unary_list.inc"
ROW(Clip, clip)
ROW(Not, not )
ROW(IsNaN, is_nan)
ROW(IsInf, is_inf)
