/* SPDX-License-Identifier: Apache-2.0 */
/* DFT (ONNX 17: axis as an attribute, 1 by default; 20: as an input, -2 by default): along one axis of a
 * tensor whose last dimension holds a number's real and imaginary part, or the real part alone, y[k] = sum
 * over i of x[i] e^(-2 pi i k / n), the inverse with e^(+...) and divided by n, where n is the axis' length
 * unless `dft_length` cuts or lengthens it with zeros.  `onesided`: of a real signal the first n / 2 + 1
 * values alone; inverse: the real signal from these, by default of 2 (length - 1) values. */
#include <inttypes.h>

#include "ops/math/fourier.h"

static Status dft_parse(ParseContext *ctx, void *attrs_) {
    DftAttrs *attrs = attrs_;
    TRY(parse_bool(ctx, "inverse", false, &attrs->inverse));
    TRY(parse_bool(ctx, "onesided", false, &attrs->onesided));
    attrs->axis = -2;
    return ctx->node->opset < 20 ? parse_int(ctx, "axis", 1, &attrs->axis) : STRIDER_OK;
}

const char *dft_axis(const Node *node, const Tensor *input, int rank, int *axis) {
    const DftAttrs *attrs = node->attrs;
    const int64_t stated = input ? tensor_get_i64(input, 0) : attrs->axis;
    if (stated < -rank || stated >= rank || stated == -1 || stated == rank - 1)
        return "the axis is none of the signal's, of which the last dimension is none";
    *axis = (int)(stated < 0 ? stated + rank : stated);
    return NULL;
}

/* What the last dimension may be; -1: either. */
static int64_t components_wanted(const DftAttrs *attrs) {
    return !attrs->onesided ? -1 : attrs->inverse ? 2 : 1;
}

static Status check_components(InferContext *ctx, int64_t components) {
    const DftAttrs *attrs = infer_attrs(ctx);
    const int64_t wanted = components_wanted(attrs);
    if (components < 0 || components == wanted || (wanted < 0 && (components == 1 || components == 2)))
        return STRIDER_OK;
    return infer_fail(ctx, STRIDER_BAD_MODEL, "the last dimension is %" PRId64 ", must be %s", components,
                      wanted < 0    ? "1 (real) or 2 (complex)"
                      : wanted == 1 ? "1 (real): onesided"
                                    : "2 (complex): onesided and inverse");
}

/* The transform's length, DIM_UNKNOWN where that is not known. */
static Status dft_length(InferContext *ctx, int64_t axis_length, int64_t *n) {
    const DftAttrs *attrs = infer_attrs(ctx);
    const Tensor *stated = ctx->n_inputs > 1 ? ctx->input_values[1] : NULL;
    *n = DIM_UNKNOWN;
    if (infer_has_input(ctx, 1) ? !stated : axis_length < 0)
        return STRIDER_OK;
    *n = stated                              ? tensor_get_i64(stated, 0)
         : attrs->inverse && attrs->onesided ? 2 * (i64_min(axis_length, FFT_MAX_LENGTH) - 1)
                                             : axis_length;
    if (*n < 1 || *n > FFT_MAX_LENGTH)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the length of the transform is %" PRId64, *n);
    return STRIDER_OK;
}

