/* SPDX-License-Identifier: Apache-2.0 */
/* LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization of plain tensors;
 * InstanceNormalization also of blocked ones. */
#include "ops/nn/layer_norm.h"

#include "base/size.h"
#include "ops/cpu/layer_norm.h"
#include "ops/nn/instance_norm.h"

enum {
    TASK_FLOATS = 8 * 1024,
    CHUNK_FLOATS = 32 * 1024, /* read twice for its statistics: stays in L2 */
};

/* Everything plain and f32, the optional statistics not asked for, and of post-operations what passes append:
 * no scale and no bias. */
static bool accepts_plain(KernelQuery *query) {
    Epilogue epilogue;
    if (!node_epilogue(query->node, &epilogue) || epilogue.scale_port >= 0 || epilogue.bias_port >= 0)
        return false;
    for (int i = 0; i < query->n_inputs; i++) {
        query->inputs[i].layout = layout_plain();
        if (query->inputs[i].type.dtype && !cpu_is_f32(query, i))
            return false;
    }
    for (int i = 1; i < query->n_outputs; i++)
        if (query->node->outputs[i])
            return false;
    query->outputs[0].layout = layout_plain();
    return cpu_is_f32(query, 0) && shape_elements(&query->inputs[0].type.shape) > 0;
}

static double norm_cost(const KernelQuery *query) {
    const int reads = node_post_op(query->node, POST_RESIDUAL) ? 3 : 2;
    return cpu_memory_cost(4 * (reads + 1) * (double)shape_elements(&query->inputs[0].type.shape));
}

static Status finish(const KernelQuery *query, const GroupArgs *args, PrepareContext *ctx,
                     KernelInstance *instance) {
    GroupArgs *own;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *own, 1), &own));
    *own = *args;
    own->groups_a_task = i64_max(TASK_FLOATS / args->count, 1);
    node_epilogue(query->node, &own->epilogue);
    instance->args = own;
    instance->run = layer_norm_for(query->target)->run;
    instance->tasks = ceil_div(args->groups, own->groups_a_task);
    return STRIDER_OK;
}

/* --- by the last dimensions --- */

/* Whether the parameter has a value for each element of a group: its dimensions are those normalised. */
static bool is_whole(const KernelQuery *query, int port, int64_t count) {
    const Shape *x = &query->inputs[0].type.shape, *shape = &query->inputs[port].type.shape;
    if (shape_elements(shape) != count)
        return false;
    for (int i = 1; i <= shape->rank; i++)
        if (shape->dims[shape->rank - i] != 1 && shape->dims[shape->rank - i] != x->dims[x->rank - i])
            return false;
    int64_t elements = 1; /* no dimension before the normalised ones may count */
    for (int i = 1; i <= shape->rank && elements < count; i++)
        elements *= x->dims[x->rank - i];
    return elements == count || count == 1;
}

static bool layer_norm_accepts(KernelQuery *query) {
    if (!accepts_plain(query))
        return false;
    int64_t groups, count;
    layer_norm_geometry(query->node->attrs, &query->inputs[0].type.shape, &groups, &count);
    for (int port = LAYER_NORM_SCALE; port < node_own_inputs(query->node); port++)
        if (query->inputs[port].type.dtype && !is_whole(query, port, count))
            return false;
    return true;
}

static Status prepare_last(const KernelQuery *query, bool centred, PrepareContext *ctx,
                           KernelInstance *instance) {
    const LayerNormAttrs *attrs = query->node->attrs;
    GroupArgs args = {.centred = centred,
                      .epsilon = (double)attrs->epsilon,
                      .by_element = true,
                      .scale_port = LAYER_NORM_SCALE,
                      .b_port = -1};
    layer_norm_geometry(attrs, &query->inputs[0].type.shape, &args.groups, &args.count);
    if (node_own_inputs(query->node) > LAYER_NORM_B && query->inputs[LAYER_NORM_B].type.dtype)
        args.b_port = LAYER_NORM_B;
    return finish(query, &args, ctx, instance);
}

