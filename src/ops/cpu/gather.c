/* SPDX-License-Identifier: Apache-2.0 */
/* Gather, GatherElements and GatherND of plain tensors of any type. */
#include "ops/tensor/gather.h"

#include <string.h>

#include "ops/cpu/indexed.h"
#include "ops/tensor/concat.h"

enum { MIN_COLUMN_BYTES = 64 * 1024 };

static IndexedParts parts_of(const KernelQuery *query) {
    const Shape *x = &query->inputs[0].type.shape, *indices = &query->inputs[1].type.shape;
    const AxisAttrs *axis = query->node->attrs;
    const GatherNdAttrs *batch = query->node->attrs;
    switch (query->node->op->kind) {
    case OP_Gather:
        return indexed_along_axis(axis->axis, x, indices);
    case OP_GatherElements:
        return indexed_elements(axis->axis, x, indices);
    default:
        return indexed_by_tuples(batch->batch_dims, x, indices);
    }
}

/* Parts of a size that is known, which a load and a store move. */
#define MOVE_PARTS(BYTES)                                                                                    \
    case BYTES:                                                                                              \
        for (int64_t i = 0; i < run->count; i++)                                                             \
            memcpy(to + i * (BYTES), from + run->at[i] * (BYTES), BYTES);                                    \
        break;

static void gather(const KernelCall *call, const IndexedRun *run) {
    const IndexedArgs *args = call->args;
    const int64_t part = (int64_t)args->part_bytes;
    const char *from = (const char *)call->inputs[0] + run->column;
    char *to = (char *)call->outputs[0] + run->first * part + run->column;
    switch (part) {
        MOVE_PARTS(1)
        MOVE_PARTS(2)
    case 4:
        args->table->move_4(from, run->at, run->count, to);
        break;
        MOVE_PARTS(8)
        MOVE_PARTS(16)
        MOVE_PARTS(32)
        MOVE_PARTS(64)
    default:
        for (int64_t i = 0; i < run->count; i++)
            memcpy(to + i * part, from + run->at[i] * part, run->bytes);
    }
}

static void gather_run(const KernelCall *call, int64_t task) {
    indexed_visit(call, task, gather);
}

static Status gather_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const IndexedParts parts = parts_of(query);
    IndexedArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    indexed_args(query, &parts, true, MIN_COLUMN_BYTES, args);
    *instance = (KernelInstance){
        .check = indexed_check, .run = gather_run, .args = args, .tasks = indexed_tasks(args)};
    return STRIDER_OK;
}

#define GATHER(ROW, NAME, OPERATOR)                                                                          \
    const Kernel ROW = {.name = NAME,                                                                        \
                        .op = OP_##OPERATOR,                                                                 \
                        .accepts = cpu_want_plain,                                                           \
                        .cost = cpu_operands_cost,                                                           \
                        .prepare = gather_prepare};

GATHER(kernel_gather, "gather", Gather)
GATHER(kernel_gather_elements, "gather_elements", GatherElements)
GATHER(kernel_gather_nd, "gather_nd", GatherND)
