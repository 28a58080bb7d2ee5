/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/resize.h"
#include "ops/cpu/simd.h"

/* A row of the output: the input plane, and where the row stands in depth and height. */
typedef struct ResizeRow {
    const float *plane;
    float *out;
    int64_t z, y;
    vi mask;
} ResizeRow;

static ResizeRow row_at(const ResizeArgs *args, const KernelCall *call, int64_t index) {
    const ResizeTaps *d = args->dims;
    const int64_t plane = index / (d[0].out * d[1].out), rest = index % (d[0].out * d[1].out);
    const int lanes = plane % args->blocks == args->blocks - 1 ? args->tail_channels : VW;
    return (ResizeRow){.plane = (const float *)call->inputs[0] + plane * d[0].in * d[1].in * d[2].in * VW,
                       .out = (float *)call->outputs[0] + index * d[2].out * VW,
                       .z = rest / d[1].out,
                       .y = rest % d[1].out,
                       .mask = v_lane_mask(lanes)};
}

static const float *line_at(const ResizeArgs *args, const ResizeRow *row, int64_t i, int64_t j) {
    const ResizeTaps *d = args->dims;
    const int64_t z = d[0].indices[row->z * d[0].max_taps + i], y = d[1].indices[row->y * d[1].max_taps + j];
    return row->plane + (z * d[1].in + y) * d[2].in * VW;
}

static void nearest_row(const ResizeArgs *args, const ResizeRow *row) {
    const ResizeTaps *d = &args->dims[2];
    const float *line = line_at(args, row, 0, 0);
    for (int64_t x = 0; x < d->out; x++)
        v_store(row->out + x * VW, v_load(line + d->indices[x] * VW));
}

/* The sum of the lines that make a row, in the columns that are needed.  A weight of 0 takes no part, as 0
 * times an infinity would. */
static void sum_lines(const ResizeArgs *args, const ResizeRow *row, float *sums) {
    const ResizeTaps *d = args->dims;
    bool first = true;
    for (int64_t i = 0; i < d[0].max_taps; i++)
        for (int64_t j = 0; j < d[1].max_taps; j++) {
            const float weight =
                d[0].weights[row->z * d[0].max_taps + i] * d[1].weights[row->y * d[1].max_taps + j];
            if (weight == 0)
                continue;
            const float *line = line_at(args, row, i, j);
            for (int64_t c = 0; c < args->n_columns; c++) {
                const vf value = v_set(weight) * v_load(line + args->columns[c] * VW);
                v_store(sums + c * VW, first ? value : v_load(sums + c * VW) + value);
            }
            first = false;
        }
    for (int64_t c = 0; first && c < args->n_columns; c++)
        v_store(sums + c * VW, v_zero());
}

static void weighted_row(const ResizeArgs *args, const ResizeRow *row, float *sums) {
    const ResizeTaps *d = &args->dims[2];
    sum_lines(args, row, sums);
    for (int64_t x = 0; x < d->out; x++) {
        vf value = v_zero();
        for (int64_t k = 0; k < d->max_taps; k++) {
            const float weight = d->weights[x * d->max_taps + k];
            if (weight != 0)
                value += v_set(weight) * v_load(sums + d->indices[x * d->max_taps + k] * VW);
        }
        v_store(row->out + x * VW, (vf)((vi)value & row->mask));
    }
}

INLINE void rows_of_task(const KernelCall *call, int64_t task, const bool weighted) {
    const ResizeArgs *args = call->args;
    const int64_t first = task * args->rows_a_task;
    const int64_t end = first + args->rows_a_task < args->rows ? first + args->rows_a_task : args->rows;
    for (int64_t index = first; index < end; index++) {
        const ResizeRow row = row_at(args, call, index);
        if (weighted)
            weighted_row(args, &row, call->scratch);
        else
            nearest_row(args, &row);
    }
}

static void nearest(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, false);
}

static void weighted(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, true);
}

const ResizeTable TARGET(resize) = {.nearest = nearest, .weighted = weighted};
