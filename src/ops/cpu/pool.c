/* SPDX-License-Identifier: Apache-2.0 */
/* MaxPool, AveragePool, and LpPool by sums of magnitudes or squares, of blocked tensors. */
#include "ops/cpu/pool.h"

#include "base/size.h"
#include "ops/nn/pool.h"

enum { MIN_TASKS = 16 };

/* --- windows --- */

static bool pool_accepts(KernelQuery *query) {
    if (!cpu_is_f32(query, 0) || !layout_can_block(&query->inputs[0].type) ||
        (query->n_outputs > 1 && query->node->outputs[1]))
        return false;
    query->inputs[0].layout = query->outputs[0].layout = cpu_blocked(query);
    return true;
}

static double pool_cost(const KernelQuery *query) {
    const PoolAttrs *attrs = query->node->attrs;
    const Shape *out = &query->outputs[0].type.shape;
    double taps = 1;
    for (int i = 0; i < out->rank - 2; i++)
        taps *= (double)attrs->window.kernel[i];
    double vectors = (double)i64_product(out->dims[0], layout_blocks(out, query->outputs[0].layout)) *
                     (double)shape_size(out, 2, out->rank);
    return 1000 + vectors * (1 + taps * 0.4);
}

static Status pool_prepare(const KernelQuery *query, TaskFunction run, PrepareContext *ctx,
                           KernelInstance *instance) {
    const PoolAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    PoolArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    pool_geometry(attrs, x, args->dims);
    WindowDim whole = args->dims[2];
    whole.in += i64_min(whole.pad_end, 0); /* windows that extend into a crop, rounded up, are not whole */
    cpu_window_inside(&whole, &args->inside_begin, &args->inside_end);
    args->count_include_pad = attrs->count_include_pad;
    args->blocks = layout_blocks(x, query->inputs[0].layout);
    args->tail_channels = cpu_tail_channels(x, query->inputs[0].layout);
    int64_t planes = i64_product(x->dims[0], args->blocks),
            rows = i64_product(args->dims[0].out, args->dims[1].out);
    int64_t row_tiles = planes ? i64_min(ceil_div(MIN_TASKS, planes), rows) : 1;
    args->rows_a_tile = ceil_div(rows, i64_max(row_tiles, 1));
    args->row_tiles = args->rows_a_tile ? ceil_div(rows, args->rows_a_tile) : 0;
    *instance = (KernelInstance){.run = run, .args = args, .tasks = i64_product(planes, args->row_tiles)};
    return STRIDER_OK;
}

static Status max_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return pool_prepare(query, pool_for(query->target)->max, ctx, instance);
}

static Status average_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return pool_prepare(query, pool_for(query->target)->average, ctx, instance);
}

const Kernel kernel_max_pool = {
    .name = "max_pool",
    .op = OP_MaxPool,
    .accepts = pool_accepts,
    .cost = pool_cost,
    .prepare = max_pool_prepare,
};

const Kernel kernel_average_pool = {
    .name = "average_pool",
    .op = OP_AveragePool,
    .accepts = pool_accepts,
    .cost = pool_cost,
    .prepare = average_pool_prepare,
};

static bool lp_pool_accepts(KernelQuery *query) {
    const PoolAttrs *attrs = query->node->attrs;
    return (attrs->p == 1 || attrs->p == 2) && pool_accepts(query);
}

static Status lp_pool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const PoolAttrs *attrs = query->node->attrs;
    const PoolTable *table = pool_for(query->target);
    return pool_prepare(query, attrs->p == 1 ? table->magnitudes : table->squares, ctx, instance);
}

const Kernel kernel_lp_pool = {
    .name = "lp_pool",
    .op = OP_LpPool,
    .accepts = lp_pool_accepts,
    .cost = pool_cost,
    .prepare = lp_pool_prepare,
};
