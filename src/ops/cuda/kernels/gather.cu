/* SPDX-License-Identifier: Apache-2.0 */
/* ops/tensor/indexed.h says where parts lie. */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_gather, GatherArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int part = i / args.part, position = walk(args.dims, args.position, part);
    int at = walk(args.dims, args.base, part) + i % args.part;
    UNROLL
    for (int d = 0; d < KERNEL_DIMS; d++)
        if (d < args.depth) {
            const int size = args.index_dims[d];
            const long long stated = index_at(args.data.in[1], args.are_i64, position + d);
            at +=
                checked_index(args.check, stated, stated < 0 ? stated + size : stated, size) * args.steps[d];
        }
    if (args.are_bools)
        ((unsigned char *)args.data.out)[i] = ((const unsigned char *)args.data.in[0])[at];
    else
        args.data.out[i] = args.data.in[0][at];
}
