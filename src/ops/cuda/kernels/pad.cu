/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_pad, PadArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, from = 0;
    bool is_constant = false;
    if (i >= args.count)
        return;
    UNROLL
    for (int d = KERNEL_DIMS - 1; d >= 0; d--) {
        if (args.out_dims[d] == 1 && args.begins[d] == 0)
            continue;
        const int at =
            pad_source(args.mode, rest % args.out_dims[d], args.begins[d], args.in_dims[d], args.out_dims[d]);
        rest /= args.out_dims[d];
        is_constant = is_constant || at < 0;
        from += at * args.in_strides[d];
    }
    args.data.out[i] = is_constant ? args.value : args.data.in[0][from];
}
