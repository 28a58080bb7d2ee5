/* SPDX-License-Identifier: Apache-2.0 */
/* Between row-major and blocked layouts, one block of channels of one image a task. */
#include <string.h>

#include "base/size.h"
#include "ops/kernel.h"

typedef struct ReorderArgs {
    int64_t channels, blocks, plane;
    int block;
    size_t element_bytes;
} ReorderArgs;

/* Positions that are handled together, so that reads and writes both stay within a few cache lines. */
enum { CHUNK = 16 };

static void to_blocked(const KernelCall *call, int64_t task) {
    const ReorderArgs *args = call->args;
    const int64_t n = task / args->blocks, first = task % args->blocks * args->block;
    const int64_t channels = i64_min(args->channels - first, args->block);
    DISPATCH_BY_SIZE(args->element_bytes, T, {
        const T *from = (const T *)call->inputs[0] + (n * args->channels + first) * args->plane;
        T *to = (T *)call->outputs[0] + task * args->plane * args->block;
        if (channels < args->block)
            memset(to, 0, (size_t)(args->plane * args->block) * sizeof *to);
        for (int64_t begin = 0; begin < args->plane; begin += CHUNK) {
            const int64_t end = i64_min(begin + CHUNK, args->plane);
            for (int64_t c = 0; c < channels; c++)
                for (int64_t i = begin; i < end; i++)
                    to[i * args->block + c] = from[c * args->plane + i];
        }
    })
}

static void to_plain(const KernelCall *call, int64_t task) {
    const ReorderArgs *args = call->args;
    const int64_t n = task / args->blocks, first = task % args->blocks * args->block;
    const int64_t channels = i64_min(args->channels - first, args->block);
    DISPATCH_BY_SIZE(args->element_bytes, T, {
        const T *from = (const T *)call->inputs[0] + task * args->plane * args->block;
        T *to = (T *)call->outputs[0] + (n * args->channels + first) * args->plane;
        for (int64_t begin = 0; begin < args->plane; begin += CHUNK) {
            const int64_t end = i64_min(begin + CHUNK, args->plane);
            for (int64_t c = 0; c < channels; c++)
                for (int64_t i = begin; i < end; i++)
                    to[c * args->plane + i] = from[i * args->block + c];
        }
    })
}

static bool is_possible(const Type *type, Layout from, Layout to) {
    const bool to_blocks = from.kind == LAYOUT_PLAIN && to.kind == LAYOUT_BLOCKED,
               to_rows = from.kind == LAYOUT_BLOCKED && to.kind == LAYOUT_PLAIN;
    return (to_blocks || to_rows) && layout_can_block(type) &&
           layout_dtype(type, from) == layout_dtype(type, to);
}

Status cpu_prepare_reorder(const Type *type, Layout from, Layout to, PrepareContext *ctx,
                           KernelInstance *instance) {
    const Shape *shape = &type->shape;
    const bool to_blocks = to.kind == LAYOUT_BLOCKED;
    const Layout blocked = to_blocks ? to : from;
    char of[LAYOUT_TEXT], into[LAYOUT_TEXT];
    if (!is_possible(type, from, to))
        return fail(ctx->err, STRIDER_UNSUPPORTED, "no reorder of %s from %s to %s", dtype_name(type->dtype),
                    layout_text(shape->rank, from, of), layout_text(shape->rank, to, into));
    ReorderArgs *args = region_alloc(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (ReorderArgs){.channels = shape->dims[1],
                          .blocks = layout_blocks(shape, blocked),
                          .plane = shape_size(shape, 2, shape->rank),
                          .block = blocked.block,
                          .element_bytes = dtype_size(layout_dtype(type, blocked))};
    *instance = (KernelInstance){
        .run = to_blocks ? to_blocked : to_plain, .args = args, .tasks = shape->dims[0] * args->blocks};
    return STRIDER_OK;
}
