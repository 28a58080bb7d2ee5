/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

SHARED float binary(int kind, float a, float b) {
    switch (kind) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_MAX: /* NaN where either is */
        return a != a || a > b ? a : b;
    case BINARY_MIN:
        return a != a || a < b ? a : b;
    default:
        return a < 0 ? a * b : a;
    }
}

KERNEL(k_binary, BinaryArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, a = 0, b = 0;
    if (i >= args.count)
        return;
    UNROLL
    for (int d = KERNEL_DIMS - 1; d >= 0; d--) {
        const int at = rest % args.dims[d];
        rest /= args.dims[d];
        a += at * args.strides[0][d];
        b += at * args.strides[1][d];
    }
    args.data.out[i] = binary(args.kind, args.data.in[0][a], args.data.in[1][b]);
}
