/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: one filter for each channel. */
#include "ops/cpu/conv/depthwise.h"

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/nn/conv.h"

enum {
    MIN_TASKS = 16,
    TASK_FLOATS = 16 * 1024, /* of output; smaller tasks cost more to hand out than they balance */
};

/* A convolution of one input channel has the same weights. */
static ConvGeometry weights_geometry(const KernelQuery *query) {
    ConvGeometry g = conv_query_geometry(query);
    g.group = g.in_channels = 1;
    return g;
}

static Bytes run_bytes(const KernelQuery *query) {
    const ConvGeometry g = weights_geometry(query);
    return conv_run_bytes(query, &g, 1, 1);
}

static bool depthwise_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, cpu_blocked(query)))
        return false;
    const ConvGeometry g = conv_query_geometry(query);
    return g.group == g.in_channels && g.group == g.out_channels &&
           cpu_in_proportion(query, (Bytes){0}, run_bytes(query));
}

static double depthwise_cost(const KernelQuery *query) {
    ConvGeometry g = conv_query_geometry(query);
    double vectors = (double)i64_product(g.batch, ceil_div(g.out_channels, query->width)), taps = 1;
    for (int i = 0; i < g.spatial; i++) {
        vectors *= (double)g.dims[i].out;
        taps *= (double)g.dims[i].kernel;
    }
    return 1000 + conv_pack_cost(run_bytes(query)) + vectors * (taps * 0.35 + 1) * query->width / 16.0;
}

/* --- preparing --- */

static Status depthwise_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ConvGeometry g = conv_query_volume(query), of_weights = weights_geometry(query);
    DepthwiseArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->z = g.dims[0];
    args->y = g.dims[1];
    args->x = g.dims[2];
    cpu_window_inside(&args->x, &args->inside_begin, &args->inside_end);
    args->blocks = ceil_div(g.out_channels, query->width);
    args->tail_channels = (int)(g.out_channels - (args->blocks - 1) * query->width);
    conv_epilogue(query->node, &args->epilogue);
    TRY(conv_pack_weights(query, &of_weights, 1, 1, NULL, ctx, &args->pack));
    TRY(conv_pack_bias(query, g.out_channels, ctx, &args->pack));
    int64_t planes = i64_product(g.batch, args->blocks), row_floats = i64_product(args->x.out, query->width);
    int64_t rows = i64_product(args->z.out, args->y.out),
            for_balance = ceil_div(rows, ceil_div(MIN_TASKS, planes));
    args->rows_a_tile = i64_min(i64_max(TASK_FLOATS / row_floats, 1), rows);
    args->rows_a_tile = i64_max(i64_min(args->rows_a_tile, for_balance), 1);
    args->row_tiles = ceil_div(rows, args->rows_a_tile);
    instance->run = depthwise_for(query->target)->run;
    instance->args = args;
    instance->tasks = i64_product(planes, args->row_tiles);
    conv_pack_finish(&args->pack, instance);
    return STRIDER_OK;
}

const Kernel kernel_conv_depthwise = {
    .name = "conv_depthwise",
    .op = OP_Conv,
    .accepts = depthwise_accepts,
    .cost = depthwise_cost,
    .tuning_key = conv_tuning_key,
    .prepare = depthwise_prepare,
};
