/* SPDX-License-Identifier: Apache-2.0 */
/* SwiGLU (ONNX 28): y = a / (1 + e^(-alpha a)) * b, of tensors of the same shape. */
#include "ops/math/swiglu.h"

#include <inttypes.h>
#include <math.h>

static Status swiglu_parse(ParseContext *ctx, void *attrs_) {
    SwigluAttrs *attrs = attrs_;
    return parse_float(ctx, "alpha", 1, &attrs->alpha);
}

static Status swiglu_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_same_dtype(ctx, 0, 1));
    const Shape *a = &ctx->inputs[0].shape, *b = &ctx->inputs[1].shape;
    char a_text[SHAPE_TEXT], b_text[SHAPE_TEXT];
    bool differ = a->rank >= 0 && b->rank >= 0 && a->rank != b->rank;
    for (int i = 0; i < a->rank && i < b->rank; i++)
        differ = differ || (a->dims[i] >= 0 && b->dims[i] >= 0 && a->dims[i] != b->dims[i]);
    if (differ)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the inputs have different shapes, %s and %s",
                          shape_text(a, a_text), shape_text(b, b_text));
    ctx->outputs[0] = ctx->inputs[a->rank < 0];
    return STRIDER_OK;
}

static Status swiglu_reference(EvalContext *ctx) {
    const SwigluAttrs *attrs = eval_attrs(ctx);
    const int64_t count = tensor_elements(ctx->outputs[0]);
    for (int64_t i = 0; i < count; i++) {
        const double a = tensor_get_f64(ctx->inputs[0], i);
        tensor_set_f64(ctx->outputs[0], i,
                       a / (1 + exp(-(double)attrs->alpha * a)) * tensor_get_f64(ctx->inputs[1], i));
    }
    return STRIDER_OK;
}

const Op op_swiglu = {
    OP_NAMED(SwiGLU),
    .since = 28,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(SwigluAttrs),
    .parse = swiglu_parse,
    .infer = swiglu_infer,
    .reference = swiglu_reference,
    .flags = OP_ELEMENTWISE,
};
