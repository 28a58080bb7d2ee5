/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

KERNEL(k_resize, ResizeArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const ResizeAxis z = args.axes[0], y = args.axes[1], x = args.axes[2];
    const int lane = i % args.inner, pixel = i / args.inner, row = pixel / x.out, image = row / y.out;
    const int first_x = pixel % x.out * x.taps, first_y = row % y.out * y.taps,
              first_z = image % z.out * z.taps;
    const float *plane =
        args.data.in[0] + (long long)(image / z.out) * z.in * y.in * x.in * args.inner + lane;
    float sum = 0;
    if (z.indices[first_z] < 0 || y.indices[first_y] < 0 || x.indices[first_x] < 0) {
        args.data.out[i] = args.extrapolation_value;
        return;
    }
    for (int u = first_z; u < first_z + z.taps; u++)
        for (int v = first_y; v < first_y + y.taps; v++) {
            const int from = (z.indices[u] * y.in + y.indices[v]) * x.in;
            for (int w = first_x; w < first_x + x.taps; w++) {
                const float weight = z.weights[u] * y.weights[v] * x.weights[w];
                if (weight != 0) /* what has no part may be an infinity */
                    sum += weight * plane[(long long)(from + x.indices[w]) * args.inner];
            }
        }
    args.data.out[i] = sum;
}
