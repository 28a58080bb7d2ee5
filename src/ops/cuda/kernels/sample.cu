/* SPDX-License-Identifier: Apache-2.0 */
/* Reading between elements: GridSample, DeformConv's columns, and the grids of AffineGrid. */
#include "ops/cuda/kernels/device_code.h"

#include "ops/tensor/grid_formula.h"

/* What is read of a plane: a position in each dimension, the last one innermost. */
typedef struct Sample {
    float at[KERNEL_SPATIAL];
    int dims[KERNEL_SPATIAL], absent; /* dimensions in front of the first one */
    bool is_nan;
} Sample;

SHARED int taps_of(const Sample *sample, GridMode mode, int axis) {
    return axis < sample->absent ? 1 : grid_tap_count(mode);
}

SHARED int tap_of(const Sample *sample, GridSampleAttrs attrs, int axis, int tap, float *weight) {
    *weight = 1;
    return axis < sample->absent ? 0 : grid_tap(attrs, sample->at[axis], sample->dims[axis], tap, weight);
}

/* Of `n` planes that follow one another. */
SHARED void read_planes(const Sample *sample, GridSampleAttrs attrs, const float *x, int n,
                        float sums[SAMPLE_CHANNELS]) {
    const int plane = sample->dims[0] * sample->dims[1] * sample->dims[2];
    UNROLL
    for (int c = 0; c < SAMPLE_CHANNELS; c++)
        sums[c] = sample->is_nan && attrs.mode != GRID_NEAREST ? NAN : 0;
    if (sample->is_nan && attrs.mode != GRID_NEAREST)
        return;
    for (int u = 0; u < taps_of(sample, attrs.mode, 0); u++)
        for (int v = 0; v < taps_of(sample, attrs.mode, 1); v++)
            for (int w = 0; w < taps_of(sample, attrs.mode, 2); w++) {
                float of_z, of_y, of_x;
                const int z = tap_of(sample, attrs, 0, u, &of_z), y = tap_of(sample, attrs, 1, v, &of_y),
                          column = tap_of(sample, attrs, 2, w, &of_x);
                if (z == GRID_OUTSIDE || y == GRID_OUTSIDE || column == GRID_OUTSIDE)
                    continue;
                const int from = (z * sample->dims[1] + y) * sample->dims[2] + column;
                UNROLL
                for (int c = 0; c < SAMPLE_CHANNELS; c++)
                    if (c < n)
                        sums[c] += of_z * of_y * of_x * x[(long long)c * plane + from];
            }
}

KERNEL(k_grid_sample, GridSampleArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int point = i % args.points, part = i / args.points % args.parts,
              image = i / args.points / args.parts, first = part * SAMPLE_CHANNELS;
    const float *grid = args.data.in[1] + (long long)(image * args.points + point) * args.spatial;
    Sample sample = {.absent = KERNEL_SPATIAL - args.spatial, .is_nan = false};
    float sums[SAMPLE_CHANNELS];
    UNROLL
    for (int axis = 0; axis < KERNEL_SPATIAL; axis++) {
        sample.dims[axis] = args.dims[axis];
        sample.at[axis] = axis < sample.absent ? 0
                                               : grid_place(args.attrs.align_corners,
                                                            grid[KERNEL_SPATIAL - 1 - axis], args.dims[axis]);
        sample.is_nan = sample.is_nan || sample.at[axis] != sample.at[axis];
    }
    const int plane = args.dims[0] * args.dims[1] * args.dims[2],
              n = min_of(SAMPLE_CHANNELS, args.channels - first);
    const long long channel = (long long)image * args.channels + first;
    read_planes(&sample, args.attrs, args.data.in[0] + channel * plane, n, sums);
    UNROLL
    for (int c = 0; c < SAMPLE_CHANNELS; c++)
        if (c < n)
            args.data.out[(channel + c) * args.points + point] = sums[c];
}

KERNEL(k_deform_columns, DeformArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int output = i % args.outputs, tap = i / args.outputs % args.taps,
              part = i / args.outputs / args.taps % args.parts,
              group = i / args.outputs / args.taps / args.parts, first = part * SAMPLE_CHANNELS,
              n = min_of(SAMPLE_CHANNELS, args.channels - first);
    const GridSampleAttrs linear = {GRID_LINEAR, GRID_ZEROS, true};
    const long long row = (long long)(args.image * args.offset_groups + group) * args.taps + tap;
    Sample sample = {.absent = KERNEL_SPATIAL - args.spatial, .is_nan = false};
    float sums[SAMPLE_CHANNELS];
    int rest = output, tap_rest = tap;
    UNROLL
    for (int axis = KERNEL_SPATIAL - 1; axis >= 0; axis--) {
        const KernelAxis a = args.axes[axis];
        const int place = rest % a.out * a.stride - a.pad_begin + tap_rest % a.kernel * a.dilation;
        rest /= a.out;
        tap_rest /= a.kernel;
        sample.dims[axis] = a.in;
        sample.at[axis] =
            axis < sample.absent
                ? 0
                : (float)place +
                      args.data.in[2][(row * args.spatial + axis - sample.absent) * args.outputs + output];
        sample.is_nan = sample.is_nan || sample.at[axis] != sample.at[axis];
    }
    const int plane = sample.dims[0] * sample.dims[1] * sample.dims[2],
              channel = group * args.channels + first;
    const float mask = args.has_mask ? args.data.in[4][row * args.outputs + output] : 1;
    read_planes(&sample, linear,
                args.data.in[0] + (long long)(args.image * args.in_channels + channel) * plane, n, sums);
    UNROLL
    for (int c = 0; c < SAMPLE_CHANNELS; c++)
        if (c < n)
            args.data.out[((long long)(channel + c) * args.taps + tap) * args.outputs + output] =
                mask * sums[c];
}

/* Where element `index` of `length` lies in [-1, 1]. */
SHARED float affine_place(bool align_corners, int index, int length) {
    const float from_middle = (float)(2 * (long long)index - (length - 1));
    return align_corners ? length == 1 ? 0 : from_middle / (float)(length - 1) : from_middle / (float)length;
}

KERNEL(k_affine_grid, AffineGridArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const float *map = args.data.in[0] + (long long)(i / args.points) * args.spatial * (args.spatial + 1);
    float *out = args.data.out + (long long)i * args.spatial;
    float sums[KERNEL_SPATIAL];
    int rest = i % args.points;
    UNROLL
    for (int row = 0; row < KERNEL_SPATIAL; row++)
        sums[row] = row < args.spatial ? map[row * (args.spatial + 1) + args.spatial] : 0;
    UNROLL
    for (int d = 0; d < KERNEL_SPATIAL; d++) { /* from the innermost, which is the first coordinate */
        const int length = args.dims[KERNEL_SPATIAL - 1 - d];
        const float place = affine_place(args.align_corners, rest % length, length);
        rest /= length;
        UNROLL
        for (int row = 0; row < KERNEL_SPATIAL; row++)
            if (d < args.spatial && row < args.spatial)
                sums[row] += map[row * (args.spatial + 1) + d] * place;
    }
    UNROLL
    for (int row = 0; row < KERNEL_SPATIAL; row++)
        if (row < args.spatial)
            out[row] = sums[row];
}
