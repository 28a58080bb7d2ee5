/* SPDX-License-Identifier: Apache-2.0 */
/* RotaryEmbedding in float32.  Positions must be constants: those of a run may be outside of the caches,
 * which only the reference tells. */
#include "ops/cpu/rotary_embedding.h"

#include "base/size.h"

enum { TASK_FLOATS = 8 * 1024 };

static bool has_positions(const KernelQuery *query) {
    return query->n_inputs > ROTARY_POSITIONS && query->inputs[ROTARY_POSITIONS].type.dtype;
}

static RotaryGeometry query_geometry(const KernelQuery *query) {
    return rotary_geometry(query->node->attrs, &query->inputs[ROTARY_X].type.shape,
                           &query->inputs[ROTARY_COS].type.shape, has_positions(query));
}

static bool positions_fit(const KernelQuery *query) {
    const Tensor *positions = cpu_input_constant(query, ROTARY_POSITIONS);
    const int64_t count = query_geometry(query).positions;
    for (int64_t i = 0; positions && i < tensor_elements(positions); i++)
        if (tensor_get_i64(positions, i) < 0 || tensor_get_i64(positions, i) >= count)
            return false;
    return positions;
}

static bool rotary_accepts(KernelQuery *query) {
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = layout_plain();
    query->outputs[0].layout = layout_plain();
    if (!cpu_is_f32(query, ROTARY_X) || (has_positions(query) && !positions_fit(query)))
        return false;
    if (has_positions(query))
        query->inputs[ROTARY_POSITIONS].packed = true;
    return true;
}

static double rotary_cost(const KernelQuery *query) {
    return cpu_memory_cost(8 * (double)shape_elements(&query->outputs[0].type.shape));
}

static Status copy_positions(const KernelQuery *query, RotaryArgs *args, PrepareContext *ctx) {
    const Tensor *constant = cpu_input_constant(query, ROTARY_POSITIONS);
    int64_t *positions;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *positions, args->rows), &positions));
    for (int64_t i = 0; i < args->rows; i++)
        positions[i] = tensor_get_i64(constant, i);
    args->positions = positions;
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
    if (has_positions(query))
        TRY(copy_positions(query, args, ctx));
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
