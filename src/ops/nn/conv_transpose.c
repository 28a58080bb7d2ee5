/* SPDX-License-Identifier: Apache-2.0 */
/* ConvTranspose: each input element spreads its weights over the output, the gradient of Conv with respect to
 * its input. ONNX ConvTranspose-1, -11, -22 (types). out = stride*(in - 1) + output_padding +
 * dilation*(kernel - 1) + 1 - pad_begin - pad_end output_shape, where given, decides instead and the pads
 * follow; auto_pad SAME_* makes out = in*stride. */
#include <inttypes.h>

#include "base/size.h"
#include "ops/nn/conv.h"
#include "ops/post_ops.h"

static Status conv_transpose_parse(ParseContext *ctx, void *attrs_) {
    ConvAttrs *attrs = attrs_;
    TRY(conv_parse_common(ctx, attrs));
    TRY(parse_ints(ctx, "output_padding", attrs->output_padding, MAX_SPATIAL, &attrs->n_output_padding));
    TRY(parse_ints(ctx, "output_shape", attrs->output_shape, MAX_SPATIAL, &attrs->n_output_shape));
    for (int i = 0; i < attrs->n_output_padding; i++)
        if (attrs->output_padding[i] < 0 ||
            attrs->output_padding[i] >= i64_max(attrs->window.strides[i], attrs->window.dilations[i]))
            return parse_fail(ctx, STRIDER_BAD_MODEL,
                              "output_padding[%d] is %" PRId64
                              ", must be less than the stride or the dilation",
                              i, attrs->output_padding[i]);
    for (int i = 0; i < attrs->n_output_shape; i++)
        if (attrs->output_shape[i] < 1 || attrs->output_shape[i] > WINDOW_LARGEST)
            return parse_fail(ctx, STRIDER_BAD_MODEL, "output_shape[%d] is %" PRId64, i,
                              attrs->output_shape[i]);
    return STRIDER_OK;
}

/* Checked against overflow by the limits of window_parse() and of `in` and `kernel` in infer(). */
static WindowDim resolve(const ConvAttrs *attrs, int spatial, int i, int64_t in, int64_t kernel) {
    const WindowAttrs *window = &attrs->window;
    WindowDim dim = {
        .in = in, .kernel = kernel, .stride = window->strides[i], .dilation = window->dilations[i]};
    int64_t full = dim.stride * (in - 1) + (attrs->n_output_padding > 0 ? attrs->output_padding[i] : 0) +
                   dim.dilation * (kernel - 1) + 1;
    bool same = window->auto_pad == AUTO_PAD_SAME_UPPER || window->auto_pad == AUTO_PAD_SAME_LOWER;
    if (attrs->n_output_shape > 0 || same) {
        dim.out = attrs->n_output_shape > 0 ? attrs->output_shape[i] : in * dim.stride;
        int64_t total = i64_max(full - dim.out, 0), smaller = total / 2;
        dim.pad_begin = window->auto_pad == AUTO_PAD_SAME_UPPER ? smaller : total - smaller;
        dim.pad_end = total - dim.pad_begin;
        return dim;
    }
    if (window->auto_pad == AUTO_PAD_NOTSET) {
        dim.pad_begin = window->pads[i];
        dim.pad_end = window->pads[spatial + i];
    }
    dim.out = full - dim.pad_begin - dim.pad_end;
    return dim;
}

static Status infer_dim(InferContext *ctx, int spatial, int i, int64_t in, int64_t kernel, int64_t *out) {
    const ConvAttrs *attrs = infer_attrs(ctx);
    *out = DIM_UNKNOWN;
    if (attrs->n_output_shape > 0)
        *out = attrs->output_shape[i];
    if (in < 0 || kernel < 0)
        return STRIDER_OK;
    if (in > WINDOW_LARGEST || kernel > WINDOW_LARGEST)
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "dimension %d of %" PRId64 " is too large", i, in);
    WindowDim dim = resolve(attrs, spatial, i, in, kernel);
    if (dim.out < 1 && in > 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the pads leave an output of %" PRId64 " in spatial dimension %d", dim.out, i);
    *out = i64_max(dim.out, 0);
    return STRIDER_OK;
}

