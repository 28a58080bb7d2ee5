/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_pool, PoolArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, begin[KERNEL_SPATIAL], first[KERNEL_SPATIAL], end[KERNEL_SPATIAL], counted = 1;
    if (i >= args.count)
        return;
    UNROLL
    for (int d = KERNEL_SPATIAL - 1; d >= 0; d--) {
        const KernelAxis axis = args.axes[d];
        begin[d] = rest % axis.out * axis.stride - axis.pad_begin;
        rest /= axis.out;
        first[d] = window_first_tap(begin[d], axis.dilation);
        end[d] = window_end_tap(begin[d], axis.in, axis.kernel, axis.dilation);
        counted *= window_counted(begin[d], axis.in, axis.kernel, axis.dilation, axis.pad_begin, axis.pad_end,
                                  args.count_include_pad);
    }
    const KernelAxis z = args.axes[0], y = args.axes[1], x = args.axes[2];
    const float *plane = args.data.in[0] + (long long)rest * z.in * y.in * x.in;
    float sum = 0, max = -INFINITY;
    for (int u = first[0]; u < end[0]; u++)
        for (int v = first[1]; v < end[1]; v++)
            for (int w = first[2]; w < end[2]; w++) {
                const float value =
                    plane[((begin[0] + u * z.dilation) * y.in + begin[1] + v * y.dilation) * x.in + begin[2] +
                          w * x.dilation];
                sum += value;
                max = reduce_join(R_MAX, value, max);
            }
    /* The average of a window that counts nothing is 0. */
    args.data.out[i] = args.is_max ? max : counted ? sum / (float)counted : 0;
}
