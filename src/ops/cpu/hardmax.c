/* SPDX-License-Identifier: Apache-2.0 */
/* Hardmax of plain float32: ArgMax's functions find where the ones go. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/arg_reduce.h"
#include "ops/math/softmax.h"

enum { TASK_ELEMENTS = 32768 };

typedef struct HardmaxArgs {
    ArgColumns of_all;
    void (*function)(const ArgColumns *columns);
    int64_t inner, column_blocks, units, units_a_task;
} HardmaxArgs;

/* NaN is no maximum, but where it comes first, which ArgMax says otherwise. */
static int64_t place_beside_nan(const float *x, int64_t count, int64_t stride) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (x[i * stride] > x[best * stride])
            best = i;
    return best;
}

static void hardmax_unit(const HardmaxArgs *args, const KernelCall *call, int64_t unit) {
    const int64_t outer = unit / args->column_blocks, first = unit % args->column_blocks * ARG_COLUMNS,
                  inner = args->inner, at = outer * args->of_all.rows * inner + first;
    const float *x = (const float *)call->inputs[0] + at;
    float *y = (float *)call->outputs[0] + at;
    int64_t *places = call->scratch;
    ArgColumns columns = args->of_all;
    columns.columns = i64_min(inner - first, ARG_COLUMNS);
    columns.out = places;
    columns.x = x;
    args->function(&columns);
    if (inner == 1)
        memset(y, 0, (size_t)columns.rows * sizeof *y);
    for (int64_t r = 0; inner > 1 && r < columns.rows; r++)
        memset(y + r * inner, 0, (size_t)columns.columns * sizeof *y);
    for (int64_t c = 0; c < columns.columns; c++) {
        if (isnan(x[places[c] * inner + c]))
            places[c] = place_beside_nan(x + c, columns.rows, inner);
        y[places[c] * inner + c] = 1;
    }
}

static void hardmax_run(const KernelCall *call, int64_t task) {
    const HardmaxArgs *args = call->args;
    const int64_t first = task * args->units_a_task, end = i64_min(first + args->units_a_task, args->units);
    for (int64_t unit = first; unit < end; unit++)
        hardmax_unit(args, call, unit);
}

static bool hardmax_accepts(KernelQuery *query) {
    const SoftmaxGeometry g = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    return cpu_is_f32(query, 0) && g.count >= 1 && g.count <= INT32_MAX && cpu_want_plain(query);
}

static Status hardmax_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const SoftmaxGeometry g = softmax_geometry(query->node->attrs, &query->inputs[0].type.shape);
    HardmaxArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->inner = g.inner;
    args->of_all = (ArgColumns){.stride = g.inner, .rows = g.count};
    args->function = g.inner == 1 ? arg_reduce_for(query->target)->rows[ARG_F32]
                                  : arg_reduce_for(query->target)->columns[ARG_F32];
    args->column_blocks = ceil_div(g.inner, ARG_COLUMNS);
    args->units = count_of(g.outer, args->column_blocks);
    const int64_t unit_elements = count_of(i64_min(g.inner, ARG_COLUMNS), g.count);
    args->units_a_task = i64_max(TASK_ELEMENTS / i64_max(unit_elements, 1), 1);
    *instance = (KernelInstance){.run = hardmax_run,
                                 .args = args,
                                 .tasks = ceil_div(args->units, args->units_a_task),
                                 .scratch_bytes = bytes_of(sizeof(int64_t), ARG_COLUMNS)};
    return STRIDER_OK;
}

const Kernel kernel_hardmax = {
    .name = "hardmax",
    .op = OP_Hardmax,
    .accepts = hardmax_accepts,
    .cost = cpu_operands_cost,
    .prepare = hardmax_prepare,
};
