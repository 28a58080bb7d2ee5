/* SPDX-License-Identifier: Apache-2.0 */
/* RotaryEmbedding in float32. */
#include "ops/cpu/rotary_embedding.h"

#include <inttypes.h>

#include "base/size.h"

enum { TASK_FLOATS = 8 * 1024 };

static bool has_positions(const KernelQuery *query) {
    return query->n_inputs > ROTARY_POSITIONS && query->inputs[ROTARY_POSITIONS].type.dtype;
}

static RotaryGeometry query_geometry(const KernelQuery *query) {
    return rotary_geometry(query->node->attrs, &query->inputs[ROTARY_X].type.shape,
                           &query->inputs[ROTARY_COS].type.shape, has_positions(query));
}

static bool rotary_accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    return cpu_is_f32(query, ROTARY_X);
}

static double rotary_cost(const KernelQuery *query) {
    return cpu_memory_cost(8 * (double)shape_elements(&query->outputs[0].type.shape));
}

static Status check_positions(const KernelCall *call, Error *err) {
    const RotaryArgs *args = call->args;
    const int64_t *positions = call->inputs[ROTARY_POSITIONS];
    for (int64_t i = 0; i < args->rows; i++)
        if (positions[i] < 0 || positions[i] >= args->g.positions)
            return node_fail(args->node, err, STRIDER_BAD_MODEL,
                             "position %" PRId64 " is outside [0, %" PRId64 ")", positions[i],
                             args->g.positions);
    return STRIDER_OK;
}

static Status rotary_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const RotaryAttrs *attrs = query->node->attrs;
    RotaryArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->g = query_geometry(query);
    args->interleaved = attrs->interleaved;
    args->rows = args->g.batch * args->g.rows;
    args->rows_a_task = i64_max(TASK_FLOATS / i64_max(count_of(args->g.heads, args->g.head_size), 1), 1);
    args->node = query->node;
    args->has_positions = has_positions(query);
    if (args->has_positions)
        instance->check = check_positions;
    instance->args = args;
    instance->run = rotary_embedding_for(query->target)->run;
    instance->tasks = ceil_div(args->rows, args->rows_a_task);
    return STRIDER_OK;
}

const Kernel kernel_rotary_embedding = {
    .name = "rotary_embedding",
    .op = OP_RotaryEmbedding,
    .accepts = rotary_accepts,
    .cost = rotary_cost,
    .prepare = rotary_prepare,
    .overwrites = 1,
};
