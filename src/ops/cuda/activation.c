/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that stand alone. */
#include "ops/cuda/cuda.h"
#include "ops/cuda/kernels.h"
#include "ops/math/unary.h"

static bool accepts(KernelQuery *query) {
    Activation activation;
    if (!node_activation(query->node, &activation) || !cuda_all_f32(query))
        return false;
    for (int i = 1; i < query->n_inputs; i++) /* Clip's bounds, which are constants */
        query->inputs[i].packed = true;
    return true;
}

static Status prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const int64_t count = cuda_elements(&query->outputs[0]);
    struct FinishArgs args = {.count = (int)count, .plane = 1, .columns = 1};
    node_activation(query->node, &args.activation);
    const Launch launch = launch_each((const void *)k_finish, count);
    return cuda_prepare_launch(ctx, &launch, &args, sizeof args, instance);
}

CUDA_ROW(cuda_relu, OP_Relu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_leaky_relu, OP_LeakyRelu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_clip, OP_Clip, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_sigmoid, OP_Sigmoid, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_hard_sigmoid, OP_HardSigmoid, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_hard_swish, OP_HardSwish, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_swish, OP_Swish, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_tanh, OP_Tanh, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_elu, OP_Elu, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_softplus, OP_Softplus, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_mish, OP_Mish, accepts, prepare, .overwrites = 1)
CUDA_ROW(cuda_gelu, OP_Gelu, accepts, prepare, .overwrites = 1)