static Status dft_infer(InferContext *ctx) {
    const DftAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, 0, 2, -1));
    for (int port = 1; port < ctx->n_inputs; port++) {
        TRY(infer_require_dtype(ctx, port, DTYPES_INDEX));
        TRY(infer_require_scalar(ctx, port));
    }
    ctx->outputs[0] = ctx->inputs[0];
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(check_components(ctx, x->dims[x->rank - 1]));
    Shape *y = &ctx->outputs[0].shape;
    y->dims[y->rank - 1] = attrs->inverse && attrs->onesided ? 1 : 2;
    if (infer_has_input(ctx, 2) && !ctx->input_values[2]) {
        for (int i = 0; i < y->rank - 1; i++)
            y->dims[i] = DIM_UNKNOWN;
        return STRIDER_OK;
    }
    int axis;
    int64_t n;
    const char *wrong = dft_axis(ctx->node, ctx->n_inputs > 2 ? ctx->input_values[2] : NULL, x->rank, &axis);
    if (wrong)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    TRY(dft_length(ctx, x->dims[axis], &n));
    if (n >= 0)
        y->dims[axis] = fourier_bins(n, attrs->onesided && !attrs->inverse);
    else if (infer_has_input(ctx, 1) || attrs->onesided)
        y->dims[axis] = DIM_UNKNOWN;
    return STRIDER_OK;
}

FourierLines dft_lines(const DftAttrs *attrs, int axis, int64_t n, const Shape *x, const Shape *y) {
    const bool half = attrs->inverse && attrs->onesided;
    const int64_t inner = shape_size(x, axis + 1, x->rank - 1), in = x->dims[axis], out = y->dims[axis];
    return (FourierLines){.lines = shape_size(x, 0, axis) * inner,
                          .n = n,
                          .in = {inner, in * inner, 1, inner, (int)x->dims[x->rank - 1]},
                          .out = {inner, out * inner, 1, inner, (int)y->dims[y->rank - 1]},
                          .in_length = i64_min(in, half ? n / 2 + 1 : n),
                          .out_length = out,
                          .inverse = attrs->inverse,
                          .half = half,
                          .window_port = -1};
}

static Status dft_reference(EvalContext *ctx) {
    const DftAttrs *attrs = eval_attrs(ctx);
    const Shape *x = &ctx->inputs[0]->type.shape, *y = &ctx->outputs[0]->type.shape;
    const Tensor *stated = eval_input(ctx, 1);
    int axis;
    const char *wrong = dft_axis(ctx->node, eval_input(ctx, 2), x->rank, &axis);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    const int64_t n = stated                              ? tensor_get_i64(stated, 0)
                      : attrs->onesided && attrs->inverse ? y->dims[axis]
                                                          : x->dims[axis];
    if (!ctx->outputs[0]->data || n < 1 ||
        y->dims[axis] != fourier_bins(n, attrs->onesided && !attrs->inverse))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the output's shape does not follow from the inputs");
    const FourierLines lines = dft_lines(attrs, axis, n, x, y);
    return fourier_reference(ctx, &lines);
}

/* Of the largest transform along any axis that may be meant. */
static Bytes dft_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    const DftAttrs *attrs = node->attrs;
    const Shape *x = &inputs[0].shape, *y = &outputs[0].shape;
    const Tensor *input = node->n_inputs > 2 && node->inputs[2] ? node->inputs[2]->constant : NULL;
    const bool open = node->n_inputs > 2 && node->inputs[2] && !input;
    Bytes largest = {0};
    for (int i = 0; i < x->rank - 1; i++) {
        int axis = i;
        if (!open && (dft_axis(node, input, x->rank, &axis) || axis != i))
            continue;
        largest = bytes_larger(largest, fourier_scratch_for(y->dims[i], attrs->onesided && !attrs->inverse));
    }
    return largest;
}

#define DFT(ROW, SINCE, INPUTS)                                                                              \
    const Op ROW = {                                                                                         \
        OP_NAMED(DFT),                                                                                       \
        .since = SINCE,                                                                                      \
        .inputs = {1, INPUTS},                                                                               \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(DftAttrs),                                                                      \
        .parse = dft_parse,                                                                                  \
        .infer = dft_infer,                                                                                  \
        .reads = 1u << 1 | 1u << 2,                                                                          \
        .shaped_by = 1u << 1 | 1u << 2,                                                                      \
        .reference = dft_reference,                                                                          \
        .scratch = dft_scratch,                                                                              \
    };

DFT(op_dft_17, 17, 2)
DFT(op_dft, 20, 3)
