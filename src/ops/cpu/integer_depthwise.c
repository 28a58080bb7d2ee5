/* SPDX-License-Identifier: Apache-2.0 */
/* ConvInteger and QLinearConv of one input channel a group.  A task makes floats of a channel, less its zero
 * point and with its padding, and sums taps of them: whole numbers below 2^24, which float32 adds exactly.
 * With a stride the columns of each phase lie together, so that an output row reads vectors. */
#include <string.h>

#include "ops/cpu/integer_product.h"
#include "ops/nn/conv.h"

enum { MAX_TAPS = (1 << 24) / (255 * 255) };

typedef struct IntegerDepthwiseArgs {
    const IntegerTable *table;
    ProductPorts ports; /* -1 also where the node has no such input */
    ConvGeometry g;     /* three dimensions */
    DType x, w, y;
    int64_t filters, taps;     /* of a group */
    int64_t size[MAX_SPATIAL]; /* of the channel with its padding; the last one of a phase */
    int64_t phases;
    Parameter w_zero, w_scale;
    const int64_t *offsets; /* of each tap in the padded channel, from that of an output row's first pixel */
} IntegerDepthwiseArgs;

/* --- running --- */

static Bytes scratch_of_channel(const IntegerDepthwiseArgs *args) {
    return bytes_of(sizeof(float), args->size[0], args->size[1], args->size[2], args->phases);
}

/* Bytes `step` apart as floats; with a constant step the compiler makes vectors of it. */
static inline void fill_run(const uint8_t *from, const int64_t step, int64_t count, ByteForm form,
                            float *to) {
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)((int32_t)(from[i * step] ^ form.flip) - form.offset);
}

/* A row of the padded channel, [phases][size[2]], from a row of the input: column c of it is input column
 * c - pad. */
static void fill_row(const IntegerDepthwiseArgs *args, const uint8_t *row, ByteForm form, float *to) {
    const WindowDim *d = &args->g.dims[2];
    for (int64_t phase = 0; phase < args->phases; phase++, to += args->size[2]) {
        const int64_t before = i64_max(d->pad_begin - phase, 0),
                      all = i64_max(d->in + d->pad_begin - phase, 0),
                      first = i64_min(ceil_div(before, args->phases), args->size[2]),
                      end = i64_max(i64_min(ceil_div(all, args->phases), args->size[2]), first);
        const uint8_t *from = row + first * args->phases + phase - d->pad_begin;
        if (args->phases == 1)
            fill_run(from, 1, end - first, form, to + first);
        else
            fill_run(from, args->phases, end - first, form, to + first);
    }
}

static void fill_channel(const IntegerDepthwiseArgs *args, const uint8_t *channel, ByteForm form, float *to) {
    const WindowDim *d = args->g.dims;
    memset(to, 0, scratch_of_channel(args).n);
    for (int64_t i = 0; i < args->size[0]; i++)
        for (int64_t j = 0; j < args->size[1]; j++) {
            const int64_t z = i - d[0].pad_begin, y = j - d[1].pad_begin;
            if (z >= 0 && z < d[0].in && y >= 0 && y < d[1].in)
                fill_row(args, channel + (z * d[1].in + y) * d[2].in, form, to);
            to += args->phases * args->size[2];
        }
}

/* One filter over the padded channel. */
static void run_filter(const IntegerDepthwiseArgs *args, const KernelCall *call, const SumForm *form,
                       int64_t image, int64_t filter) {
    const WindowDim *d = args->g.dims;
    const ProductPorts *ports = &args->ports;
    const ByteForm of_w =
        byte_form(args->w, integer_zero(call, ports->b_zero, args->w, parameter_at(args->w_zero, 0, filter)));
    const uint8_t *w = (const uint8_t *)call->inputs[ports->b] + filter * args->taps;
    float weights[MAX_TAPS];
    for (int64_t i = 0; i < args->taps; i++)
        weights[i] = (float)((int32_t)(w[i] ^ of_w.flip) - of_w.offset);
    const float factor = integer_scale(call, ports->a_scale, 0) *
                         integer_scale(call, ports->b_scale, parameter_at(args->w_scale, 0, filter)) /
                         form->divisor;
    IntegerRow row = {.weights = weights,
                      .offsets = args->offsets,
                      .taps = args->taps,
                      .sums = {.form = form, .rows = 1, .columns = (int)d[2].out, .row_factors = &factor}};
    if (ports->bias >= 0)
        row.sums.row_bias = (const int32_t *)call->inputs[ports->bias] + filter;
    const int64_t plane = (image * args->g.out_channels + filter) * count_of(d[0].out, d[1].out, d[2].out);
    char *y = (char *)call->outputs[0] + bytes_of(dtype_size(args->y), plane).n;
    for (int64_t i = 0; i < d[0].out; i++)
        for (int64_t j = 0; j < d[1].out; j++) {
            row.x = (const float *)call->scratch +
                    (i * d[0].stride * args->size[1] + j * d[1].stride) * args->phases * args->size[2];
            row.sums.y = y + bytes_of(dtype_size(args->y), i * d[1].out + j, d[2].out).n;
            args->table->row(&row);
        }
}

