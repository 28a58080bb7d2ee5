/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearAveragePool and QLinearGlobalAveragePool: the rows of a window are summed first, all along, then its
 * columns.  Sums are whole numbers, so their order does not matter.  Channels that lie together are a
 * dimension inside of the columns. */
#include "ops/quantization/qlinear_pool.h"

#include <string.h>

#include "ops/cpu/cpu.h"
#include "ops/quantization/qlinear.h"

enum { TASK_ELEMENTS = 16 * 1024 };

typedef struct QPoolArgs {
    WindowDim dims[MAX_SPATIAL];
    const PoolAttrs *attrs;      /* NULL: one window that is the plane */
    int64_t inner;               /* channels that lie together */
    int64_t n_rows, rows_a_task; /* of outputs, of all planes */
    bool is_signed, has_zero[2]; /* of x and y */
    IntegerRange range;
} QPoolArgs;

/* A row of outputs. */
typedef struct QPoolRow {
    QLinear of_x, of_y;
    WindowTaps z, y;
    int64_t z_first, y_first; /* where tap 0 lies; may be outside */
    const uint8_t *plane;
    int32_t *sums; /* of each column, over the lines of the window */
} QPoolRow;

static QLinear qlinear_at(const QPoolArgs *args, const KernelCall *call, int scale_port, bool has_zero) {
    QLinear of = {*(const float *)call->inputs[scale_port], 0};
    if (has_zero && args->is_signed)
        of.zero = *(const int8_t *)call->inputs[scale_port + 1];
    else if (has_zero)
        of.zero = *(const uint8_t *)call->inputs[scale_port + 1];
    return of;
}

static void add_line(const uint8_t *restrict line, bool is_signed, int64_t count, int32_t *restrict sums) {
    if (is_signed)
        for (int64_t i = 0; i < count; i++)
            sums[i] += (int8_t)line[i];
    else
        for (int64_t i = 0; i < count; i++)
            sums[i] += line[i];
}

static void add_lines(const QPoolArgs *args, const QPoolRow *row) {
    const WindowDim *d = args->dims;
    const int64_t count = d[2].in * args->inner;
    memset(row->sums, 0, (size_t)count * sizeof *row->sums);
    for (int64_t i = row->z.first; i < row->z.end; i++)
        for (int64_t j = row->y.first; j < row->y.end; j++) {
            const int64_t line =
                (row->z_first + i * d[0].dilation) * d[1].in + row->y_first + j * d[1].dilation;
            add_line(row->plane + line * count, args->is_signed, count, row->sums);
        }
}

/* How many elements of a window count. */
static double counted(const QPoolArgs *args, const QPoolRow *row, int64_t x_first) {
    const WindowDim *d = args->dims;
    if (!args->attrs)
        return (double)d[2].in;
    return (double)pool_counted(args->attrs, &d[0], row->z_first) *
           (double)pool_counted(args->attrs, &d[1], row->y_first) *
           (double)pool_counted(args->attrs, &d[2], x_first);
}

/* The outputs of one window. */
static void put_window(const QPoolArgs *args, const QPoolRow *row, int64_t x, uint8_t *to) {
    const WindowDim *d = &args->dims[2];
    const int64_t first = x * d->stride - d->pad_begin;
    const WindowTaps taps = window_taps(d, first, d->in);
    const int64_t seen = (row->z.end - row->z.first) * (row->y.end - row->y.first) * (taps.end - taps.first);
    const double count = counted(args, row, first);
    for (int64_t i = 0; i < args->inner; i++) {
        int64_t sum = -row->of_x.zero * seen;
        for (int64_t k = taps.first; k < taps.end; k++)
            sum += row->sums[(first + k * d->dilation) * args->inner + i];
        const double average = count > 0 ? (double)sum / count : 0;
        const float real = (float)((double)row->of_x.scale * average);
        to[i] = (uint8_t)qlinear_quantize(row->of_y, real, args->range);
    }
}

