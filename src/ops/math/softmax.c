/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax, LogSoftmax, Hardmax.  ONNX 1 and 11 (negative axes): over all dimensions from `axis` on, taken as
 * one, by default from 1; 13: over one dimension, by default the last. Softmax: e^(x_i - max) / sum of e^(x_j
 * - max).  A group of -inf alone gives NaN, as in PyTorch. LogSoftmax: x_i - max - ln(sum of e^(x_j - max)).
 * Hardmax: 1 at the first maximum, else 0. */
#include "ops/math/softmax.h"

#include <math.h>

static Status softmax_parse(ParseContext *ctx, void *attrs_) {
    SoftmaxAttrs *attrs = attrs_;
    attrs->flatten = ctx->node->opset < 13;
    return parse_int(ctx, "axis", attrs->flatten ? 1 : -1, &attrs->axis);
}

static Status softmax_infer(InferContext *ctx) {
    const SoftmaxAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    int axis, rank = ctx->inputs[0].shape.rank;
    if (rank >= 0)
        TRY(infer_axis(ctx, attrs->axis, rank, &axis));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

SoftmaxGeometry softmax_geometry(const SoftmaxAttrs *attrs, const Shape *x) {
    int axis = (int)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
    int end = attrs->flatten ? x->rank : axis + 1;
    return (SoftmaxGeometry){shape_size(x, 0, axis), shape_size(x, axis, end), shape_size(x, end, x->rank)};
}

/* Replaces a group of `count` values that lie `stride` apart. */
typedef void GroupFunction(double *x, int64_t count, int64_t stride);

static int64_t first_maximum(const double *x, int64_t count, int64_t stride) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (x[i * stride] > x[best * stride])
            best = i;
    return best;
}

static void softmax_group(double *x, int64_t count, int64_t stride) {
    double max = x[first_maximum(x, count, stride) * stride], sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i * stride] = exp(x[i * stride] - max);
    for (int64_t i = 0; i < count; i++)
        x[i * stride] /= sum;
}

static void log_softmax_group(double *x, int64_t count, int64_t stride) {
    double max = x[first_maximum(x, count, stride) * stride], sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += exp(x[i * stride] - max);
    for (int64_t i = 0; i < count; i++)
        x[i * stride] = x[i * stride] - max - log(sum);
}

static void hardmax_group(double *x, int64_t count, int64_t stride) {
    int64_t best = first_maximum(x, count, stride);
    for (int64_t i = 0; i < count; i++)
        x[i * stride] = i == best;
}

static Status for_each_group(EvalContext *ctx, GroupFunction *function) {
    SoftmaxGeometry g = softmax_geometry(eval_attrs(ctx), &ctx->inputs[0]->type.shape);
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    for (int64_t i = 0; i < g.outer && g.count > 0; i++)
        for (int64_t j = 0; j < g.inner; j++)
            function(x + i * g.count * g.inner + j, g.count, g.inner);
    tensor_store_doubles(ctx->outputs[0], x);
    return STRIDER_OK;
}

static Status softmax_reference(EvalContext *ctx) {
    return for_each_group(ctx, softmax_group);
}

static Status log_softmax_reference(EvalContext *ctx) {
    return for_each_group(ctx, log_softmax_group);
}

static Status hardmax_reference(EvalContext *ctx) {
    return for_each_group(ctx, hardmax_group);
}

#define SOFTMAX_ROW(ROW, NAME, REFERENCE)                                                                    \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 1,                                                                                          \
        .inputs = {1, 1},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(SoftmaxAttrs),                                                                  \
        .parse = softmax_parse,                                                                              \
        .infer = softmax_infer,                                                                              \
        .reference = REFERENCE,                                                                              \
        .scratch = scratch_of_input,                                                                         \
    }

SOFTMAX_ROW(op_softmax, Softmax, softmax_reference);
SOFTMAX_ROW(op_log_softmax, LogSoftmax, log_softmax_reference);
SOFTMAX_ROW(op_hardmax, Hardmax, hardmax_reference);
