/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_unpool_begin, UnpoolArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < args.count)
        args.data.out[i] = 0;
}

/* An index keeps its coordinates in the larger output. */
KERNEL(k_unpool, UnpoolArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < args.count)
        args.data.out[walk(args.dims, args.strides, (int)((const long long *)args.data.in[1])[i])] =
            args.data.in[0][i];
}
