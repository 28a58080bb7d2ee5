/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution: one filter for each channel. */
#include "ops/cpu/conv/depthwise.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cpu/conv/query.h"
#include "ops/nn/conv.h"

enum {
    MIN_TASKS = 16,
    TASK_FLOATS = 16 * 1024, /* of output; smaller tasks cost more to hand out than they balance */
};

static bool depthwise_accepts(KernelQuery *query) {
    if (!conv_accepts_blocked(query, query->width))
        return false;
    const ConvGeometry g = conv_query_geometry(query);
    return g.group == g.in_channels && g.group == g.out_channels;
}

static double depthwise_cost(const KernelQuery *query) {
    ConvGeometry g = conv_query_geometry(query);
    double vectors = (double)i64_product(g.batch, ceil_div(g.out_channels, query->width)), taps = 1;
    for (int i = 0; i < g.spatial; i++) {
        vectors *= (double)g.dims[i].out;
        taps *= (double)g.dims[i].kernel;
    }
    return 1000 + vectors * (taps * 0.35 + 1) * query->width / 16.0;
}

/* --- weights --- */

typedef struct DepthwisePack {
    const Tensor *weight, *scale; /* scale may be NULL */
    int64_t channels, taps, width;
} DepthwisePack;

static void fill_pack(void *context, void *memory) {
    const DepthwisePack *pack = context;
    float *to = memory;
    int64_t padded = ceil_div(pack->channels, pack->width) * pack->width;
    memset(to, 0, (size_t)(padded * pack->taps) * sizeof *to);
    for (int64_t c = 0; c < pack->channels; c++) {
        float scale = pack->scale ? (float)tensor_get_f64(pack->scale, c) : 1;
        for (int64_t t = 0; t < pack->taps; t++) {
            float value = (float)tensor_get_f64(pack->weight, c * pack->taps + t);
            to[(c / pack->width * pack->taps + t) * pack->width + c % pack->width] = value * scale;
        }
    }
    pack_consumed(pack->weight, pack->weight->data, pack->weight->size_bytes);
}

static Status pack_weights(const KernelQuery *query, int64_t channels, PrepareContext *ctx,
                           DepthwiseArgs *args, KernelInstance *instance) {
    DepthwisePack pack = {.weight = query->inputs[CONV_W].constant,
                          .scale = conv_scale(query, &args->epilogue),
                          .channels = channels,
                          .taps = count_of(args->z.kernel, args->y.kernel, args->x.kernel),
                          .width = query->width};
    char key[64];
    const void *packed;
    snprintf(key, sizeof key, "depthwise %d %p", query->width, (const void *)pack.scale);
    const Bytes size = bytes_of(sizeof(float), args->blocks, pack.width, pack.taps);
    instance->packed_bytes = size.n;
    TRY(pack_constant(ctx, pack.weight, key, size, fill_pack, &pack, &packed));
    args->weights = packed;
    return STRIDER_OK;
}

/* --- preparing --- */

static Status depthwise_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    const ConvGeometry g = conv_query_volume(query);
    DepthwiseArgs *args;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    args->z = g.dims[0];
    args->y = g.dims[1];
    args->x = g.dims[2];
    cpu_window_inside(&args->x, &args->inside_begin, &args->inside_end);
    args->blocks = ceil_div(g.out_channels, query->width);
    args->last_lanes = (int)(g.out_channels - (args->blocks - 1) * query->width);
    conv_epilogue(query->node, &args->epilogue);
    TRY(pack_weights(query, g.out_channels, ctx, args, instance));
    TRY(cpu_pack_bias(query, args->epilogue.bias_port, g.out_channels, query->width, ctx, &args->bias));
    int64_t planes = i64_product(g.batch, args->blocks), row_floats = i64_product(args->x.out, query->width);
    int64_t rows = i64_product(args->z.out, args->y.out),
            for_balance = ceil_div(rows, ceil_div(MIN_TASKS, planes));
    args->strip_rows = i64_min(i64_max(TASK_FLOATS / row_floats, 1), rows);
    args->strip_rows = i64_max(i64_min(args->strip_rows, for_balance), 1);
    args->strips = ceil_div(rows, args->strip_rows);
    instance->run = depthwise_for(query->isa)->run;
    instance->args = args;
    instance->tasks = i64_product(planes, args->strips);
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
