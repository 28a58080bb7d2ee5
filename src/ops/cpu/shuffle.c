/* SPDX-License-Identifier: Apache-2.0 */
/* Concat along the channels where blocks are not kept whole: inputs whose channels end within a block, and
 * channels in another order, as a channel shuffle asks for.  Blocked tensors are put together lane by lane in
 * registers, plain ones by copying each channel's plane. */
#include "ops/cpu/shuffle.h"

#include <string.h>

#include "base/size.h"
#include "ops/tensor/concat.h"

enum { TASK_BYTES = 64 * 1024 };

typedef struct OutputBlock {
    int first_source, n_sources;
} OutputBlock;

typedef struct ShuffleArgs {
    ShuffleFunction function;
    int width;             /* of a block */
    int64_t images, plane; /* plane: pixels of a channel */
    int64_t n_out;         /* blocks, or channels where plain */
    int64_t pixels_a_task, chunks;
    const int64_t *in_blocks; /* of each input */
    OutputBlock *blocks;
    LaneSource *sources;
    /* plain */
    size_t plane_bytes;
    int64_t channels_a_task;
    int *ports; /* of each output channel, and which channel of that input */
    int64_t *channels;
} ShuffleArgs;

/* --- running --- */

static void run_blocks(const KernelCall *call, int64_t task) {
    const ShuffleArgs *args = call->args;
    const int64_t chunk = task % args->chunks, block = task / args->chunks % args->n_out,
                  image = task / args->chunks / args->n_out, begin = chunk * args->pixels_a_task;
    const OutputBlock *out = &args->blocks[block];
    const LaneSource *sources = args->sources + out->first_source;
    const float *from[WIDEST_VECTOR];
    const int width = args->width;
    for (int s = 0; s < out->n_sources; s++)
        from[s] =
            (const float *)call->inputs[sources[s].port] +
            ((image * args->in_blocks[sources[s].port] + sources[s].block) * args->plane + begin) * width;
    args->function(sources, from, out->n_sources, i64_min(args->pixels_a_task, args->plane - begin),
                   (float *)call->outputs[0] + ((image * args->n_out + block) * args->plane + begin) * width);
}

static void run_planes(const KernelCall *call, int64_t task) {
    const ShuffleArgs *args = call->args;
    const int64_t rows = args->images * args->n_out, first = task * args->channels_a_task,
                  end = i64_min(first + args->channels_a_task, rows);
    for (int64_t row = first; row < end; row++) {
        const int64_t image = row / args->n_out, channel = row % args->n_out;
        const int port = args->ports[channel];
        const int64_t from = image * args->in_blocks[port] + args->channels[channel];
        memcpy((char *)call->outputs[0] + (size_t)row * args->plane_bytes,
               (const char *)call->inputs[port] + (size_t)from * args->plane_bytes, args->plane_bytes);
    }
}

/* --- preparing --- */

/* Which channel of which input an output channel is. */
static int64_t find_channel(const KernelQuery *query, int64_t channel, int *port) {
    const ConcatAttrs *attrs = query->node->attrs;
    int64_t from = attrs->order ? attrs->order[channel] : channel;
    *port = 0;
    while (from >= query->inputs[*port].type.shape.dims[1])
        from -= query->inputs[(*port)++].type.shape.dims[1];
    return from;
}

static LaneSource *find_source(ShuffleArgs *args, OutputBlock *out, int port, int64_t block) {
    LaneSource *sources = args->sources + out->first_source;
    for (int s = 0; s < out->n_sources; s++)
        if (sources[s].port == port && sources[s].block == block)
            return &sources[s];
    LaneSource *source = &sources[out->n_sources++];
    source->port = port;
    source->block = block;
    return source;
}

