/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_shuffle, ShuffleArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int lane = i % args.inner, row = i / args.inner, k = row % args.listed, outer = row / args.listed;
    const int in = (outer * args.in_dim + args.from[k]) * args.inner + lane,
              out = (outer * args.out_dim + args.to[k]) * args.inner + lane;
    if (args.are_bools)
        ((unsigned char *)args.data.out)[out] = ((const unsigned char *)args.data.in[0])[in];
    else
        args.data.out[out] = args.data.in[0][in];
}
