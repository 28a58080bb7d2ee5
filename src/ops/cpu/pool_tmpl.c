/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of blocked tensors, a vector of channels at a time, and of whole planes. */
#include <math.h>

#include "ops/cpu/pool.h"
#include "ops/cpu/simd.h"
#include "ops/shared_math.h"

/* NaN is larger than everything, as in torch: once there, it stays. */
INLINE vf max_or_nan(vf so_far, vf x) {
    return v_select((x > so_far) | v_is_nan(x), x, so_far);
}

/* LpPool takes the largest magnitude first, so that no square overflows: then all count in it. */
typedef enum PoolKind { POOL_MAX, POOL_SUM, POOL_LARGEST, POOL_MAGNITUDES, POOL_SQUARES } PoolKind;

INLINE vf combine(const PoolKind kind, vf so_far, vf x, vf scale) {
    switch (kind) {
    case POOL_MAX:
        return max_or_nan(so_far, x);
    case POOL_LARGEST:
        return max_or_nan(so_far, v_abs(x));
    case POOL_MAGNITUDES:
        return so_far + v_abs(x);
    case POOL_SQUARES:
        return so_far + (x / scale) * (x / scale);
    default:
        return so_far + x;
    }
}

/* A row of outputs: which input rows its windows cover is the same for all. */
typedef struct PoolRow {
    const float *plane; /* input */
    float *out;         /* output row */
    WindowTaps z, y;
    int64_t z_first, y_first; /* where tap 0 lies; may be outside */
    float counted;            /* AveragePool: of the other two dimensions */
    vi mask;
} PoolRow;

INLINE vf window(const PoolArgs *args, const PoolRow *row, const PoolKind kind, vf scale, int64_t x_first,
                 int64_t x_begin, int64_t x_end, const int kernel) {
    const WindowDim *d = args->dims;
    vf result = kind == POOL_MAX ? v_set(-INFINITY) : v_zero();
    for (int64_t i = row->z.first; i < row->z.end; i++)
        for (int64_t j = row->y.first; j < row->y.end; j++) {
            const int64_t line =
                (row->z_first + i * d[0].dilation) * d[1].in + row->y_first + j * d[1].dilation;
            const float *from = row->plane + (line * d[2].in + x_first) * VW;
            if (kernel) {
#pragma GCC unroll 3
                for (int k = 0; k < kernel; k++)
                    result = combine(kind, result, v_load(from + k * VW), scale);
            } else {
                for (int64_t k = x_begin; k < x_end; k++)
                    result = combine(kind, result, v_load(from + k * d[2].dilation * VW), scale);
            }
        }
    return result;
}

/* What counts for an average in dimension `i` of the window that begins at `begin`. */
INLINE float counted(const PoolArgs *args, int i, int64_t begin) {
    const WindowDim *d = &args->dims[i];
    return (float)window_counted(begin, d->in, d->kernel, d->dilation, d->pad_begin, d->pad_end,
                                 args->count_include_pad);
}

/* `divisor`: of an average; where nothing counts that is 0. */
INLINE void output(const PoolArgs *args, const PoolRow *row, const PoolKind kind, int64_t x, float divisor,
                   WindowTaps taps, const int kernel) {
    const int64_t first = x * args->dims[2].stride - args->dims[2].pad_begin;
    vf scale = v_set(1);
    if (kind == POOL_SQUARES) {
        const vf largest = window(args, row, POOL_LARGEST, scale, first, taps.first, taps.end, kernel);
        scale = v_select((largest > v_zero()) & (largest < v_set(INFINITY)), largest, scale);
    }
    vf value = window(args, row, kind, scale, first, taps.first, taps.end, kernel);
    if (kind == POOL_SUM)
        value = divisor > 0 ? value / v_set(divisor) : v_zero();
    if (kind == POOL_SQUARES)
        value = v_sqrt(value) * scale;
    v_store(row->out + x * VW, (vf)((vi)value & row->mask));
}

