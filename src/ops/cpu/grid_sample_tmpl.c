/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/grid_sample.h"
#include "ops/cpu/sample_simd.h"

/* --- taps --- */

INLINE vf position_of(const GridSampleAttrs *attrs, vf coordinate, float length) {
    const vf from_edge = coordinate + v_set(1);
    return attrs->align_corners ? from_edge * v_set(0.5f * (length - 1))
                                : (from_edge * v_set(length) - v_set(1)) * v_set(0.5f);
}

/* Of dimension `d`, for up to a vector of points. */
INLINE void find_dim(const GridSampleArgs *args, const float *grid, int64_t count, int d, DimTaps *taps) {
    const float length = (float)args->dims[d];
    float coordinates[VW] = {0};
    for (int64_t i = 0; i < count; i++)
        coordinates[i] = grid[i * args->spatial + args->spatial - 1 - d];
    sample_taps(&args->attrs, position_of(&args->attrs, v_load(coordinates), length), length, taps);
}

static void store_pairs(const PairRows *rows, int64_t at, GridTable *table) {
    for (int r = 0; r < rows->count; r++) {
        v_store_ints(&table->offsets[r][at], rows->offsets[r]);
        for (int i = 0; i < 2; i++) {
            v_store_ints(&table->masks[r][i][at], rows->masks[r][i]);
            v_store(&table->weights[2 * r + i][at], rows->weights[r][i]);
        }
    }
}

/* Of up to a vector of points. */
static void find_points(const GridSampleArgs *args, const float *grid, int64_t count, int64_t at,
                        GridTable *table) {
    const int per_dim = args->attrs.mode == GRID_NEAREST ? 1 : args->attrs.mode == GRID_LINEAR ? 2 : 4;
    const int last = args->spatial - 1;
    vi offsets[GRID_TAPS] = {{0}};
    vf weights[GRID_TAPS] = {v_set(1)};
    DimTaps dim;
    int taps = 1;
    for (int d = 0; d <= last; d++) {
        find_dim(args, grid + at * args->spatial, count, d, &dim);
        if (d < last || !args->in_pairs)
            taps = sample_add_dim(&dim, taps, (int)args->dims[d], per_dim, offsets, weights);
    }
    if (args->in_pairs) {
        const PairRows rows = sample_pairs(&dim, (int)args->dims[last], taps, offsets, weights);
        store_pairs(&rows, at, table);
        return;
    }
    for (int t = 0; t < taps; t++) {
        v_store_ints(&table->offsets[t][at], offsets[t]);
        v_store(&table->weights[t][at], weights[t]);
    }
}

/* --- points --- */

/* The points and channels of a task. */
typedef struct GridPart {
    int64_t image, first_channel, end_channel, first_point, n_points;
} GridPart;

static GridPart part_of(const GridSampleArgs *args, const KernelCall *call, int64_t task) {
    const int64_t channels = task / args->point_parts % args->channel_parts * args->channels_a_task;
    GridPart part = {.image = task / args->point_parts / args->channel_parts,
                     .first_channel = channels,
                     .end_channel = i64_min(channels + args->channels_a_task, args->channels),
                     .first_point = task % args->point_parts * GRID_POINTS};
    part.n_points = i64_min(GRID_POINTS, args->points - part.first_point);
    const float *grid = (const float *)call->inputs[GRID_GRID] +
                        (part.image * args->points + part.first_point) * args->spatial;
    for (int64_t at = 0; at < part.n_points; at += VW)
        find_points(args, grid, i64_min(VW, part.n_points - at), at, call->scratch);
    return part;
}

INLINE void gather_plane(const float *plane, const GridTable *table, int64_t points, float *out,
                         const int taps) {
    for (int64_t at = 0; at < points; at += VW) {
        vf sum = v_zero();
        for (int t = 0; t < taps; t++) {
            const vi offsets = v_load_ints(&table->offsets[t][at]);
            sum += v_load(&table->weights[t][at]) * v_gather(plane, offsets, offsets >= 0);
        }
        if (at + VW <= points)
            v_store(out + at, sum);
        else
            v_store_first(out + at, sum, points - at);
    }
}

INLINE void gather_pairs(const float *plane, const GridTable *table, int64_t points, float *out,
                         const int pairs) {
    for (int64_t at = 0; at < points; at += VW) {
        vf sum = v_zero();
        for (int p = 0; p < pairs; p++) {
            vf values[2];
            v_gather_pairs(plane, v_load_ints(&table->offsets[p][at]), &values[0], &values[1]);
            for (int i = 0; i < 2; i++)
                sum += v_load(&table->weights[2 * p + i][at]) *
                       (vf)((vi)values[i] & v_load_ints(&table->masks[p][i][at]));
        }
        if (at + VW <= points)
            v_store(out + at, sum);
        else
            v_store_first(out + at, sum, points - at);
    }
}

static void plain(const KernelCall *call, int64_t task) {
    const GridSampleArgs *args = call->args;
    const GridTable *table = call->scratch;
    const GridPart part = part_of(args, call, task);
    for (int64_t c = part.first_channel; c < part.end_channel; c++) {
        const int64_t channel = part.image * args->channels + c;
        const float *plane = (const float *)call->inputs[GRID_X] + channel * args->plane;
        float *out = (float *)call->outputs[0] + channel * args->points + part.first_point;
        if (args->taps == 1)
            gather_plane(plane, table, part.n_points, out, 1);
        else if (args->in_pairs && args->taps == 4)
            gather_pairs(plane, table, part.n_points, out, 2);
        else if (args->in_pairs)
            gather_pairs(plane, table, part.n_points, out, args->taps / 2);
        else
            gather_plane(plane, table, part.n_points, out, args->taps);
    }
}

static void blocked(const KernelCall *call, int64_t task) {
    const GridSampleArgs *args = call->args;
    const GridTable *table = call->scratch;
    const GridPart part = part_of(args, call, task);
    for (int64_t block = part.first_channel; block < part.end_channel; block++) {
        const int64_t channel = part.image * args->channels + block;
        const float *plane = (const float *)call->inputs[GRID_X] + channel * args->plane * VW;
        float *out = (float *)call->outputs[0] + (channel * args->points + part.first_point) * VW;
        const vi mask = v_lane_mask(block == args->channels - 1 ? args->tail_channels : VW);
        for (int64_t at = 0; at < part.n_points; at++) {
            vf sum = v_zero();
            for (int t = 0; t < args->taps; t++)
                if (table->offsets[t][at] >= 0)
                    sum += v_set(table->weights[t][at]) * v_load(plane + (int64_t)table->offsets[t][at] * VW);
            v_store(out + at * VW, (vf)((vi)sum & mask));
        }
    }
}

const GridSampleTable TARGET(grid_sample) = {.plain = plain, .blocked = blocked};
