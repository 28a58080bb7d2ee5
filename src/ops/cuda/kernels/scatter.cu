/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

#include "ops/tensor/scatter_formula.h"

KERNEL(k_scatter_begin, ScatterArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < args.count)
        args.data.out[i] = args.data.in[0][i];
}

/* The threads of a place's first update join all of them. */
KERNEL(k_scatter, ScatterArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int first = i / args.part, lane = i % args.part, at = args.at[first];
    if (first > 0 && args.at[first - 1] == at)
        return;
    float value = args.data.out[at + lane];
    for (int k = first; k < first + args.followers[first]; k++)
        value = scatter_join(args.reduction, value, args.data.in[0][args.update[k] * args.part + lane]);
    args.data.out[at + lane] = value;
}