/* `kernel` is the width of undilated windows where that is known at compile time, else 0. */
INLINE void inside_outputs(const PoolArgs *args, const PoolRow *row, const PoolKind kind, const int kernel) {
    const WindowDim *d = &args->dims[2];
    const float divisor = row->counted * (float)d->kernel;
    const WindowTaps all = {.first = 0, .end = d->kernel};
    for (int64_t x = args->inside_begin; x < args->inside_end; x++)
        output(args, row, kind, x, divisor, all, kernel);
}

INLINE void border_outputs(const PoolArgs *args, const PoolRow *row, const PoolKind kind, int64_t begin,
                           int64_t end) {
    const WindowDim *d = &args->dims[2];
    for (int64_t x = begin; x < end; x++) {
        const int64_t at = x * d->stride - d->pad_begin;
        const float divisor = kind == POOL_SUM ? row->counted * counted(args, 2, at) : 1;
        output(args, row, kind, x, divisor, window_taps(d, at, d->in), 0);
    }
}

INLINE void pool_task(const KernelCall *call, int64_t task, const PoolKind kind) {
    const PoolArgs *args = call->args;
    const WindowDim *d = args->dims;
    const int64_t plane = task / args->row_tiles, first = task % args->row_tiles * args->rows_a_tile;
    const int64_t rows = d[0].out * d[1].out;
    const int64_t end = first + args->rows_a_tile < rows ? first + args->rows_a_tile : rows;
    const bool is_last = plane % args->blocks == args->blocks - 1;
    PoolRow row = {.plane = (const float *)call->inputs[0] + plane * d[0].in * d[1].in * d[2].in * VW,
                   .mask = v_lane_mask(is_last ? args->tail_channels : VW)};
    for (int64_t r = first; r < end; r++) {
        const int64_t z = r / d[1].out, y = r % d[1].out;
        row.out = (float *)call->outputs[0] + (plane * rows + r) * d[2].out * VW;
        row.z = window_taps(&d[0], z * d[0].stride - d[0].pad_begin, d[0].in);
        row.y = window_taps(&d[1], y * d[1].stride - d[1].pad_begin, d[1].in);
        row.z_first = z * d[0].stride - d[0].pad_begin;
        row.y_first = y * d[1].stride - d[1].pad_begin;
        if (kind == POOL_SUM)
            row.counted = counted(args, 0, row.z_first) * counted(args, 1, row.y_first);
        border_outputs(args, &row, kind, 0, args->inside_begin);
        if (d[2].kernel == 3 && d[2].dilation == 1)
            inside_outputs(args, &row, kind, 3);
        else if (d[2].kernel == 2 && d[2].dilation == 1)
            inside_outputs(args, &row, kind, 2);
        else
            inside_outputs(args, &row, kind, 0);
        border_outputs(args, &row, kind, args->inside_end, d[2].out);
    }
}

static void max_pool(const KernelCall *call, int64_t task) {
    pool_task(call, task, POOL_MAX);
}

static void average_pool(const KernelCall *call, int64_t task) {
    pool_task(call, task, POOL_SUM);
}

static void magnitudes_pool(const KernelCall *call, int64_t task) {
    pool_task(call, task, POOL_MAGNITUDES);
}

static void squares_pool(const KernelCall *call, int64_t task) {
    pool_task(call, task, POOL_SQUARES);
}

/* --- whole planes --- */

INLINE vf combine_pixels(const bool is_max, vf so_far, vf x) {
    return combine(is_max ? POOL_MAX : POOL_SUM, so_far, x, x);
}

/* Sums of at most this many pixels are summed up, so that rounding errors do not grow with the plane. */
enum { RUN = 64 };