static void qpool_run(const KernelCall *call, int64_t task) {
    const QPoolArgs *args = call->args;
    const WindowDim *d = args->dims;
    const int64_t plane_rows = d[0].out * d[1].out, plane = d[0].in * d[1].in * d[2].in * args->inner;
    const int64_t end = i64_min((task + 1) * args->rows_a_task, args->n_rows);
    QPoolRow row = {.of_x = qlinear_at(args, call, QPOOL_X_SCALE, args->has_zero[0]),
                    .of_y = qlinear_at(args, call, QPOOL_Y_SCALE, args->has_zero[1]),
                    .sums = call->scratch};
    for (int64_t r = task * args->rows_a_task; r < end; r++) {
        row.plane = (const uint8_t *)call->inputs[QPOOL_X] + r / plane_rows * plane;
        row.z_first = r % plane_rows / d[1].out * d[0].stride - d[0].pad_begin;
        row.y_first = r % d[1].out * d[1].stride - d[1].pad_begin;
        row.z = window_taps(&d[0], row.z_first, d[0].in);
        row.y = window_taps(&d[1], row.y_first, d[1].in);
        add_lines(args, &row);
        for (int64_t x = 0; x < d[2].out; x++)
            put_window(args, &row, x, (uint8_t *)call->outputs[0] + (r * d[2].out + x) * args->inner);
    }
}

/* --- preparing --- */

static void fill_args(const KernelQuery *query, QPoolArgs *args) {
    const QLinearPoolAttrs *attrs = query->node->attrs;
    const Type *type = &query->inputs[QPOOL_X].type;
    const Shape x = qlinear_pool_shape(attrs, &type->shape);
    const bool is_global = query->node->op->kind == OP_QLinearGlobalAveragePool;
    const int64_t pixels = shape_size(&x, 2, x.rank);
    WindowDim d[MAX_SPATIAL] = {
        {1, 1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 1, 0, 0}, {pixels, 1, pixels, 1, 1, 0, 0}};
    if (!is_global)
        pool_geometry(&attrs->pool, &x, d);
    *args = (QPoolArgs){.attrs = is_global ? NULL : &attrs->pool,
                        .inner = attrs->channels_last ? x.dims[1] : 1,
                        .is_signed = type->dtype == STRIDER_I8,
                        .has_zero = {cpu_has_input(query, QPOOL_X_ZERO), cpu_has_input(query, QPOOL_Y_ZERO)},
                        .range = integer_range(type->dtype)};
    memcpy(args->dims, d, sizeof d);
    args->n_rows = count_of(x.dims[0], attrs->channels_last ? 1 : x.dims[1], d[0].out, d[1].out);
    args->rows_a_task = i64_max(TASK_ELEMENTS / i64_max(count_of(d[1].kernel, d[2].in, args->inner), 1), 1);
}

static Bytes scratch_of_sums(const QPoolArgs *args) {
    return bytes_of(sizeof(int32_t), args->dims[2].in, args->inner);
}

/* Sums of columns fit int32. */
static bool qpool_accepts(KernelQuery *query) {
    QPoolArgs args;
    fill_args(query, &args);
    const int64_t lines = i64_product(args.dims[0].in, args.dims[1].in);
    return lines <= INT32_MAX / UINT8_MAX && args.dims[2].in > 0 && cpu_want_plain(query) &&
           cpu_in_proportion(query, scratch_of_sums(&args), (Bytes){0});
}

static Status qpool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    QPoolArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    fill_args(query, args);
    *instance = (KernelInstance){.run = qpool_run,
                                 .args = args,
                                 .tasks = ceil_div(args->n_rows, args->rows_a_task),
                                 .scratch_bytes = scratch_of_sums(args)};
    return STRIDER_OK;
}

#define QPOOL(ROW, NAME, OPERATOR)                                                                           \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = qpool_accepts,                                                            \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = qpool_prepare};

QPOOL(kernel_qlinear_average_pool, "qlinear_average_pool", QLinearAveragePool)
QPOOL(kernel_qlinear_global_average_pool, "qlinear_global_average_pool", QLinearGlobalAveragePool)
