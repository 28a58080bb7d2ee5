/* SPDX-License-Identifier: Apache-2.0 */
/* Not (ONNX 1), BitwiseNot (18). */
#include "ops/op.h"

static Status not_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_BOOL)));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

static Status bitwise_not_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_INTEGER));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

static Status not_reference(EvalContext *ctx) {
    const uint8_t *x = ctx->inputs[0]->data;
    uint8_t *y = ctx->outputs[0]->data;
    for (int64_t i = 0; i < tensor_elements(ctx->inputs[0]); i++)
        y[i] = !x[i];
    return STRIDER_OK;
}

static Status bitwise_not_reference(EvalContext *ctx) {
    const uint8_t *x = ctx->inputs[0]->data;
    uint8_t *y = ctx->outputs[0]->data;
    for (size_t i = 0; i < ctx->inputs[0]->size_bytes; i++)
        y[i] = (uint8_t)~x[i];
    return STRIDER_OK;
}

const Op op_not = {
    OP_NAMED(Not),           .since = 1,         .inputs = {1, 1},
    .outputs = {1, 1},       .infer = not_infer, .reference = not_reference,
    .flags = OP_ELEMENTWISE,
};

const Op op_bitwise_not = {
    OP_NAMED(BitwiseNot),       .since = 18,
    .inputs = {1, 1},           .outputs = {1, 1},
    .infer = bitwise_not_infer, .reference = bitwise_not_reference,
    .flags = OP_ELEMENTWISE,
};
