/* SPDX-License-Identifier: Apache-2.0 */
/* DynamicQuantizeLinear (ONNX 11): float32 to uint8 by the range of the tensor itself, which is widened to
 * hold 0: scale = (max(x, 0) - min(x, 0)) / 255, zero_point = round(-min / scale), saturated Where all
 * elements are 0, or there are none, the scale is 1, as in onnxruntime. */
#include "ops/quantization/dynamic_quantize.h"

#include <math.h>

#include "ops/quantization/quantize.h"

DynamicScale dynamic_scale(float low, float high) {
    const float scale = high == low ? 1 : (high - low) / 255;
    return (DynamicScale){scale, quantize_to_integer((double)(-low / scale), 0, integer_range(STRIDER_U8))};
}

static Status dynamic_quantize_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_F32)));
    ctx->outputs[0].tensor = type_of(STRIDER_U8, ctx->inputs[0].shape);
    if (ctx->n_outputs > 1)
        ctx->outputs[1].tensor = type_of(STRIDER_F32, shape_scalar());
    if (ctx->n_outputs > 2)
        ctx->outputs[2].tensor = type_of(STRIDER_U8, shape_scalar());
    return STRIDER_OK;
}

static Status dynamic_quantize_reference(EvalContext *ctx) {
    const float *x = ctx->inputs[0]->data;
    const int64_t count = tensor_elements(ctx->inputs[0]);
    const IntegerRange range = integer_range(STRIDER_U8);
    float low = 0, high = 0;
    for (int64_t i = 0; i < count; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    const DynamicScale of = dynamic_scale(low, high);
    Tensor *y = eval_output(ctx, DYNAMIC_Y), *y_scale = eval_output(ctx, DYNAMIC_SCALE),
           *y_zero = eval_output(ctx, DYNAMIC_ZERO);
    for (int64_t i = 0; y && i < count; i++)
        tensor_set_i64(y, i, quantize_to_integer((double)(x[i] / of.scale), of.zero, range));
    if (y_scale)
        *(float *)y_scale->data = of.scale;
    if (y_zero)
        tensor_set_i64(y_zero, 0, of.zero);
    return STRIDER_OK;
}

const Op op_dynamic_quantize_linear = {
    OP_NAMED(DynamicQuantizeLinear),
    .since = 11,
    .inputs = {1, 1},
    .outputs = {1, 3},
    .infer = dynamic_quantize_infer,
    .reference = dynamic_quantize_reference,
};
