/* SPDX-License-Identifier: Apache-2.0 */
/* LpNormalization: y = x / (sum of |x|^p along an axis)^(1/p), p 1 or 2; 0 where the norm is 0.  ONNX 1, 22
 * (types). */
#include "ops/nn/lp_norm.h"

#include <inttypes.h>
#include <math.h>

static Status lp_norm_parse(ParseContext *ctx, void *attrs_) {
    LpNormAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", -1, &attrs->axis));
    TRY(parse_int(ctx, "p", 2, &attrs->p));
    if (attrs->p != 1 && attrs->p != 2)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "p is %" PRId64 ", must be 1 or 2", attrs->p);
    return STRIDER_OK;
}

static Status lp_norm_infer(InferContext *ctx) {
    const LpNormAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    int axis, rank = ctx->inputs[0].shape.rank;
    if (rank >= 0)
        TRY(infer_axis(ctx, attrs->axis, rank, &axis));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

static void divide_by_norm(double *x, int64_t count, int64_t stride, int64_t p) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += p == 1 ? fabs(x[i * stride]) : x[i * stride] * x[i * stride];
    double norm = p == 1 ? sum : sqrt(sum);
    for (int64_t i = 0; i < count; i++)
        x[i * stride] = norm == 0 ? 0 : x[i * stride] / norm;
}

static Status lp_norm_reference(EvalContext *ctx) {
    const LpNormAttrs *attrs = eval_attrs(ctx);
    const Shape *shape = &ctx->inputs[0]->type.shape;
    int axis = (int)(attrs->axis < 0 ? attrs->axis + shape->rank : attrs->axis);
    int64_t outer = shape_size(shape, 0, axis), count = shape->dims[axis];
    int64_t inner = shape_size(shape, axis + 1, shape->rank);
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < inner; j++)
            divide_by_norm(x + i * count * inner + j, count, inner, attrs->p);
    tensor_store_doubles(ctx->outputs[0], x);
    return STRIDER_OK;
}

const Op op_lp_norm = {
    OP_NAMED(LpNormalization),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(LpNormAttrs),
    .parse = lp_norm_parse,
    .infer = lp_norm_infer,
    .reference = lp_norm_reference,
    .scratch = scratch_of_input,
};
