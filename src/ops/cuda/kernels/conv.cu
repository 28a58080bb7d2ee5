/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions that cuDNN has no plan for: each thread sums up one output. */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_conv, ConvArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, begin[KERNEL_SPATIAL], first[KERNEL_SPATIAL], end[KERNEL_SPATIAL];
    if (i >= args.count)
        return;
    UNROLL
    for (int d = KERNEL_SPATIAL - 1; d >= 0; d--) {
        const KernelAxis axis = args.axes[d];
        begin[d] = rest % axis.out * axis.stride - axis.pad_begin;
        rest /= axis.out;
        first[d] = window_first_tap(begin[d], axis.dilation);
        end[d] = window_end_tap(begin[d], axis.in, axis.kernel, axis.dilation);
    }
    const KernelAxis z = args.axes[0], y = args.axes[1], x = args.axes[2];
    const int channel = rest % (args.groups * args.out_channels);
    const int group = rest / (args.groups * args.out_channels) * args.groups + channel / args.out_channels;
    const float *in = args.data.in[0] + (long long)group * args.in_channels * z.in * y.in * x.in;
    const float *w = args.data.in[1] + (long long)channel * args.in_channels * z.kernel * y.kernel * x.kernel;
    float sum = 0;
    for (int c = 0; c < args.in_channels; c++)
        for (int u = first[0]; u < end[0]; u++)
            for (int v = first[1]; v < end[1]; v++)
                for (int t = first[2]; t < end[2]; t++)
                    sum += in[((long long)(c * z.in + begin[0] + u * z.dilation) * y.in + begin[1] +
                               v * y.dilation) *
                                  x.in +
                              begin[2] + t * x.dilation] *
                           w[((c * z.kernel + u) * y.kernel + v) * x.kernel + t];
    args.data.out[i] = sum;
}

/* The position in x that tap `tap` of the result's position `at` reads, or -1. */
SHARED int source(KernelAxis axis, int at, int tap) {
    const int position = at + axis.pad_begin - tap * axis.dilation;
    return position >= 0 && position % axis.stride == 0 && position / axis.stride < axis.out
               ? position / axis.stride
               : -1;
}

KERNEL(k_conv_transpose, ConvArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    const KernelAxis z = args.axes[0], y = args.axes[1], x = args.axes[2];
    if (i >= args.count)
        return;
    const int at_x = i % x.in, at_y = i / x.in % y.in, at_z = i / x.in / y.in % z.in;
    const int rest = i / x.in / y.in / z.in, channel = rest % (args.groups * args.out_channels);
    const int group = channel / args.out_channels, image = rest / (args.groups * args.out_channels);
    const int first = group * args.in_channels, own = channel % args.out_channels;
    float sum = 0;
    for (int c = first; c < first + args.in_channels; c++)
        for (int u = 0; u < z.kernel; u++)
            for (int v = 0; v < y.kernel; v++)
                for (int t = 0; t < x.kernel; t++) {
                    const int from_z = source(z, at_z, u), from_y = source(y, at_y, v),
                              from_x = source(x, at_x, t);
                    if (from_z < 0 || from_y < 0 || from_x < 0)
                        continue;
                    sum +=
                        args.data.in[0][(((long long)(image * args.groups * args.in_channels + c) * z.out +
                                          from_z) *
                                             y.out +
                                         from_y) *
                                            x.out +
                                        from_x] *
                        args.data
                            .in[1]
                               [(((long long)(c * args.out_channels + own) * z.kernel + u) * y.kernel + v) *
                                    x.kernel +
                                t];
                }
    args.data.out[i] = sum;
}
