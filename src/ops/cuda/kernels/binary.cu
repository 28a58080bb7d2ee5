/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

#include "ops/math/binary_formula.h"

SHARED float element(const float *data, bool is_bools, int i) {
    return is_bools ? (float)((const unsigned char *)data)[i] : data[i];
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
    const float value = binary_formula(args.kind, args.is_fmod, element(args.data.in[0], args.takes_bools, a),
                                       element(args.data.in[1], args.takes_bools, b));
    if (args.gives_bools)
        ((unsigned char *)args.data.out)[i] = value != 0;
    else
        args.data.out[i] = args.scale * value;
}

KERNEL(k_where, WhereArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, condition = 0, x = 0, y = 0;
    if (i >= args.count)
        return;
    UNROLL
    for (int d = KERNEL_DIMS - 1; d >= 0; d--) {
        const int at = rest % args.dims[d];
        rest /= args.dims[d];
        condition += at * args.strides[0][d];
        x += at * args.strides[1][d];
        y += at * args.strides[2][d];
    }
    args.data.out[i] =
        ((const unsigned char *)args.data.in[0])[condition] ? args.data.in[1][x] : args.data.in[2][y];
}
