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
    const int lanes = plane % args->blocks == args->blocks - 1 ? args->last_lanes : VW;
    return (ResizeRow){.plane = (const float *)call->inputs[0] + plane * d[0].in * d[1].in * d[2].in * VW,
                       .out = (float *)call->outputs[0] + index * d[2].out * VW,
                       .z = rest / d[1].out,
                       .y = rest % d[1].out,
                       .mask = v_lane_mask(lanes)};
}

static const float *line_at(const ResizeArgs *args, const ResizeRow *row, int64_t i, int64_t j) {
    const ResizeTaps *d = args->dims;
    const int64_t z = d[0].indices[row->z * d[0].most + i], y = d[1].indices[row->y * d[1].most + j];
    return row->plane + (z * d[1].in + y) * d[2].in * VW;
}

static void nearest_row(const ResizeArgs *args, const ResizeRow *row) {
    const ResizeTaps *d = &args->dims[2];
    const float *line = line_at(args, row, 0, 0);
    for (int64_t x = 0; x < d->out; x++)
        v_store(row->out + x * VW, v_load(line + d->indices[x] * VW));
}

/* A weight of 0 takes no part, as 0 times an infinity would. */
static void add_line(const ResizeTaps *d, const float *line, float weight, bool first, float *out) {
    for (int64_t x = 0; x < d->out; x++) {
        vf sum = v_zero();
        for (int64_t k = 0; k < d->most; k++) {
            const float w = d->weights[x * d->most + k];
            if (w != 0)
                sum += v_set(w) * v_load(line + d->indices[x * d->most + k] * VW);
        }
        sum *= v_set(weight);
        v_store(out + x * VW, first ? sum : v_load(out + x * VW) + sum);
    }
}

static void weighted_row(const ResizeArgs *args, const ResizeRow *row) {
    const ResizeTaps *d = args->dims;
    bool first = true;
    for (int64_t i = 0; i < d[0].most; i++)
        for (int64_t j = 0; j < d[1].most; j++) {
            const float weight = d[0].weights[row->z * d[0].most + i] * d[1].weights[row->y * d[1].most + j];
            if (weight == 0)
                continue;
            add_line(&d[2], line_at(args, row, i, j), weight, first, row->out);
            first = false;
        }
    for (int64_t x = 0; x < d[2].out; x++)
        v_store(row->out + x * VW, first ? v_zero() : (vf)((vi)v_load(row->out + x * VW) & row->mask));
}

INLINE void rows_of_task(const KernelCall *call, int64_t task,
                         void (*run)(const ResizeArgs *args, const ResizeRow *row)) {
    const ResizeArgs *args = call->args;
    const int64_t first = task * args->rows_a_task;
    const int64_t end = first + args->rows_a_task < args->rows ? first + args->rows_a_task : args->rows;
    for (int64_t index = first; index < end; index++) {
        const ResizeRow row = row_at(args, call, index);
        run(args, &row);
    }
}

static void nearest(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, nearest_row);
}

static void weighted(const KernelCall *call, int64_t task) {
    rows_of_task(call, task, weighted_row);
}

const ResizeTable ISA(resize) = {.nearest = nearest, .weighted = weighted};
