/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that stand alone. */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/unary.h"

static bool accepts(KernelQuery *query) {
    Activation activation;
    if (!node_activation(query->node, &activation) || !cuda_all_f32(query))
        return false;
    for (int i = 1; i < query->n_inputs; i++) /* Clip's bounds, which are constants */
        query->inputs[i].packed = true;
    return true;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct FinishArgs args = {.count = (int)count, .plane = 1, .columns = 1};
    node_activation(query->node, &args.activation);
    const Launch launch = launch_each((const void *)k_finish, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, prepared);
}

#define ROW(ROW_NAME, OP)                                                                                    \
    const Kernel ROW_NAME = {.name = #ROW_NAME,                                                              \
                             .op = OP,                                                                       \
                             .accepts = accepts,                                                             \
                             .cost = cuda_cost,                                                              \
                             .prepare = prepare,                                                             \
                             .overwrites = 1};

ROW(cuda_relu, "Relu")
ROW(cuda_leaky_relu, "LeakyRelu")
ROW(cuda_clip, "Clip")
ROW(cuda_sigmoid, "Sigmoid")
ROW(cuda_hard_sigmoid, "HardSigmoid")
ROW(cuda_hard_swish, "HardSwish")
ROW(cuda_swish, "Swish")
ROW(cuda_tanh, "Tanh")
ROW(cuda_elu, "Elu")
ROW(cuda_softplus, "Softplus")
ROW(cuda_mish, "Mish")
ROW(cuda_gelu, "Gelu")
