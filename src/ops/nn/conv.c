/* SPDX-License-Identifier: Apache-2.0 */
/* Conv: cross-correlation over one to three spatial dimensions.  ONNX Conv-1, Conv-11 (defaults spelled out),
 * Conv-22 (types). y[n, m, o] = bias[m] + sum over c, k of x[n, c, o*stride - pad_begin + k*dilation] * w[m,
 * c, k] out = floor((in + pad_begin + pad_end - dilation*(kernel - 1) - 1) / stride) + 1 */
#include "ops/nn/conv.h"

#include <inttypes.h>

#include "base/size.h"
#include "ops/post_ops.h"

Status conv_parse_common(ParseContext *ctx, ConvAttrs *attrs) {
    attrs->n_output_padding = attrs->n_output_shape = -1;
    TRY(window_parse(ctx, &attrs->window));
    attrs->window.ceil_mode = false;
    TRY(parse_int(ctx, "group", 1, &attrs->group));
    if (attrs->group < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "group is %" PRId64 ", must be at least 1", attrs->group);
    return STRIDER_OK;
}

static Status conv_parse(ParseContext *ctx, void *attrs) {
    return conv_parse_common(ctx, attrs);
}

Status conv_check_bias(InferContext *ctx, int port, int64_t channels) {
    if (!infer_has_input(ctx, port))
        return STRIDER_OK;
    TRY(infer_require_rank(ctx, port, 1, 1));
    const Shape *shape = &ctx->inputs[port].shape;
    if (shape->rank == 1 && shape->dims[0] >= 0 && channels >= 0 && shape->dims[0] != channels)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "the bias has %" PRId64 " values for %" PRId64 " output channels", shape->dims[0],
                          channels);
    return STRIDER_OK;
}

Status conv_check_kernel(InferContext *ctx, const Shape *x, const Shape *w) {
    if (x->rank >= 0 && w->rank >= 0 && x->rank != w->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the input has rank %d and the weight rank %d", x->rank,
                          w->rank);
    const ConvAttrs *attrs = infer_attrs(ctx);
    for (int i = 0; i < w->rank - 2; i++)
        if (attrs->window.n_kernel >= 0 && w->dims[2 + i] >= 0 && attrs->window.kernel[i] != w->dims[2 + i])
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "kernel_shape[%d] is %" PRId64 ", but the weight has %" PRId64, i,
                              attrs->window.kernel[i], w->dims[2 + i]);
    return STRIDER_OK;
}

static Status check_channels(InferContext *ctx, const Shape *x, const Shape *w) {
    const ConvAttrs *attrs = infer_attrs(ctx);
    if (x->rank >= 0 && w->rank >= 0 && x->dims[1] >= 0 && w->dims[1] >= 0 &&
        (x->dims[1] % attrs->group || x->dims[1] / attrs->group != w->dims[1]))
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "%" PRId64 " input channels in %" PRId64 " groups do not fit a weight for %" PRId64
                          " channels a group",
                          x->dims[1], attrs->group, w->dims[1]);
    if (w->rank > 0 && w->dims[0] >= 0 && w->dims[0] % attrs->group)
        return infer_fail(ctx, STRIDER_BAD_MODEL,
                          "group %" PRId64 " does not divide %" PRId64 " output channels", attrs->group,
                          w->dims[0]);
    return STRIDER_OK;
}

Status conv_infer_shape(InferContext *ctx, int port_x, int port_w) {
    const ConvAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[port_x].shape, *w = &ctx->inputs[port_w].shape;
    TRY(infer_require_rank(ctx, port_x, 3, 2 + MAX_SPATIAL));
    TRY(infer_require_rank(ctx, port_w, 3, 2 + MAX_SPATIAL));
    int rank = x->rank >= 0 ? x->rank : w->rank;
    if (rank < 0)
        return STRIDER_OK;
    TRY(window_check(ctx, &attrs->window, rank - 2));
    TRY(conv_check_kernel(ctx, x, w));
    TRY(check_channels(ctx, x, w));
    Shape *y = &ctx->outputs[0].shape;
    y->rank = rank;
    y->dims[0] = x->rank >= 0 ? x->dims[0] : DIM_UNKNOWN;
    y->dims[1] = w->rank >= 0 ? w->dims[0] : DIM_UNKNOWN;
    for (int i = 0; i < rank - 2; i++) {
        int64_t kernel = w->rank >= 0                  ? w->dims[2 + i]
                         : attrs->window.n_kernel >= 0 ? attrs->window.kernel[i]
                                                       : DIM_UNKNOWN;
        if (kernel == 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the weight has no elements in dimension %d", 2 + i);
        TRY(window_infer_dim(ctx, &attrs->window, rank - 2, i, x->rank >= 0 ? x->dims[2 + i] : DIM_UNKNOWN,
                             kernel, &y->dims[2 + i]));
    }
    return STRIDER_OK;
}

static Status conv_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, CONV_X, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, CONV_X, CONV_W));
    TRY(infer_require_same_dtype(ctx, CONV_X, CONV_B));
    ctx->outputs[0].dtype = ctx->inputs[CONV_X].dtype ? ctx->inputs[CONV_X].dtype : ctx->inputs[CONV_W].dtype;
    TRY(conv_infer_shape(ctx, CONV_X, CONV_W));
    const Shape *w = &ctx->inputs[CONV_W].shape;
    return conv_check_bias(ctx, CONV_B, w->rank > 0 ? w->dims[0] : DIM_UNKNOWN);
}

