/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

#include "ops/nn/pool_formula.h"

/* Of one output: its plane, where tap 0 lies in that, and the taps [first, end) that lie inside it. */
typedef struct Window {
    int plane, begin[KERNEL_SPATIAL], first[KERNEL_SPATIAL], end[KERNEL_SPATIAL];
    float counted; /* for an average; padding that counts may be of any size */
} Window;

SHARED Window window_of(const struct PoolArgs *args, int i) {
    Window window;
    int rest = i;
    window.counted = 1;
    UNROLL
    for (int d = KERNEL_SPATIAL - 1; d >= 0; d--) {
        const KernelAxis axis = args->axes[d];
        const int begin = rest % axis.out * axis.stride - axis.pad_begin;
        rest /= axis.out;
        window.begin[d] = begin;
        window.first[d] = window_first_tap(begin, axis.dilation);
        window.end[d] = window_end_tap(begin, axis.in, axis.kernel, axis.dilation);
        window.counted *= (float)window_counted(begin, axis.in, axis.kernel, axis.dilation, axis.pad_begin,
                                                axis.pad_end, args->count_include_pad);
    }
    window.plane = rest;
    return window;
}

SHARED const float *plane_of(const struct PoolArgs *args, int plane) {
    return args->data.in[0] + (long long)plane * args->axes[0].in * args->axes[1].in * args->axes[2].in;
}

/* Of the taps u, v, w of a window in its plane. */
SHARED int tap_index(const struct PoolArgs *args, const Window *window, int u, int v, int w) {
    const int z = window->begin[0] + u * args->axes[0].dilation,
              y = window->begin[1] + v * args->axes[1].dilation,
              x = window->begin[2] + w * args->axes[2].dilation;
    return (z * args->axes[1].in + y) * args->axes[2].in + x;
}

KERNEL(k_pool, PoolArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const Window window = window_of(&args, i);
    const float *plane = plane_of(&args, window.plane);
    float sum = 0, max = -INFINITY;
    int index = -1;
    for (int u = window.first[0]; u < window.end[0]; u++)
        for (int v = window.first[1]; v < window.end[1]; v++)
            for (int w = window.first[2]; w < window.end[2]; w++) {
                const int at = tap_index(&args, &window, u, v, w);
                const float value = plane[at];
                sum += value;
                if (pool_is_max(value, max, index)) {
                    max = value;
                    index = at;
                }
            }
    /* The average of a window that counts nothing is 0. */
    args.data.out[i] = args.is_max ? max : window.counted > 0 ? sum / window.counted : 0;
    if (args.data.indices)
        args.data.indices[i] = pool_flat_index(window.plane, args.axes[0].in, args.axes[1].in,
                                               args.axes[2].in, index, args.column_major);
}

/* The largest magnitude, or the sum of powers that are counted in it. */
SHARED float norm_part(const struct PoolArgs *args, const Window *window, bool is_peak, float peak) {
    const float *plane = plane_of(args, window->plane);
    float sum = 0;
    for (int u = window->first[0]; u < window->end[0]; u++)
        for (int v = window->first[1]; v < window->end[1]; v++)
            for (int w = window->first[2]; w < window->end[2]; w++) {
                const float value = plane[tap_index(args, window, u, v, w)];
                if (is_peak)
                    sum = reduce_join(R_MAX, sum, fabs(value));
                else
                    sum += pool_power(value, args->p, peak);
            }
    return sum;
}

KERNEL(k_norm_pool, PoolArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const Window window = window_of(&args, i);
    const float peak = norm_part(&args, &window, true, 0);
    args.data.out[i] = pool_norm(norm_part(&args, &window, false, peak), args.p, peak);
}
