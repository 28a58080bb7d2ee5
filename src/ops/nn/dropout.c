/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout at inference: its input, and a mask that keeps everything.  ONNX 1, 6, 7, 10, 12 (training_mode as
 * an input), 13, 22 (floats of 8 bits too).  Before opset 7 is_test = 0, which meant training, was the
 * default that exporters left in models for inference, so it is read as inference as well. */
#include <string.h>

#include "ops/op.h"

/* training_mode is on, and the ratio lets something be dropped; what is not known is off. */
static bool drops(const Tensor *training, const Tensor *ratio) {
    if (!training || tensor_elements(training) != 1 || !tensor_get_i64(training, 0))
        return false;
    return !ratio || tensor_elements(ratio) != 1 || tensor_get_f64(ratio, 0) != 0;
}

static Status dropout_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT | DTYPES_FLOAT8));
    bool ratio_is_open = infer_has_input(ctx, 1) && !ctx->input_values[1];
    if (infer_has_input(ctx, 2) && !ratio_is_open &&
        drops(ctx->input_values[2], infer_has_input(ctx, 1) ? ctx->input_values[1] : NULL))
        return infer_fail(ctx, STRIDER_UNSUPPORTED,
                          "training_mode is on: export the model in evaluation mode");
    ctx->outputs[0] = ctx->inputs[0];
    if (ctx->n_outputs > 1)
        ctx->outputs[1].tensor =
            type_of(ctx->node->opset < 10 ? ctx->inputs[0].dtype : STRIDER_BOOL, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status dropout_reference(EvalContext *ctx) {
    if (drops(eval_input(ctx, 2), eval_input(ctx, 1)))
        return eval_fail(ctx, STRIDER_UNSUPPORTED,
                         "training_mode is on: export the model in evaluation mode");
    Tensor *y = eval_output(ctx, 0), *mask = eval_output(ctx, 1);
    if (y)
        memcpy(y->data, ctx->inputs[0]->data, y->size_bytes);
    for (int64_t i = 0; mask && i < tensor_elements(mask); i++)
        tensor_set_i64(mask, i, 1);
    return STRIDER_OK;
}

const Op op_dropout = {
    OP_NAMED(Dropout),          .since = 1,
    .inputs = {1, 3},           .outputs = {1, 2},
    .infer = dropout_infer,     .reference = dropout_reference,
    .reads = 1u << 1 | 1u << 2,
};
