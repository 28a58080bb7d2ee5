/* SPDX-License-Identifier: Apache-2.0 */
/* MaxUnpool of plain tensors: zeros, in tasks, and among them the elements, in one task, as of those with the
 * same index the last one counts. */
#include "ops/nn/max_unpool.h"

#include <inttypes.h>
#include <string.h>

#include "base/wrap.h"
#include "ops/cpu/cpu.h"

enum { ZERO_BYTES = 256 * 1024 };

typedef struct UnpoolArgs {
    const Node *node;
    Shape from, to; /* that indices are over, and the output's */
    bool is_moved;  /* these differ */
    int64_t count, range;
    size_t element, bytes; /* of the output */
} UnpoolArgs;

/* By the signs of the indices and of their distances to the last one, which vectors of any target compute. */
static bool are_in_range(const int64_t *indices, int64_t count, int64_t range) {
    uint64_t signs = 0;
    for (int64_t i = 0; i < count; i++)
        signs |= (uint64_t)indices[i] | wrap_sub((uint64_t)range - 1, (uint64_t)indices[i]);
    return !(signs >> 63);
}

static Status check_indices(const KernelCall *call, Error *err) {
    const UnpoolArgs *args = call->args;
    const int64_t *indices = call->inputs[UNPOOL_INDICES];
    if (args->count == 0 || are_in_range(indices, args->count, args->range))
        return STRIDER_OK;
    int64_t i = 0;
    while (indices[i] >= 0 && indices[i] < args->range)
        i++;
    return node_fail(args->node, err, STRIDER_BAD_MODEL, "index %" PRId64 " is outside [0, %" PRId64 ")",
                     indices[i], args->range);
}

static void clear(const KernelCall *call, int64_t task) {
    const UnpoolArgs *args = call->args;
    const size_t begin = (size_t)task * ZERO_BYTES, left = args->bytes - begin;
    memset((char *)call->outputs[0] + begin, 0, left < ZERO_BYTES ? left : ZERO_BYTES);
}

static void unpool_run(const KernelCall *call, int64_t task) {
    const UnpoolArgs *args = call->args;
    const int64_t *indices = call->inputs[UNPOOL_INDICES];
    (void)task;
    DISPATCH_BY_SIZE(args->element, T, {
        const T *x = call->inputs[UNPOOL_X];
        T *y = call->outputs[0];
        for (int64_t i = 0; i < args->count && !args->is_moved; i++)
            y[indices[i]] = x[i];
        for (int64_t i = 0; i < args->count && args->is_moved; i++)
            y[unpool_move_index(&args->from, &args->to, indices[i])] = x[i];
    })
}

static bool unpool_accepts(KernelQuery *query) {
    if (query->n_inputs > UNPOOL_SHAPE)
        query->inputs[UNPOOL_SHAPE].packed = query->inputs[UNPOOL_SHAPE].constant != NULL;
    return cpu_want_plain(query);
}

static Status unpool_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Type *x = &query->inputs[UNPOOL_X].type, *y = &query->outputs[0].type;
    UnpoolArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (UnpoolArgs){.node = query->node,
                         .from = unpool_pooled_from(query->node->attrs, &x->shape),
                         .to = y->shape,
                         .count = shape_elements(&x->shape),
                         .element = dtype_size(x->dtype),
                         .bytes = bytes_of(dtype_size(x->dtype), shape_elements(&y->shape)).n};
    args->is_moved = !shape_equal(&args->from, &args->to);
    if (args->count && !shape_count(&args->from, 0, args->from.rank, &args->range))
        return fail(ctx->err, STRIDER_LIMIT_EXCEEDED, "the pooled tensor is too large");
    *instance = (KernelInstance){.check = check_indices,
                                 .prologue = clear,
                                 .prologue_tasks = ceil_div((int64_t)args->bytes, ZERO_BYTES),
                                 .run = unpool_run,
                                 .tasks = 1,
                                 .args = args};
    return STRIDER_OK;
}

const Kernel kernel_max_unpool = {.name = "max_unpool",
                                  .op = OP_MaxUnpool,
                                  .accepts = unpool_accepts,
                                  .cost = cpu_operands_cost,
                                  .prepare = unpool_prepare};
