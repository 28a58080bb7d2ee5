/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample in float32 and one to three spatial dimensions (cubic: one or two): where a point's taps lie and
 * what they weigh is found once for many channels.  Plain images are gathered from, several points at a time;
 * of blocked ones a tap is a vector of channels. */
#include "ops/cpu/grid_sample.h"

#include "base/size.h"

enum {
    TASK_CHANNELS = 32,
    MAX_LENGTH = 1 << 22, /* positions are exact in float32 to a small part of an element */
};

static int taps_of(const GridSampleAttrs *attrs, int spatial) {
    static const int taps_of_dim[] = {1, 2, 4};
    int taps = 1;
    for (int i = 0; i < spatial; i++)
        taps *= taps_of_dim[attrs->mode];
    return taps;
}

static bool grid_sample_accepts(KernelQuery *query) {
    const GridSampleAttrs *attrs = query->node->attrs;
    const Shape *x = &query->inputs[GRID_X].type.shape;
    if (!cpu_is_f32(query, GRID_X) || !cpu_is_f32(query, GRID_GRID) || x->rank > 2 + MAX_SPATIAL ||
        taps_of(attrs, x->rank - 2) > GRID_TAPS)
        return false;
    int64_t plane = 1;
    for (int i = 2; i < x->rank; i++) {
        plane = i64_product(plane, x->dims[i]);
        if (x->dims[i] < 1 || x->dims[i] > MAX_LENGTH)
            return false;
    }
    cpu_keep_layout(query);
    query->inputs[GRID_GRID].layout = layout_plain();
    return i64_product(plane, layout_block(query->inputs[GRID_X].layout)) <= INT32_MAX;
}

static double grid_sample_cost(const KernelQuery *query) {
    const GridSampleAttrs *attrs = query->node->attrs;
    const Shape *y = &query->outputs[0].type.shape;
    const double values = (double)shape_elements(y), taps = taps_of(attrs, y->rank - 2);
    const bool blocked = cpu_is_blocked(query, &query->outputs[0]);
    return 1000 + values * taps * (blocked ? 0.1 : 0.5);
}

static Status grid_sample_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const Shape *x = &query->inputs[GRID_X].type.shape, *y = &query->outputs[0].type.shape;
    const Layout layout = query->inputs[GRID_X].layout;
    const bool blocked = cpu_is_blocked(query, &query->inputs[GRID_X]);
    GridSampleArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = (GridSampleArgs){.attrs = *(const GridSampleAttrs *)query->node->attrs,
                             .spatial = x->rank - 2,
                             .plane = shape_size(x, 2, x->rank),
                             .points = shape_size(y, 2, y->rank),
                             .channels = blocked ? layout_blocks(x, layout) : x->dims[1],
                             .tail_channels = cpu_tail_channels(x, layout)};
    for (int i = 0; i < args->spatial; i++)
        args->dims[i] = x->dims[2 + i];
    args->taps = taps_of(&args->attrs, args->spatial);
    args->in_pairs = !blocked && args->attrs.mode == GRID_LINEAR && args->dims[args->spatial - 1] > 1;
    args->channels_a_task = blocked ? TASK_CHANNELS / query->width : TASK_CHANNELS;
    args->channel_parts = ceil_div(args->channels, args->channels_a_task);
    args->point_parts = ceil_div(args->points, GRID_POINTS);
    const GridSampleTable *table = grid_sample_for(query->target);
    *instance = (KernelInstance){.run = blocked ? table->blocked : table->plain,
                                 .args = args,
                                 .tasks = count_of(x->dims[0], args->channel_parts, args->point_parts),
                                 .scratch_bytes = bytes_of(sizeof(GridTable), 1)};
    return STRIDER_OK;
}

const Kernel kernel_grid_sample = {
    .name = "grid_sample",
    .op = OP_GridSample,
    .accepts = grid_sample_accepts,
    .cost = grid_sample_cost,
    .prepare = grid_sample_prepare,
};