static Status layer_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_last(query, true, ctx, instance);
}

static Status rms_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    return prepare_last(query, false, ctx, instance);
}

const Kernel kernel_layer_norm = {
    .name = "layer_norm",
    .op = OP_LayerNormalization,
    .accepts = layer_norm_accepts,
    .cost = norm_cost,
    .prepare = layer_norm_prepare,
    .overwrites = 1 | 1 << (LAYER_NORM_B + 1), /* the residual, too */
};

const Kernel kernel_rms_norm = {
    .name = "rms_norm",
    .op = OP_RMSNormalization,
    .accepts = layer_norm_accepts,
    .cost = norm_cost,
    .prepare = rms_norm_prepare,
    .overwrites = 1 | 1 << (LAYER_NORM_SCALE + 1), /* the residual, too */
};

/* --- by the spatial dimensions of a channel, or of a group of channels --- */

static bool instance_norm_accepts(KernelQuery *query) {
    const bool blocked = cpu_is_blocked(query, &query->inputs[0]);
    const PostOp *residual = node_post_op(query->node, POST_RESIDUAL);
    if (!accepts_plain(query))
        return false;
    if (blocked)
        query->inputs[0].layout = query->outputs[0].layout = cpu_blocked(query);
    if (blocked && residual)
        query->inputs[residual->port].layout = cpu_blocked(query);
    return true;
}

static Status prepare_channels(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const InstanceNormAttrs *attrs = query->node->attrs;
    const LayerNormTable *table = layer_norm_for(query->target);
    const Shape *x = &query->inputs[0].type.shape;
    ChannelArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->blocks = layout_blocks(x, query->inputs[0].layout);
    args->planes = x->dims[0] * args->blocks;
    args->channels = x->dims[1];
    args->pixels = shape_size(x, 2, x->rank);
    args->chunk_pixels = i64_min(CHUNK_FLOATS / query->width, args->pixels);
    args->chunks = ceil_div(args->pixels, args->chunk_pixels);
    args->epsilon = (double)attrs->epsilon;
    args->scale_port = INSTANCE_NORM_SCALE;
    args->b_port = INSTANCE_NORM_B;
    node_epilogue(query->node, &args->epilogue);
    instance->args = args;
    instance->tasks = instance->prologue_tasks = args->planes * args->chunks;
    instance->workspace_bytes = bytes_of(table->stats_bytes, instance->tasks);
    instance->prologue = table->channel_statistics;
    instance->run = table->normalise_channels;
    return STRIDER_OK;
}

static Status instance_norm_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const InstanceNormAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[0].type.shape;
    if (query->inputs[0].layout.kind != LAYOUT_PLAIN)
        return prepare_channels(query, ctx, instance);
    const int64_t channels = x->dims[1], groups = attrs->groups ? attrs->groups : channels;
    GroupArgs args = {.groups = x->dims[0] * groups,
                      .centred = true,
                      .epsilon = (double)attrs->epsilon,
                      .run = shape_size(x, 2, x->rank),
                      .runs = channels / groups,
                      .parameters = attrs->group_scale ? groups : channels,
                      .runs_a_parameter = attrs->group_scale ? channels / groups : 1,
                      .scale_port = INSTANCE_NORM_SCALE,
                      .b_port = INSTANCE_NORM_B};
    args.count = args.run * args.runs;
    return finish(query, &args, ctx, instance);
}

const Kernel kernel_instance_norm = {
    .name = "instance_norm",
    .op = OP_InstanceNormalization,
    .accepts = instance_norm_accepts,
    .cost = norm_cost,
    .prepare = instance_norm_prepare,
    .overwrites = 1 | 1 << (INSTANCE_NORM_B + 1), /* the residual, too */
};

const Kernel kernel_group_norm = {
    .name = "group_norm",
    .op = OP_GroupNormalization,
    .accepts = accepts_plain,
    .cost = norm_cost,
    .prepare = instance_norm_prepare,
    .overwrites = 1 | 1 << (INSTANCE_NORM_B + 1), /* the residual, too */
};