static Status conv_transpose_infer(InferContext *ctx) {
    const ConvAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[CONV_X].shape, *w = &ctx->inputs[CONV_W].shape;
    TRY(infer_require_dtype(ctx, CONV_X, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, CONV_X, CONV_W));
    TRY(infer_require_rank(ctx, CONV_X, 3, 2 + MAX_SPATIAL));
    TRY(infer_require_rank(ctx, CONV_W, 3, 2 + MAX_SPATIAL));
    ctx->outputs[0].dtype = ctx->inputs[CONV_X].dtype ? ctx->inputs[CONV_X].dtype : ctx->inputs[CONV_W].dtype;
    int rank = x->rank >= 0 ? x->rank : w->rank;
    if (rank < 0)
        return STRIDER_OK;
    TRY(window_check(ctx, &attrs->window, rank - 2));
    if (attrs->n_output_padding > 0 && attrs->n_output_padding != rank - 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "output_padding has %d values, needs %d",
                          attrs->n_output_padding, rank - 2);
    if (attrs->n_output_shape > 0 && attrs->n_output_shape != rank - 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "output_shape has %d values, needs %d",
                          attrs->n_output_shape, rank - 2);
    int64_t out_channels = DIM_UNKNOWN;
    if (w->rank >= 0 && w->dims[1] >= 0 && !i64_mul(w->dims[1], attrs->group, &out_channels))
        return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the number of output channels overflows");
    TRY(conv_check_kernel(ctx, x, w));
    TRY(infer_require_same_dtype(ctx, CONV_X, CONV_B));
    TRY(conv_check_bias(ctx, CONV_B, out_channels));
    if (x->rank >= 0 && w->rank >= 0 && x->dims[1] >= 0 && w->dims[0] >= 0 && x->dims[1] != w->dims[0])
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the input has %" PRId64 " channels, the weight is for %" PRId64, x->dims[1],
                          w->dims[0]);
    if (x->rank >= 0 && x->dims[1] >= 0 && x->dims[1] % attrs->group)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "group %" PRId64 " does not divide %" PRId64 " input channels", attrs->group,
                          x->dims[1]);
    Shape *y = &ctx->outputs[0].shape;
    y->rank = rank;
    y->dims[0] = x->rank >= 0 ? x->dims[0] : DIM_UNKNOWN;
    y->dims[1] = out_channels;
    for (int i = 0; i < rank - 2; i++) {
        int64_t kernel = w->rank >= 0 ? w->dims[2 + i] : DIM_UNKNOWN;
        if (kernel == 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the weight has no elements in dimension %d", 2 + i);
        TRY(infer_dim(ctx, rank - 2, i, x->rank >= 0 ? x->dims[2 + i] : DIM_UNKNOWN, kernel,
                      &y->dims[2 + i]));
    }
    return STRIDER_OK;
}

ConvGeometry conv_transpose_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w) {
    ConvGeometry geometry = {.spatial = x->rank - 2,
                             .batch = x->dims[0],
                             .group = attrs->group,
                             .in_channels = x->dims[1],
                             .out_channels = w->dims[1] * attrs->group};
    for (int i = 0; i < geometry.spatial; i++)
        geometry.dims[i] = resolve(attrs, geometry.spatial, i, x->dims[2 + i], w->dims[2 + i]);
    return geometry;
}

