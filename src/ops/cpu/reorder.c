/* SPDX-License-Identifier: Apache-2.0 */
/* Between row-major and blocked layouts, one block of channels of one image a task. */
#include <string.h>

#include "ops/kernel.h"

typedef struct ReorderArgs {
    int64_t channels, blocks, plane;
    int block;
} ReorderArgs;

/* Positions that are handled together, so that reads and writes both stay within a few cache lines. */
enum { STRIP = 16 };

static void to_blocked(const KernelCall *call, int64_t task) {
    const ReorderArgs *args = call->args;
    int64_t n = task / args->blocks, first = task % args->blocks * args->block;
    int64_t lanes = args->channels - first < args->block ? args->channels - first : args->block;
    const float *from = (const float *)call->inputs[0] + (n * args->channels + first) * args->plane;
    float *to = (float *)call->outputs[0] + task * args->plane * args->block;
    if (lanes < args->block)
        memset(to, 0, (size_t)(args->plane * args->block) * sizeof *to);
    for (int64_t begin = 0; begin < args->plane; begin += STRIP) {
        int64_t end = begin + STRIP < args->plane ? begin + STRIP : args->plane;
        for (int64_t lane = 0; lane < lanes; lane++)
            for (int64_t i = begin; i < end; i++)
                to[i * args->block + lane] = from[lane * args->plane + i];
    }
}

static void to_plain(const KernelCall *call, int64_t task) {
    const ReorderArgs *args = call->args;
    int64_t n = task / args->blocks, first = task % args->blocks * args->block;
    int64_t lanes = args->channels - first < args->block ? args->channels - first : args->block;
    const float *from = (const float *)call->inputs[0] + task * args->plane * args->block;
    float *to = (float *)call->outputs[0] + (n * args->channels + first) * args->plane;
    for (int64_t begin = 0; begin < args->plane; begin += STRIP) {
        int64_t end = begin + STRIP < args->plane ? begin + STRIP : args->plane;
        for (int64_t lane = 0; lane < lanes; lane++)
            for (int64_t i = begin; i < end; i++)
                to[lane * args->plane + i] = from[i * args->block + lane];
    }
}

Status cpu_prepare_reorder(const Type *type, Layout from, Layout to, PrepareContext *ctx,
                           KernelInstance *instance) {
    const Shape *shape = &type->shape;
    Layout block = from == LAYOUT_PLAIN ? to : from;
    ReorderArgs *args = region_alloc(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (ReorderArgs){.channels = shape->dims[1],
                          .blocks = layout_blocks(shape, block),
                          .plane = shape_size(shape, 2, shape->rank),
                          .block = block};
    *instance = (KernelInstance){.run = from == LAYOUT_PLAIN ? to_blocked : to_plain,
                                 .args = args,
                                 .tasks = shape->dims[0] * args->blocks};
    return STRIDER_OK;
}
