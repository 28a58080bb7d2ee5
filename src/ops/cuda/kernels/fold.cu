/* SPDX-License-Identifier: Apache-2.0 */
/* Col2Im: each thread adds up what windows bring to one element of the image. */
#include "ops/cuda/kernels/device_code.h"

#include "ops/nn/fold_formula.h"

KERNEL(k_fold, Col2ImArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const KernelAxis z = args.axes[0], y = args.axes[1], x = args.axes[2];
    const int at_x = i % x.in + x.pad_begin, at_y = i / x.in % y.in + y.pad_begin,
              at_z = i / x.in / y.in % z.in + z.pad_begin, channel = i / x.in / y.in / z.in;
    const float *columns = args.data.in[0] + (long long)channel * args.block * args.windows;
    float sum = 0;
    for (int a = 0; a < fold_candidates(z.kernel, z.out); a++) {
        const FoldPair of_z = fold_pair(at_z, a, z.kernel, z.out, z.stride, z.dilation);
        for (int b = 0; of_z.is_one && b < fold_candidates(y.kernel, y.out); b++) {
            const FoldPair of_y = fold_pair(at_y, b, y.kernel, y.out, y.stride, y.dilation);
            for (int c = 0; of_y.is_one && c < fold_candidates(x.kernel, x.out); c++) {
                const FoldPair of_x = fold_pair(at_x, c, x.kernel, x.out, x.stride, x.dilation);
                const int block = (of_z.tap * y.kernel + of_y.tap) * x.kernel + of_x.tap,
                          window = (of_z.window * y.out + of_y.window) * x.out + of_x.window;
                if (of_x.is_one)
                    sum += columns[(long long)block * args.windows + window];
            }
        }
    }
    args.data.out[i] = sum;
}
