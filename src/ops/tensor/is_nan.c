/* SPDX-License-Identifier: Apache-2.0 */
/* IsNaN (ONNX 9, 13, 20: floats of 8 bits too), IsInf (10, 20). */
#include "ops/tensor/is_nan.h"

#include <math.h>

static Status is_inf_parse(ParseContext *ctx, void *attrs_) {
    IsInfAttrs *attrs = attrs_;
    TRY(parse_bool(ctx, "detect_negative", true, &attrs->negative));
    return parse_bool(ctx, "detect_positive", true, &attrs->positive);
}

static Status test_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT | DTYPES_FLOAT8));
    ctx->outputs[0].tensor = type_of(STRIDER_BOOL, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status is_nan_reference(EvalContext *ctx) {
    uint8_t *y = ctx->outputs[0]->data;
    for (int64_t i = 0; i < tensor_elements(ctx->inputs[0]); i++)
        y[i] = isnan(tensor_get_f64(ctx->inputs[0], i)) != 0;
    return STRIDER_OK;
}

static Status is_inf_reference(EvalContext *ctx) {
    const IsInfAttrs *attrs = eval_attrs(ctx);
    uint8_t *y = ctx->outputs[0]->data;
    for (int64_t i = 0; i < tensor_elements(ctx->inputs[0]); i++) {
        double x = tensor_get_f64(ctx->inputs[0], i);
        y[i] = isinf(x) && (x > 0 ? attrs->positive : attrs->negative);
    }
    return STRIDER_OK;
}

const Op op_is_nan = {
    OP_NAMED(IsNaN),         .since = 9,          .inputs = {1, 1},
    .outputs = {1, 1},       .infer = test_infer, .reference = is_nan_reference,
    .flags = OP_ELEMENTWISE,
};

const Op op_is_inf = {
    OP_NAMED(IsInf),
    .since = 10,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(IsInfAttrs),
    .parse = is_inf_parse,
    .infer = test_infer,
    .reference = is_inf_reference,
    .flags = OP_ELEMENTWISE,
};
