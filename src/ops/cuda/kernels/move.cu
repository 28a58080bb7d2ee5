/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_move, MoveArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int rest = i, in = args.in_offset, out = args.out_offset;
    if (i >= args.count)
        return;
    UNROLL
    for (int d = MOVE_DIMS - 1; d >= 0; d--) {
        const int at = rest % args.dims[d];
        rest /= args.dims[d];
        in += at * args.in_strides[d];
        out += at * args.out_strides[d];
    }
    if (args.are_bools)
        ((unsigned char *)args.data.out)[out] = ((const unsigned char *)args.data.in[0])[in];
    else
        args.data.out[out] = args.data.in[0][in];
}

KERNEL(k_trilu, TriluArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int column = i % args.width, row = i / args.width % args.height;
    const long long diagonal = (long long)row + args.diagonal;
    const bool stays = args.upper ? column >= diagonal : column <= diagonal;
    if (args.are_bools)
        ((unsigned char *)args.data.out)[i] = stays ? ((const unsigned char *)args.data.in[0])[i] : 0;
    else
        args.data.out[i] = stays ? args.data.in[0][i] : 0;
}
