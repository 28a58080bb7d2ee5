/* SPDX-License-Identifier: Apache-2.0 */
/* Whole planes to one element: GlobalMaxPool, GlobalAveragePool, and ReduceMean, ReduceSum and ReduceMax over
 * exactly the spatial axes of a blocked tensor. */
#include "ops/reduction/reduce.h"

#include "base/size.h"
#include "ops/cpu/pool.h"

enum { TASK_BYTES = 64 * 1024 }; /* of input that a task reads at least */

typedef enum Reduction { REDUCE_MEAN, REDUCE_SUM, REDUCE_MAX } Reduction;

static double reduce_cost(const KernelQuery *query) {
    return cpu_memory_cost((double)sizeof(float) * (double)shape_elements(&query->inputs[0].type.shape));
}

/* `first_axis`: of those that are reduced, which are all from there on. */
static Status planes_prepare(const KernelQuery *query, int first_axis, Reduction reduction,
                             PrepareContext *ctx, KernelInstance *instance) {
    const Shape *x = &query->inputs[0].type.shape;
    const Layout layout = query->inputs[0].layout;
    const PoolTable *table = pool_for(query->target);
    PlaneArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->pixels = shape_size(x, first_axis, x->rank);
    args->planes = shape_size(x, 0, first_axis);
    args->is_sum = reduction == REDUCE_SUM;
    if (layout.kind == LAYOUT_PLAIN) {
        instance->run = reduction == REDUCE_MAX ? table->plane_max_plain : table->plane_average_plain;
    } else {
        args->channels = x->dims[1];
        args->blocks = layout_blocks(x, layout);
        args->planes = x->dims[0] * args->blocks;
        args->tail_channels = cpu_tail_channels(x, layout);
        args->plain_output = query->outputs[0].layout.kind == LAYOUT_PLAIN;
        instance->run = reduction == REDUCE_MAX ? table->plane_max_blocked : table->plane_average_blocked;
    }
    int64_t plane_bytes = count_of(args->pixels, layout_block(layout), sizeof(float));
    args->planes_a_task = i64_max(TASK_BYTES / i64_max(plane_bytes, 1), 1);
    instance->args = args;
    instance->tasks = ceil_div(args->planes, args->planes_a_task);
    return STRIDER_OK;
}

/* --- GlobalMaxPool, GlobalAveragePool --- */

static bool global_pool_accepts(KernelQuery *query) {
    const Shape *x = &query->inputs[0].type.shape;
    if (!cpu_is_f32(query, 0) || shape_size(x, 2, x->rank) == 0)
        return false;
    cpu_keep_layout(query);
    return true;
}

static Status global_max_pool_prepare(const KernelQuery *query, PrepareContext *ctx,
                                      KernelInstance *instance) {
    return planes_prepare(query, 2, REDUCE_MAX, ctx, instance);
}

static Status global_average_pool_prepare(const KernelQuery *query, PrepareContext *ctx,
                                          KernelInstance *instance) {
    return planes_prepare(query, 2, REDUCE_MEAN, ctx, instance);
}

const Kernel kernel_global_max_pool = {
    .name = "global_max_pool",
    .op = OP_GlobalMaxPool,
    .accepts = global_pool_accepts,
    .cost = reduce_cost,
    .prepare = global_max_pool_prepare,
};

const Kernel kernel_global_average_pool = {
    .name = "global_average_pool",
    .op = OP_GlobalAveragePool,
    .accepts = global_pool_accepts,
    .cost = reduce_cost,
    .prepare = global_average_pool_prepare,
};

/* --- ReduceMean, ReduceSum, ReduceMax --- */

/* The first of the axes, where they are the last ones; -1 where they are not. */
static int first_axis_of(const KernelQuery *query) {
    int rank = query->inputs[0].type.shape.rank, first = rank;
    unsigned mask;
    if (!cpu_optional_contents(query, 1) ||
        !reduce_axes(query->node->attrs, cpu_input_contents(query, 1), rank, &mask))
        return -1;
    while (first > 0 && (mask >> (first - 1) & 1))
        first--;
    return mask && mask >> first << first == mask ? first : -1;
}

static bool reduce_accepts(KernelQuery *query) {
    const ReduceAttrs *attrs = query->node->attrs;
    if (!cpu_is_f32(query, 0) || query->outputs[0].type.dtype != STRIDER_F32 ||
        shape_elements(&query->inputs[0].type.shape) == 0)
        return false;
    if (!cpu_is_blocked(query, &query->inputs[0]) || first_axis_of(query) != 2)
        return false;
    if (query->n_inputs > 1)
        query->inputs[1].packed = query->inputs[1].type.dtype != STRIDER_DTYPE_NONE;
    query->inputs[0].layout = cpu_blocked(query);
    query->outputs[0].layout = attrs->keepdims ? cpu_blocked(query) : layout_plain();
    return true;
}

#define REDUCE_KERNEL(ROW, NAME, OP, KIND)                                                                   \
    static Status ROW##_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {   \
        return planes_prepare(query, 2, KIND, ctx, instance);                                                \
    }                                                                                                        \
    const Kernel ROW = {                                                                                     \
        .name = NAME, .op = OP, .accepts = reduce_accepts, .cost = reduce_cost, .prepare = ROW##_prepare};

REDUCE_KERNEL(kernel_reduce_mean, "reduce_mean", OP_ReduceMean, REDUCE_MEAN)
REDUCE_KERNEL(kernel_reduce_sum, "reduce_sum", OP_ReduceSum, REDUCE_SUM)
REDUCE_KERNEL(kernel_reduce_max, "reduce_max", OP_ReduceMax, REDUCE_MAX)