/* Adds one input element's part to the output planes of its group. */
static void spread(const ConvGeometry *g, double value, const double *w, const int64_t at[MAX_SPATIAL],
                   double *y) {
    const WindowDim *d = g->dims;
    int64_t out_size = d[0].out * d[1].out * d[2].out, begin[MAX_SPATIAL];
    WindowTaps taps[MAX_SPATIAL]; /* that fall on the output */
    for (int i = 0; i < MAX_SPATIAL; i++) {
        begin[i] = at[i] * d[i].stride - d[i].pad_begin;
        taps[i] = window_taps(&d[i], begin[i], d[i].out);
    }
    for (int64_t m = 0; m < g->out_channels / g->group; m++)
        for (int64_t i = taps[0].first; i < taps[0].end; i++)
            for (int64_t j = taps[1].first; j < taps[1].end; j++) {
                const double *row = w + ((m * d[0].kernel + i) * d[1].kernel + j) * d[2].kernel;
                const int64_t z = begin[0] + i * d[0].dilation, line = begin[1] + j * d[1].dilation;
                double *out = y + m * out_size + (z * d[1].out + line) * d[2].out;
                for (int64_t k = taps[2].first; k < taps[2].end; k++)
                    out[begin[2] + k * d[2].dilation] += value * row[k];
            }
}

static void spread_all(const ConvGeometry *g, const ConvOperands *operands, double *sums) {
    const WindowDim *d = g->dims;
    int64_t in_channels = g->in_channels / g->group, out_channels = g->out_channels / g->group;
    int64_t out_size = d[0].out * d[1].out * d[2].out, kernel_size = d[0].kernel * d[1].kernel * d[2].kernel;
    const double *x = operands->x;
    for (int64_t n = 0; n < g->batch; n++)
        for (int64_t c = 0; c < g->in_channels; c++) {
            double *y = sums + (n * g->out_channels + c / in_channels * out_channels) * out_size;
            for (int64_t i = 0; i < d[0].in; i++)
                for (int64_t j = 0; j < d[1].in; j++)
                    for (int64_t k = 0; k < d[2].in; k++, x++)
                        spread(g, *x, operands->w + c * out_channels * kernel_size, (int64_t[]){i, j, k}, y);
        }
}

static Status conv_transpose_reference(EvalContext *ctx) {
    const ConvAttrs *attrs = eval_attrs(ctx);
    ConvGeometry plain =
        conv_transpose_geometry(attrs, &ctx->inputs[CONV_X]->type.shape, &ctx->inputs[CONV_W]->type.shape);
    ConvGeometry geometry = conv_geometry_3d(&plain);
    ConvOperands operands;
    double *sums;
    Tensor *y = ctx->outputs[0];
    int64_t count = tensor_elements(y), plane = count / i64_max(geometry.batch * geometry.out_channels, 1);
    TRY(conv_load_operands(ctx, &operands));
    TRY(eval_alloc_doubles(ctx, count, &sums));
    for (int64_t i = 0; i < count; i++)
        sums[i] = 0;
    spread_all(&geometry, &operands, sums);
    for (int64_t i = 0; i < count; i++)
        sums[i] += operands.bias ? operands.bias[i / plane % geometry.out_channels] : 0;
    eval_store_doubles(ctx, sums);
    return STRIDER_OK;
}

static Bytes conv_transpose_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    return bytes_sum(scratch_of_inputs(node, inputs, outputs), scratch_of_tensor(&outputs[0]));
}

static uint64_t conv_transpose_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node;
    (void)outputs;
    const Shape *w = &inputs[CONV_W].shape;
    return (uint64_t)i64_product(shape_elements(&inputs[CONV_X].shape), shape_size(w, 1, w->rank));
}

const Op op_conv_transpose = {
    OP_NAMED(ConvTranspose),
    .since = 1,
    .inputs = {2, CONV_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConvAttrs),
    .parse = conv_transpose_parse,
    .infer = conv_transpose_infer,
    .reference = conv_transpose_reference,
    .scratch = conv_transpose_scratch,
    .macs = conv_transpose_macs,
    .channel_axis = 1,
    .flags = OP_POST_OPS,
};
