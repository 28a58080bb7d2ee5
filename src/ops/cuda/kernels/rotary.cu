/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_rotary, RotaryArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int each = args.head_size - args.half, at = i % each, row = i / each % args.rows,
              head = i / each / args.rows % args.heads, batch = i / each / args.rows / args.heads;
    const long long first = (long long)batch * args.steps.batch + (long long)head * args.steps.head +
                            (long long)row * args.steps.row;
    const float *x = args.data.in[0] + first;
    float *out = args.data.out + first;
    if (at >= args.half) {
        out[at + args.half] = x[at + args.half];
        return;
    }
    const long long *positions = (const long long *)args.data.in[3];
    const int by_row = batch * args.rows + row;
    const int angle_row =
        positions ? checked_index(args.check, positions[by_row], positions[by_row], args.positions) : by_row;
    const long long angle = (long long)angle_row * args.half + at;
    const int a = args.interleaved ? 2 * at : at, b = args.interleaved ? a + 1 : at + args.half;
    const float real = x[a], imaginary = x[b], cosine = args.data.in[1][angle], sine = args.data.in[2][angle];
    out[a] = real * cosine - imaginary * sine;
    out[b] = real * sine + imaginary * cosine;
}

KERNEL(k_swiglu, SwigluArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const float a = args.data.in[0][i];
    args.data.out[i] = a / (1 + exp(-args.alpha * a)) * args.data.in[1][i];
}
