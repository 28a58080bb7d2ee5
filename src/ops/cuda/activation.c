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

CUDA_ROW(cuda_relu, "Relu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_leaky_relu, "LeakyRelu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_clip, "Clip", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sigmoid, "Sigmoid", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_hard_sigmoid, "HardSigmoid", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_hard_swish, "HardSwish", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_swish, "Swish", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_tanh, "Tanh", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_elu, "Elu", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_softplus, "Softplus", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_mish, "Mish", accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_gelu, "Gelu", accepts, prepare, .overwrites = 1)
