/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool of int8 and uint8, plain: the rows of a window are joined first, all along, then its columns. */
#include <string.h>

#include "ops/cpu/cpu.h"
#include "ops/nn/pool.h"

typedef struct BytePoolArgs {
    WindowDim dims[MAX_SPATIAL];
    int64_t inside_begin, inside_end; /* outputs of a row whose windows lie inside it */
    uint8_t flip; /* 0x80 where bytes are signed, so that they compare as unsigned ones do */
} BytePoolArgs;

static void join_row(const uint8_t *from, uint8_t flip, int64_t count, uint8_t *to) {
    for (int64_t i = 0; i < count; i++) {
        const uint8_t byte = from[i] ^ flip;
        to[i] = to[i] > byte ? to[i] : byte;
    }
}

/* The largest of each column of a row of windows; 0 where there are no rows. */
static void join_rows(const BytePoolArgs *args, const uint8_t *plane, int64_t z, int64_t y,
                      uint8_t *columns) {
    const WindowDim *d = args->dims;
    const int64_t z_begin = z * d[0].stride - d[0].pad_begin, y_begin = y * d[1].stride - d[1].pad_begin;
    const WindowTaps of_z = window_taps(&d[0], z_begin, d[0].in), of_y = window_taps(&d[1], y_begin, d[1].in);
    memset(columns, 0, (size_t)d[2].in);
    for (int64_t i = of_z.first; i < of_z.end; i++)
        for (int64_t j = of_y.first; j < of_y.end; j++) {
            const int64_t row = (z_begin + i * d[0].dilation) * d[1].in + y_begin + j * d[1].dilation;
            join_row(plane + row * d[2].in, args->flip, d[2].in, columns);
        }
}

static uint8_t largest(const uint8_t *from, int64_t taps, int64_t step) {
    uint8_t result = 0;
    for (int64_t i = 0; i < taps; i++)
        result = result > from[i * step] ? result : from[i * step];
    return result;
}

static void byte_pool_run(const KernelCall *call, int64_t task) {
    const BytePoolArgs *args = call->args;
    const WindowDim *d = args->dims, *x = &d[2];
    uint8_t *columns = call->scratch, *to = (uint8_t *)call->outputs[0] + task * d[0].out * d[1].out * x->out;
    const uint8_t *plane = (const uint8_t *)call->inputs[0] + task * d[0].in * d[1].in * x->in;
    for (int64_t i = 0; i < d[0].out; i++)
        for (int64_t j = 0; j < d[1].out; j++) {
            join_rows(args, plane, i, j, columns);
            for (int64_t k = 0; k < x->out; k++) {
                const int64_t begin = k * x->stride - x->pad_begin;
                const bool is_inside = k >= args->inside_begin && k < args->inside_end;
                const WindowTaps taps = is_inside ? (WindowTaps){0, x->kernel} : window_taps(x, begin, x->in);
                const int64_t count = taps.end - taps.first;
                *to++ = (count > 0 ? largest(columns + (begin + taps.first * x->dilation), count, x->dilation)
                                   : 0) ^
                        args->flip;
            }
        }
}

static bool byte_pool_accepts(KernelQuery *query) {
    const DType dtype = query->inputs[0].type.dtype;
    query->inputs[0].layout = query->outputs[0].layout = layout_plain();
    return (dtype == STRIDER_I8 || dtype == STRIDER_U8) && !(query->n_outputs > 1 && query->node->outputs[1]);
}

static double byte_pool_cost(const KernelQuery *query) {
    const PoolAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    double taps = 1;
    for (int i = 0; i < x->rank - 2; i++)
        taps *= (double)attrs->window.kernel[i];
    return 1000 + (double)shape_elements(&query->outputs[0].type.shape) * (2 + taps * 0.1);
}

static Status byte_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *x = &query->inputs[0].type.shape;
    BytePoolArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    pool_geometry(query->node->attrs, x, args->dims);
    cpu_window_inside(&args->dims[2], &args->inside_begin, &args->inside_end);
    args->flip = query->inputs[0].type.dtype == STRIDER_I8 ? 0x80 : 0;
    *instance = (KernelInstance){.run = byte_pool_run,
                                 .args = args,
                                 .tasks = i64_product(x->dims[0], x->dims[1]),
                                 .scratch_bytes = bytes_of(1, args->dims[2].in)};
    return STRIDER_OK;
}

const Kernel kernel_max_pool_bytes = {
    .name = "max_pool_bytes",
    .op = OP_MaxPool,
    .accepts = byte_pool_accepts,
    .cost = byte_pool_cost,
    .prepare = byte_pool_prepare,
};