ConvGeometry conv_geometry(const ConvAttrs *attrs, const Shape *x, const Shape *w) {
    ConvGeometry geometry = {.spatial = x->rank - 2,
                             .batch = x->dims[0],
                             .group = attrs->group,
                             .in_channels = x->dims[1],
                             .out_channels = w->dims[0]};
    for (int i = 0; i < geometry.spatial; i++)
        geometry.dims[i] =
            window_resolve(&attrs->window, geometry.spatial, i, x->dims[2 + i], w->dims[2 + i]);
    return geometry;
}

ConvGeometry conv_geometry_3d(const ConvGeometry *geometry) {
    ConvGeometry full = *geometry;
    full.spatial = MAX_SPATIAL;
    for (int i = 0; i < MAX_SPATIAL; i++) {
        int from = i - (MAX_SPATIAL - geometry->spatial);
        full.dims[i] = from >= 0 ? geometry->dims[from] : (WindowDim){1, 1, 1, 1, 1, 0, 0};
    }
    return full;
}

Status conv_load_operands(EvalContext *ctx, ConvOperands *operands) {
    *operands = (ConvOperands){0};
    TRY(eval_load_doubles(ctx, CONV_X, &operands->x));
    TRY(eval_load_doubles(ctx, CONV_W, &operands->w));
    return eval_load_doubles(ctx, CONV_B, &operands->bias);
}

/* The products of one output element; `begin` is where its window starts in the input. */
static double window_sum(const ConvGeometry *g, const double *x, const double *w,
                         const int64_t begin[MAX_SPATIAL]) {
    const WindowDim *d = g->dims;
    int64_t channels = g->in_channels / g->group;
    WindowTaps seen[MAX_SPATIAL];
    double sum = 0;
    for (int i = 0; i < MAX_SPATIAL; i++)
        seen[i] = window_taps(&d[i], begin[i], d[i].in);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = seen[0].first; i < seen[0].end; i++)
            for (int64_t j = seen[1].first; j < seen[1].end; j++) {
                int64_t z = begin[0] + i * d[0].dilation, y = begin[1] + j * d[1].dilation;
                const double *row = x + ((c * d[0].in + z) * d[1].in + y) * d[2].in;
                const double *taps = w + ((c * d[0].kernel + i) * d[1].kernel + j) * d[2].kernel;
                for (int64_t k = seen[2].first; k < seen[2].end; k++)
                    sum += row[begin[2] + k * d[2].dilation] * taps[k];
            }
    return sum;
}

void conv_products(const ConvGeometry *g, const ConvOperands *operands, ConvStore store, void *context) {
    const WindowDim *d = g->dims;
    int64_t in_size = d[0].in * d[1].in * d[2].in, kernel_size = d[0].kernel * d[1].kernel * d[2].kernel;
    int64_t in_channels = g->in_channels / g->group, out_channels = g->out_channels / g->group, index = 0;
    for (int64_t n = 0; n < g->batch; n++)
        for (int64_t m = 0; m < g->out_channels; m++) {
            const double *x = operands->x + (n * g->in_channels + m / out_channels * in_channels) * in_size;
            const double *w = operands->w + m * in_channels * kernel_size;
            for (int64_t i = 0; i < d[0].out; i++)
                for (int64_t j = 0; j < d[1].out; j++)
                    for (int64_t k = 0; k < d[2].out; k++, index++) {
                        int64_t begin[MAX_SPATIAL] = {i * d[0].stride - d[0].pad_begin,
                                                      j * d[1].stride - d[1].pad_begin,
                                                      k * d[2].stride - d[2].pad_begin};
                        store(context, m, index,
                              window_sum(g, x, w, begin) + (operands->bias ? operands->bias[m] : 0));
                    }
        }
}

static void store_sum(void *context, int64_t channel, int64_t index, double sum) {
    const EvalContext *ctx = context;
    (void)channel;
    tensor_set_f64(ctx->outputs[0], index, eval_post_ops(ctx, index, sum));
}

static Status conv_reference(EvalContext *ctx) {
    const ConvAttrs *attrs = eval_attrs(ctx);
    ConvGeometry plain =
        conv_geometry(attrs, &ctx->inputs[CONV_X]->type.shape, &ctx->inputs[CONV_W]->type.shape);
    ConvGeometry geometry = conv_geometry_3d(&plain);
    ConvOperands operands;
    TRY(conv_load_operands(ctx, &operands));
    conv_products(&geometry, &operands, store_sum, ctx);
    return STRIDER_OK;
}

static const char *conv_explain(const Node *node, const Shape *x, char text[EXPLANATION_TEXT]) {
    const ConvAttrs *attrs = node->attrs;
    const Shape *w = &node->inputs[CONV_W]->type.shape;
    text[0] = '\0';
    return x->rank < 3 || w->rank != x->rank ? text : window_formula(&attrs->window, x, w->dims + 2, text);
}

static uint64_t conv_macs(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node;
    const Shape *w = &inputs[CONV_W].shape;
    return (uint64_t)i64_product(shape_elements(&outputs[0].shape), shape_size(w, 1, w->rank));
}

const Op op_conv = {
    OP_NAMED(Conv),
    .since = 1,
    .inputs = {2, CONV_INPUTS},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConvAttrs),
    .parse = conv_parse,
    .infer = conv_infer,
    .reference = conv_reference,
    .scratch = scratch_of_inputs,
    .explain_shape = conv_explain,
    .strict_shape = true,
    .macs = conv_macs,
    .channel_axis = 1,
    .flags = OP_POST_OPS,
};