static void depthwise_run(const KernelCall *call, int64_t task) {
    const IntegerDepthwiseArgs *args = call->args;
    const WindowDim *d = args->g.dims;
    const int64_t image = task / args->g.group, group = task % args->g.group;
    const ByteForm form = byte_form(args->x, integer_zero(call, args->ports.a_zero, args->x, 0));
    const SumForm sums = integer_sum_form(call, &args->ports, args->y);
    fill_channel(args,
                 (const uint8_t *)call->inputs[args->ports.a] + task * count_of(d[0].in, d[1].in, d[2].in),
                 form, call->scratch);
    for (int64_t f = 0; f < args->filters; f++)
        run_filter(args, call, &sums, image, group * args->filters + f);
}

/* --- preparing --- */

static IntegerDepthwiseArgs arguments(const KernelQuery *query) {
    IntegerDepthwiseArgs args = {.table = integer_for(query->target),
                                 .ports = integer_ports(query),
                                 .y = query->outputs[0].type.dtype};
    const Type *x = &query->inputs[args.ports.a].type, *w = &query->inputs[args.ports.b].type;
    const ConvGeometry plain = conv_geometry(query->node->attrs, &x->shape, &w->shape);
    args.g = conv_geometry_3d(&plain);
    args.x = x->dtype;
    args.w = w->dtype;
    args.filters = args.g.out_channels / args.g.group;
    const WindowDim *d = args.g.dims;
    args.taps = count_of(d[0].kernel, d[1].kernel, d[2].kernel);
    for (int i = 0; i < MAX_SPATIAL; i++)
        args.size[i] = i64_sum(i64_product(d[i].out - 1, d[i].stride),
                               i64_sum(i64_product(d[i].kernel - 1, d[i].dilation), 1));
    args.phases = d[2].stride;
    /* Whole vectors are read from the last pixel on, too. */
    args.size[2] = i64_sum(ceil_div(args.size[2], args.phases), query->width);
    args.w_zero = integer_parameter(query, args.ports.b_zero);
    args.w_scale = integer_parameter(query, args.ports.b_scale);
    return args;
}

static bool depthwise_accepts(KernelQuery *query) {
    integer_plain_layouts(query);
    const ProductPorts *ports = product_ports(query->node->op->kind);
    if (!integer_product_accepts(query, ports) || query->inputs[ports->b].type.shape.dims[1] != 1)
        return false;
    const IntegerDepthwiseArgs args = arguments(query);
    return args.taps <= MAX_TAPS && args.g.dims[2].out <= INT32_MAX &&
           cpu_in_proportion(query, scratch_of_channel(&args), (Bytes){0});
}

static double depthwise_cost(const KernelQuery *query) {
    const IntegerDepthwiseArgs args = arguments(query);
    const WindowDim *d = args.g.dims;
    const double rows = (double)d[0].out * (double)d[1].out,
                 vectors = rows * (double)ceil_div(d[2].out, query->width) * (double)args.filters,
                 channel = (double)scratch_of_channel(&args).n / sizeof(float);
    return 2000 + (double)args.g.batch * (double)args.g.group *
                      (channel * 0.7 + vectors * ((double)args.taps * 0.5 + 4));
}

static Status depthwise_prepare(const KernelQuery *query, PrepareContext *ctx, KernelInstance *instance) {
    IntegerDepthwiseArgs *args;
    int64_t *offsets, tap = 0;
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *args, 1), &args));
    *args = arguments(query);
    TRY(cpu_alloc_args(ctx, bytes_of(sizeof *offsets, args->taps), &offsets));
    const WindowDim *d = args->g.dims;
    for (int64_t i = 0; i < d[0].kernel; i++)
        for (int64_t j = 0; j < d[1].kernel; j++)
            for (int64_t k = 0; k < d[2].kernel; k++, tap++) {
                const int64_t x = k * d[2].dilation,
                              row = i * d[0].dilation * args->size[1] + j * d[1].dilation;
                offsets[tap] = (row * args->phases + x % args->phases) * args->size[2] + x / args->phases;
            }
    args->offsets = offsets;
    *instance = (KernelInstance){.run = depthwise_run,
                                 .args = args,
                                 .tasks = i64_product(args->g.batch, args->g.group),
                                 .scratch_bytes = scratch_of_channel(args)};
    return STRIDER_OK;
}

const Kernel kernel_conv_integer_depthwise = {
    .name = "conv_integer_depthwise",
    .op = OP_ConvInteger,
    .accepts = depthwise_accepts,
    .cost = depthwise_cost,
    .prepare = depthwise_prepare,
};

const Kernel kernel_qlinear_conv_depthwise = {
    .name = "qlinear_conv_depthwise",
    .op = OP_QLinearConv,
    .accepts = depthwise_accepts,
    .cost = depthwise_cost,
    .prepare = depthwise_prepare,
};