/* Four interleaved sums hide the latency of additions. */
INLINE vf reduce_run(const float *from, int64_t pixels, const bool is_max) {
    const vf start = is_max ? v_set(-INFINITY) : v_zero();
    vf part[4] = {start, start, start, start};
    int64_t i = 0;
    for (; i + 4 <= pixels; i += 4)
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++)
            part[k] = combine_pixels(is_max, part[k], v_load(from + (i + k) * VW));
    for (; i < pixels; i++)
        part[0] = combine_pixels(is_max, part[0], v_load(from + i * VW));
    return combine_pixels(is_max, combine_pixels(is_max, part[0], part[1]),
                          combine_pixels(is_max, part[2], part[3]));
}

INLINE vf reduce_vectors(const float *from, int64_t pixels, const bool is_max) {
    vf result = is_max ? v_set(-INFINITY) : v_zero();
    for (int64_t begin = 0; begin < pixels; begin += RUN) {
        const int64_t count = pixels - begin < RUN ? pixels - begin : RUN;
        result = combine_pixels(is_max, result, reduce_run(from + begin * VW, count, is_max));
    }
    return result;
}

INLINE void planes_blocked(const KernelCall *call, int64_t task, const bool is_max) {
    const PlaneArgs *args = call->args;
    const int64_t first = task * args->planes_a_task;
    const int64_t end =
        first + args->planes_a_task < args->planes ? first + args->planes_a_task : args->planes;
    for (int64_t plane = first; plane < end; plane++) {
        const int64_t block = plane % args->blocks, image = plane / args->blocks;
        const int lanes = block == args->blocks - 1 ? args->tail_channels : VW;
        vf value =
            reduce_vectors((const float *)call->inputs[0] + plane * args->pixels * VW, args->pixels, is_max);
        if (!is_max && !args->is_sum)
            value /= v_set((float)args->pixels);
        value = v_first_lanes(value, lanes);
        float *out = call->outputs[0];
        if (!args->plain_output)
            v_store(out + plane * VW, value);
        else
            v_store_first(out + image * args->channels + block * VW, value, lanes);
    }
}

INLINE void planes_plain(const KernelCall *call, int64_t task, const bool is_max) {
    const PlaneArgs *args = call->args;
    const int64_t first = task * args->planes_a_task, vectors = args->pixels / VW;
    const int64_t end =
        first + args->planes_a_task < args->planes ? first + args->planes_a_task : args->planes;
    for (int64_t plane = first; plane < end; plane++) {
        const float *from = (const float *)call->inputs[0] + plane * args->pixels;
        const vf lanes = reduce_vectors(from, vectors, is_max);
        float result = is_max ? -INFINITY : 0;
        for (int64_t i = vectors * VW; i < args->pixels; i++)
            result = is_max ? (from[i] > result || from[i] != from[i] ? from[i] : result) : result + from[i];
        for (int i = 0; i < VW; i++)
            result =
                is_max ? (lanes[i] > result || lanes[i] != lanes[i] ? lanes[i] : result) : result + lanes[i];
        if (!is_max && !args->is_sum)
            result /= (float)args->pixels;
        ((float *)call->outputs[0])[plane] = result;
    }
}

static void plane_max_blocked(const KernelCall *call, int64_t task) {
    planes_blocked(call, task, true);
}

static void plane_average_blocked(const KernelCall *call, int64_t task) {
    planes_blocked(call, task, false);
}

static void plane_max_plain(const KernelCall *call, int64_t task) {
    planes_plain(call, task, true);
}

static void plane_average_plain(const KernelCall *call, int64_t task) {
    planes_plain(call, task, false);
}

const PoolTable TARGET(pool) = {
    .max = max_pool,
    .average = average_pool,
    .magnitudes = magnitudes_pool,
    .squares = squares_pool,
    .plane_max_blocked = plane_max_blocked,
    .plane_average_blocked = plane_average_blocked,
    .plane_max_plain = plane_max_plain,
    .plane_average_plain = plane_average_plain,
};
