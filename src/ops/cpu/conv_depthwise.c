/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution in one or two dimensions: each channel by itself, a block of channels in a vector.  A
 * task is a strip of rows of one block of one image; padding costs nothing, as taps outside are left out. */
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/conv.h"
#include "ops/cpu/conv_depthwise.h"
#include "ops/cpu/cpu.h"

enum { LEAST_TASKS = 16 };

typedef struct DepthwiseArgs {
    DepthwiseFunction run_row;
    const Epilogue *epilogue;
    const float *weights, *bias;
    int width;
    int64_t channels, blocks, strips, strip_rows;
    WindowDim y, x;
    bool has_residual;
} DepthwiseArgs;

DepthwiseFunction depthwise_function(Isa isa) {
#if defined(__x86_64__)
    if (isa == ISA_AVX512)
        return depthwise_row_avx512;
    if (isa == ISA_AVX2)
        return depthwise_row_avx2;
#endif
    (void)isa;
    return depthwise_row_generic;
}

static void conv_depthwise_run(const KernelCall *call, int64_t task) {
    const DepthwiseArgs *args = call->args;
    const WindowDim *y = &args->y, *x = &args->x;
    int64_t strip = task % args->strips, plane = task / args->strips, block = plane % args->blocks,
            width = args->width;
    int64_t begin = strip * args->strip_rows, end = i64_min(begin + args->strip_rows, y->out);
    const float *in = (const float *)call->inputs[CONV_X] + plane * y->in * x->in * width;
    int64_t out_at = plane * y->out * x->out * width;
    DepthwiseRow row = {.in_width = x->in,
                        .tap_row_stride = y->dilation * x->in * width,
                        .kernel = x->kernel,
                        .stride = x->stride,
                        .dilation = x->dilation,
                        .pad = x->pad_begin,
                        .weights = args->weights + block * y->kernel * x->kernel * width,
                        .bias = args->bias + block * width,
                        .out_width = x->out,
                        .epilogue = args->epilogue,
                        .lanes = (int)i64_min(width, args->channels - block * width)};
    for (int64_t r = begin; r < end; r++) {
        int64_t top = r * y->stride - y->pad_begin;
        row.first_tap_row = top < 0 ? ceil_div(-top, y->dilation) : 0;
        row.end_tap_row = i64_min(y->kernel, top < y->in ? ceil_div(y->in - top, y->dilation) : 0);
        row.in = in + top * x->in * width;
        row.out = (float *)call->outputs[0] + out_at + r * x->out * width;
        row.residual = args->has_residual
                           ? (const float *)call->inputs[CONV_RESIDUAL] + out_at + r * x->out * width
                           : NULL;
        args->run_row(&row);
    }
}

typedef struct DepthwisePack {
    const Tensor *weight, *scale;
    int64_t channels, taps;
    int width;
} DepthwisePack;

static void fill_pack(void *context, void *memory) {
    const DepthwisePack *pack = context;
    float *to = memory;
    memset(to, 0, (size_t)(ceil_div(pack->channels, pack->width) * pack->taps * pack->width) * sizeof *to);
    for (int64_t c = 0; c < pack->channels; c++) {
        float scale = pack->scale ? (float)tensor_get_f64(pack->scale, c) : 1;
        for (int64_t t = 0; t < pack->taps; t++)
            to[(c / pack->width * pack->taps + t) * pack->width + c % pack->width] =
                (float)tensor_get_f64(pack->weight, c * pack->taps + t) * scale;
    }
    pack_consumed(pack->weight, pack->weight->data, pack->weight->size_bytes);
}

static ConvGeometry query_geometry(const KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    return conv_geometry(attrs, &query->inputs[CONV_X].type.shape, &query->inputs[CONV_W].type.shape);
}

static Status conv_depthwise_prepare(const KernelQuery *query, PrepareContext *ctx, Prepared *prepared) {
    const ConvAttrs *attrs = query->node->attrs;
    ConvGeometry g = query_geometry(query);
    DepthwiseArgs *args = region_take(ctx->region, sizeof *args);
    if (!args)
        return fail_memory(ctx->err, sizeof *args, "the plan");
    *args = (DepthwiseArgs){.run_row = depthwise_function(query->isa),
                            .epilogue = &attrs->epilogue,
                            .width = query->width,
                            .channels = g.in_channels,
                            .blocks = ceil_div(g.in_channels, query->width),
                            .y = g.spatial == 2 ? g.dims[0] : (WindowDim){1, 1, 1, 1, 1, 0, 0},
                            .x = g.dims[g.spatial - 1],
                            .has_residual = attrs->epilogue.has_residual};
    int64_t strips = i64_min(ceil_div(LEAST_TASKS, g.batch * args->blocks), args->y.out);
    args->strip_rows = ceil_div(args->y.out, strips);
    args->strips = ceil_div(args->y.out, args->strip_rows);
    char key[80];
    const void *packed;
    DepthwisePack pack = {query->inputs[CONV_W].constant, cpu_input_constant(query, CONV_SCALE),
                          g.in_channels, args->y.kernel * args->x.kernel, query->width};
    snprintf(key, sizeof key, "depthwise %d %p", query->width, (const void *)pack.scale);
    prepared->packed_bytes = (uint64_t)(args->blocks * pack.taps * query->width) * sizeof(float);
    TRY(pack_constant(ctx, pack.weight, key, prepared->packed_bytes, fill_pack, &pack, &packed));
    args->weights = packed;
    TRY(cpu_pack_bias(query, CONV_B, g.in_channels, query->width, ctx, &args->bias));
    prepared->run = conv_depthwise_run;
    prepared->args = args;
    prepared->tasks = g.batch * args->blocks * args->strips;
    return STRIDER_OK;
}

static bool conv_depthwise_accepts(KernelQuery *query) {
    const ConvAttrs *attrs = query->node->attrs;
    const Operand *x = &query->inputs[CONV_X], *w = &query->inputs[CONV_W];
    if (x->type.dtype != STRIDER_F32 || x->type.shape.rank > 4 || !w->constant ||
        attrs->group != x->type.shape.dims[1] || w->type.shape.dims[0] != attrs->group ||
        !cpu_optional_constant(query, CONV_B) || !cpu_optional_constant(query, CONV_SCALE) ||
        shape_elements(&query->outputs[0].type.shape) == 0)
        return false;
    query->inputs[CONV_X].layout = query->width;
    for (int i = CONV_W; i < query->n_inputs && i < CONV_RESIDUAL; i++)
        query->inputs[i].packed = true;
    if (query->n_inputs > CONV_RESIDUAL)
        query->inputs[CONV_RESIDUAL].layout = query->width;
    query->outputs[0].layout = query->width;
    return true;
}

/* About half the products a nanosecond of a dense convolution, as each input vector serves few of them. */
static double conv_depthwise_cost(const KernelQuery *query) {
    const Shape *w = &query->inputs[CONV_W].type.shape;
    return 2000 +
           (double)shape_elements(&query->outputs[0].type.shape) * (double)shape_size(w, 2, w->rank) / 25.0;
}

const Kernel kernel_conv_depthwise = {
    .name = "conv_depthwise",
    .op = "Conv",
    .accepts = conv_depthwise_accepts,
    .cost = conv_depthwise_cost,
    .prepare = conv_depthwise_prepare,
};
