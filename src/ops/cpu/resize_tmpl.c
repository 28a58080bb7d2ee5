/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/resize.h"
#include "ops/cpu/simd.h"

/* A row of the output: the input plane, and where the row stands in depth and height. */
typedef struct ResizeRow {
    const float *plane;
    float *out;
    int64_t z, y, pixel;
    vi mask;
} ResizeRow;

INLINE ResizeRow row_at(const ResizeArgs *args, const KernelCall *call, int64_t index, const bool blocked) {
    const ResizeTaps *d = args->dims;
    const int64_t plane = index / (d[0].out * d[1].out), rest = index % (d[0].out * d[1].out);
    const int64_t pixel = blocked ? VW : args->pixel;
    const int lanes = blocked && plane % args->blocks == args->blocks - 1 ? args->tail_channels : VW;
    return (ResizeRow){.plane = (const float *)call->inputs[0] + plane * d[0].in * d[1].in * d[2].in * pixel,
                       .out = (float *)call->outputs[0] + index * d[2].out * pixel,
                       .z = rest / d[1].out,
                       .y = rest % d[1].out,
                       .pixel = pixel,
                       .mask = v_lane_mask(lanes)};
}

INLINE const float *line_at(const ResizeArgs *args, const ResizeRow *row, int64_t i, int64_t j) {
    const ResizeTaps *d = args->dims;
    const int64_t z = d[0].indices[row->z * d[0].max_taps + i], y = d[1].indices[row->y * d[1].max_taps + j];
    return row->plane + (z * d[1].in + y) * d[2].in * row->pixel;
}

/* What of a pixel is left from float `i` on, up to a vector of it. */
INLINE int64_t left_of(const ResizeRow *row, int64_t i) {
    return row->pixel - i < VW ? row->pixel - i : VW;
}

INLINE void nearest_row(const ResizeArgs *args, const ResizeRow *row) {
    const ResizeTaps *d = &args->dims[2];
    const float *line = line_at(args, row, 0, 0);
    for (int64_t x = 0; x < d->out; x++)
        memcpy(row->out + x * row->pixel, line + d->indices[x] * row->pixel,
               (size_t)row->pixel * sizeof *line);
}

/* The sum of the lines that make a row, in the columns that are needed.  A weight of 0 takes no part, as 0
 * times an infinity would. */
INLINE void sum_lines(const ResizeArgs *args, const ResizeRow *row, float *sums) {
    const ResizeTaps *d = args->dims;
    const int64_t pixel = row->pixel;
    bool first = true;
    for (int64_t i = 0; i < d[0].max_taps; i++)
        for (int64_t j = 0; j < d[1].max_taps; j++) {
            const float weight =
                d[0].weights[row->z * d[0].max_taps + i] * d[1].weights[row->y * d[1].max_taps + j];
            if (weight == 0)
                continue;
            const float *line = line_at(args, row, i, j);
            for (int64_t c = 0; c < args->n_columns; c++)
                for (int64_t k = 0; k < pixel; k += VW) {
                    const int64_t n = left_of(row, k);
                    float *sum = sums + c * pixel + k;
                    const vf value = v_set(weight) * v_load_first(line + args->columns[c] * pixel + k, n, 0);
                    v_store_first(sum, first ? value : v_load_first(sum, n, 0) + value, n);
                }
            first = false;
        }
    if (first)
        memset(sums, 0, (size_t)(args->n_columns * pixel) * sizeof *sums);
}

INLINE void weighted_row(const ResizeArgs *args, const ResizeRow *row, float *sums) {
    const ResizeTaps *d = &args->dims[2];
    sum_lines(args, row, sums);
    for (int64_t x = 0; x < d->out; x++)
        for (int64_t k = 0; k < row->pixel; k += VW) {
            const int64_t n = left_of(row, k);
            vf value = v_zero();
            for (int64_t tap = 0; tap < d->max_taps; tap++) {
                const float weight = d->weights[x * d->max_taps + tap];
                if (weight != 0)
                    value += v_set(weight) *
                             v_load_first(sums + d->indices[x * d->max_taps + tap] * row->pixel + k, n, 0);
            }
            v_store_first(row->out + x * row->pixel + k, (vf)((vi)value & row->mask), n);
        }
}

INLINE void rows_of_task(const KernelCall *call, int64_t task, const bool is_weighted, const bool blocked) {
    const ResizeArgs *args = call->args;
    const int64_t first = task * args->rows_a_task;
    const int64_t end = first + args->rows_a_task < args->rows ? first + args->rows_a_task : args->rows;
    for (int64_t index = first; index < end; index++) {
        const ResizeRow row = row_at(args, call, index, blocked);
        if (is_weighted)
            weighted_row(args, &row, call->scratch);
        else
            nearest_row(args, &row);
    }
}

static void nearest(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, false, true);
}

static void weighted(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, true, true);
}

static void plain_nearest(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, false, false);
}

static void plain_weighted(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, true, false);
}

const ResizeTable TARGET(resize) = {.nearest = nearest,
                                    .weighted = weighted,
                                    .plain_nearest = plain_nearest,
                                    .plain_weighted = plain_weighted};
