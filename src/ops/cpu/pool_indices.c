/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool of plain tensors that says where each maximum stands: a row of outputs at a time, of which each tap
 * of the window is compared with what the taps before have found. */
#include "ops/cpu/pool_indices.h"

#include <math.h>
#include <string.h>

#include "ops/nn/pool.h"

#define REAL double
#include "ops/nn/pool_formula.h"

enum { TASK_TAPS = 16384 };

typedef struct PoolIndicesArgs {
    WindowDim dims[MAX_SPATIAL];
    const PoolIndicesRows *rows;
    bool column_major;
    size_t element;
    int64_t n_rows, rows_a_task; /* of outputs, of all planes */
} PoolIndicesArgs;

/* Compares the columns of one line of the window, whose first element is element `at` of the plane. */
static void take_line(const PoolIndicesArgs *args, const char *plane, int64_t at, char *most,
                      int32_t *index) {
    const WindowDim *d = &args->dims[2];
    for (int64_t tap = 0; tap < d->kernel; tap++) {
        const TapRange range = cpu_tap_range(d, tap);
        if (range.begin < range.end)
            args->rows->tap(plane + (size_t)(at + range.at) * args->element, (int32_t)(at + range.at),
                            d->stride, range.end - range.begin, most + (size_t)range.begin * args->element,
                            index + range.begin);
    }
}

static void find_row(const PoolIndicesArgs *args, const char *plane, int64_t row, char *most,
                     int32_t *index) {
    const WindowDim *d = args->dims;
    const int64_t z = row / d[1].out * d[0].stride - d[0].pad_begin,
                  y = row % d[1].out * d[1].stride - d[1].pad_begin;
    const WindowTaps of_z = window_taps(&d[0], z, d[0].in), of_y = window_taps(&d[1], y, d[1].in);
    args->rows->least(most, d[2].out);
    for (int64_t k = 0; k < d[2].out; k++)
        index[k] = -1;
    for (int64_t i = of_z.first; i < of_z.end; i++)
        for (int64_t j = of_y.first; j < of_y.end; j++) {
            const int64_t line = (z + i * d[0].dilation) * d[1].in + y + j * d[1].dilation;
            take_line(args, plane, line * d[2].in, most, index);
        }
}

static void pool_indices_run(const KernelCall *call, int64_t task) {
    const PoolIndicesArgs *args = call->args;
    const WindowDim *d = args->dims;
    const int64_t plane_rows = d[0].out * d[1].out,
                  end = i64_min((task + 1) * args->rows_a_task, args->n_rows);
    const size_t row_bytes = bytes_of(args->element, d[2].out).n,
                 plane_bytes = bytes_of(args->element, d[0].in, d[1].in, d[2].in).n;
    char *y = call->outputs[0], *most = call->scratch;
    int64_t *indices = call->outputs[1];
    int32_t *index = (int32_t *)(void *)(most + bytes_of(sizeof(double), d[2].out).n);
    for (int64_t row = task * args->rows_a_task; row < end; row++) {
        const int64_t plane = row / plane_rows;
        find_row(args, (const char *)call->inputs[0] + (size_t)plane * plane_bytes, row % plane_rows, most,
                 index);
        if (y)
            memcpy(y + (size_t)row * row_bytes, most, row_bytes);
        for (int64_t k = 0; indices && k < d[2].out; k++)
            indices[row * d[2].out + k] =
                pool_flat_index(plane, d[0].in, d[1].in, d[2].in, index[k], args->column_major);
    }
}

/* --- preparing --- */

static const PoolIndicesRows *rows_for(const CpuTarget *target, DType dtype) {
    const PoolIndicesTable *table = pool_indices_for(target);
    switch (dtype) {
    case STRIDER_F32:
        return &table->f32;
    case STRIDER_F64:
        return &table->f64;
    case STRIDER_I8:
        return &table->i8;
    case STRIDER_U8:
        return &table->u8;
    default:
        return NULL;
    }
}

/* A row's windows are gone through tap by tap, also by those that no window sees: not by more than columns.
 */
static bool pool_indices_accepts(KernelQuery *query) {
    const Type *x = &query->inputs[0].type;
    WindowDim d[MAX_SPATIAL];
    pool_geometry(query->node->attrs, &x->shape, d);
    return query->n_outputs > 1 && query->node->outputs[1] && rows_for(query->target, x->dtype) &&
           shape_size(&x->shape, 2, x->shape.rank) <= INT32_MAX && d[2].kernel <= d[2].in &&
           cpu_want_plain(query);
}

static int64_t taps_of(const WindowDim *d) {
    return count_of(d[0].kernel, d[1].kernel, d[2].kernel);
}

static double pool_indices_cost(const KernelQuery *query) {
    WindowDim d[MAX_SPATIAL];
    const Shape *x = &query->inputs[0].type.shape;
    pool_geometry(query->node->attrs, x, d);
    const double outputs = (double)count_of(x->dims[0], x->dims[1], d[0].out, d[1].out, d[2].out);
    return 1000 + outputs * (1 + 0.3 * (double)taps_of(d));
}

static Status pool_indices_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const PoolAttrs *attrs = query->node->attrs;
    const Type *x = &query->inputs[0].type;
    PoolIndicesArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    pool_geometry(attrs, &x->shape, args->dims);
    const WindowDim *d = args->dims;
    args->rows = rows_for(query->target, x->dtype);
    args->column_major = attrs->column_major;
    args->element = dtype_size(x->dtype);
    args->n_rows = count_of(x->shape.dims[0], x->shape.dims[1], d[0].out, d[1].out);
    args->rows_a_task = i64_max(TASK_TAPS / i64_max(i64_product(d[2].out, taps_of(d)), 1), 1);
    *instance = (KernelInstance){.run = pool_indices_run,
                                 .args = args,
                                 .tasks = ceil_div(args->n_rows, args->rows_a_task),
                                 .scratch_bytes = bytes_of(sizeof(double) + sizeof(int32_t), d[2].out)};
    return STRIDER_OK;
}

const Kernel kernel_max_pool_indices = {
    .name = "max_pool_indices",
    .op = OP_MaxPool,
    .accepts = pool_indices_accepts,
    .cost = pool_indices_cost,
    .prepare = pool_indices_prepare,
};