static Status prepare_blocks(const KernelQuery *query, PrepareContext *ctx, ShuffleArgs *args) {
    const Shape *y = &query->outputs[0].type.shape;
    const int width = query->width;
    int n_sources = 0;
    args->n_out = layout_blocks(y, query->outputs[0].layout);
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->blocks, args->n_out), &args->blocks));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->sources, y->dims[1]), &args->sources));
    for (int64_t b = 0; b < args->n_out; b++) {
        OutputBlock *out = &args->blocks[b];
        out->first_source = n_sources;
        for (int64_t c = b * width; c < i64_min((b + 1) * width, y->dims[1]); c++) {
            int port;
            const int64_t from = find_channel(query, c, &port);
            LaneSource *source = find_source(args, out, port, from / width);
            source->from[c % width] = (int32_t)(from % width);
            source->keep[c % width] = -1;
        }
        n_sources += out->n_sources;
    }
    args->pixels_a_task = i64_max(i64_min(args->plane, TASK_BYTES / 4 / width), 1);
    args->chunks = ceil_div(args->plane, args->pixels_a_task);
    return STRIDER_OK;
}

static Status prepare_planes(const KernelQuery *query, PrepareContext *ctx, ShuffleArgs *args) {
    const Type *y = &query->outputs[0].type;
    args->n_out = y->shape.dims[1];
    args->plane_bytes = bytes_of(dtype_size(y->dtype), args->plane).n;
    args->channels_a_task = i64_max(TASK_BYTES / i64_max((int64_t)args->plane_bytes, 1), 1);
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->ports, args->n_out), &args->ports));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args->channels, args->n_out), &args->channels));
    for (int64_t c = 0; c < args->n_out; c++)
        args->channels[c] = find_channel(query, c, &args->ports[c]);
    return STRIDER_OK;
}

static Status shuffle_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *y = &query->outputs[0].type.shape;
    const Layout layout = query->outputs[0].layout;
    ShuffleArgs *args;
    int64_t *in_blocks;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *in_blocks, query->n_inputs), &in_blocks));
    for (int i = 0; i < query->n_inputs; i++)
        in_blocks[i] = layout_blocks(&query->inputs[i].type.shape, layout);
    args->function = shuffle_for(query->target)->shuffle;
    args->images = y->dims[0];
    args->plane = shape_size(y, 2, y->rank);
    args->in_blocks = in_blocks;
    *instance = (KernelInstance){.run = layout.kind == LAYOUT_PLAIN ? run_planes : run_blocks, .args = args};
    if (layout.kind == LAYOUT_PLAIN) {
        TRY(prepare_planes(query, ctx, args));
        instance->tasks = args->plane ? ceil_div(args->images * args->n_out, args->channels_a_task) : 0;
    } else {
        args->width = layout.block;
        TRY(prepare_blocks(query, ctx, args));
        instance->tasks = args->images * args->n_out * args->chunks;
    }
    return STRIDER_OK;
}

/* --- choosing --- */

static bool shuffle_accepts(KernelQuery *query) {
    const ConcatAttrs *attrs = query->node->attrs;
    const Shape *y = &query->outputs[0].type.shape;
    if (y->rank < 2 || axis_resolve(attrs->axis, y->rank) != 1)
        return false;
    bool can_block = true, any_blocked = false;
    for (int i = 0; i < query->n_inputs; i++) {
        if (!query->inputs[i].type.dtype)
            return false;
        can_block = can_block && cpu_is_f32(query, i) && layout_can_block(&query->inputs[i].type);
        any_blocked = any_blocked || cpu_is_blocked(query, &query->inputs[i]);
    }
    const bool blocked = can_block && any_blocked;
    for (int i = 0; i < query->n_inputs; i++)
        query->inputs[i].layout = blocked ? cpu_blocked(query) : layout_plain();
    query->outputs[0].layout = query->inputs[0].layout;
    return blocked || attrs->order;
}

/* A vector of the output is made of two or three as a rule. */
static double shuffle_cost(const KernelQuery *query) {
    size_t size_bytes;
    return type_size(&query->outputs[0].type, &size_bytes) ? cpu_memory_cost(3 * (double)size_bytes) : 1000;
}

const Kernel kernel_shuffle = {
    .name = "shuffle",
    .op = OP_Concat,
    .accepts = shuffle_accepts,
    .cost = shuffle_cost,
    .prepare = shuffle_prepare,
};
