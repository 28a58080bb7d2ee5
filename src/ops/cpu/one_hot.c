/* SPDX-License-Identifier: Apache-2.0 */
/* OneHot of plain indices: rows of the value that is off, and in each one that is on. */
#include "ops/tensor/one_hot.h"

#include "ops/cpu/cpu.h"
#include "ops/shared_math.h"

enum { TASK_ELEMENTS = 32 * 1024 };

typedef struct OneHotArgs {
    int64_t outer, depth, inner, outer_a_task;
    bool are_i32, from_end; /* indices: their type; negative ones count from the end */
    size_t size;            /* of an element */
} OneHotArgs;

static int64_t index_at(const OneHotArgs *args, const void *indices, int64_t i) {
    const int64_t stated = args->are_i32 ? ((const int32_t *)indices)[i] : ((const int64_t *)indices)[i];
    return args->from_end ? index_from_end(stated, args->depth) : stated;
}

static void one_hot_run(const KernelCall *call, int64_t task) {
    const OneHotArgs *args = call->args;
    const int64_t first = task * args->outer_a_task, end = i64_min(first + args->outer_a_task, args->outer);
    const int64_t row = args->depth * args->inner;
    DISPATCH_BY_SIZE(args->size, T, {
        const T *values = call->inputs[ONE_HOT_VALUES];
        const T off = values[0];
        const T on = values[1];
        T *y = call->outputs[0];
        for (int64_t i = first * row; i < end * row; i++)
            y[i] = off;
        for (int64_t i = first * args->inner; i < end * args->inner; i++) {
            const int64_t index = index_at(args, call->inputs[ONE_HOT_INDICES], i);
            if (index >= 0 && index < args->depth)
                y[(i / args->inner * args->depth + index) * args->inner + i % args->inner] = on;
        }
    })
}

static bool one_hot_accepts(KernelQuery *query) {
    if (!(DTYPE_BIT(query->inputs[ONE_HOT_INDICES].type.dtype) & DTYPES_INDEX))
        return false;
    query->inputs[ONE_HOT_DEPTH].packed = query->inputs[ONE_HOT_DEPTH].constant != NULL;
    return cpu_want_plain(query);
}

static Status one_hot_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Type *indices = &query->inputs[ONE_HOT_INDICES].type, *y = &query->outputs[0].type;
    const int axis = one_hot_axis(query->node, &indices->shape);
    OneHotArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (OneHotArgs){.outer = shape_size(&y->shape, 0, axis),
                         .depth = y->shape.dims[axis],
                         .inner = shape_size(&y->shape, axis + 1, y->shape.rank),
                         .are_i32 = indices->dtype == STRIDER_I32,
                         .from_end = one_hot_counts_from_end(query->node),
                         .size = dtype_size(y->dtype)};
    args->outer_a_task = i64_max(TASK_ELEMENTS / i64_max(i64_product(args->depth, args->inner), 1), 1);
    *instance = (KernelInstance){
        .run = one_hot_run, .args = args, .tasks = ceil_div(args->outer, args->outer_a_task)};
    return STRIDER_OK;
}

const Kernel kernel_one_hot = {.name = "one_hot",
                               .op = OP_OneHot,
                               .accepts = one_hot_accepts,
                               .cost = cpu_operands_cost,
                               .prepare = one_hot_prepare};
