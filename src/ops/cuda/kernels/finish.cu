/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

#include "ops/math/unary_formula.h"

KERNEL(k_finish, FinishArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const float *bias = args.data.in[1], *residual = args.data.in[2];
    const float *scale = args.data.in[3];
    const int column = i / args.plane % args.columns, row = i / args.plane / args.columns;
    float value = args.data.in[0][i];
    if (scale)
        value *= scale[column];
    if (bias)
        value += args.bias_scale * bias[row * args.bias_row + column * args.bias_column];
    if (residual && !args.residual_last)
        value += residual[i];
    value = activation_formula(args.activation, value);
    if (residual && args.residual_last)
        value += residual[i];
    args.data.out[i] = value;
}
