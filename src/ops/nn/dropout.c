/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout.  ONNX 1, 6, 7, 10; 12: ratio and training_mode as inputs, seed; 13; 22 (floats of 8 bits too).  At
 * inference: its input, and a mask that keeps everything.  In training mode an element stays, divided by 1 -
 * ratio, where a number drawn uniformly from [0, 1) is not below the ratio (0.5 by default), and is 0
 * elsewhere.  Before opset 7 is_test = 0, which meant training, was the default that exporters left in models
 * for inference, so it is read as inference. */
#include <string.h>

#include "ops/generator/mersenne_twister.h"

enum { RATIO = 1, TRAINING = 2 };

typedef struct DropoutAttrs {
    uint32_t seed;
} DropoutAttrs;

static Status dropout_parse(ParseContext *ctx, void *attrs_) {
    DropoutAttrs *attrs = attrs_;
    return parse_seed(ctx, &attrs->seed);
}

/* One element, or none where the option is left out by an empty tensor. */
static Status check_option(InferContext *ctx, int port, unsigned dtypes) {
    const Shape *shape = port < ctx->n_inputs ? &ctx->inputs[port].shape : NULL;
    int64_t count;
    TRY(infer_require_dtype(ctx, port, dtypes));
    if (shape && shape->rank >= 0 && shape_count(shape, 0, shape->rank, &count) && count == 0)
        return STRIDER_OK;
    return infer_require_scalar(ctx, port);
}

static const Tensor *option(const EvalContext *ctx, int port) {
    const Tensor *tensor = eval_input(ctx, port);
    return tensor && tensor_elements(tensor) ? tensor : NULL;
}

static Status dropout_infer(InferContext *ctx) {
    const DType mask = ctx->node->opset < 10 ? ctx->inputs[0].dtype : STRIDER_BOOL;
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT | DTYPES_FLOAT8));
    TRY(check_option(ctx, RATIO, DTYPES_FLOAT | DTYPES_FLOAT8));
    TRY(check_option(ctx, TRAINING, DTYPE_BIT(STRIDER_BOOL)));
    ctx->outputs[0] = ctx->inputs[0];
    if (ctx->n_outputs > 1)
        ctx->outputs[1].tensor = type_of(mask, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static void keep_all(const Tensor *x, Tensor *y, Tensor *mask) {
    if (y)
        memcpy(y->data, x->data, y->size_bytes);
    for (int64_t i = 0; mask && i < tensor_elements(mask); i++)
        tensor_set_i64(mask, i, 1);
}

static void drop(uint32_t seed, double ratio, const Tensor *x, Tensor *y, Tensor *mask) {
    Twister twister;
    twister_seed(&twister, seed);
    const double scale = 1 / (1 - ratio);
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        const bool stays = twister_uniform(&twister) >= ratio;
        if (y)
            tensor_set_f64(y, i, stays ? tensor_get_f64(x, i) * scale : 0);
        if (mask)
            tensor_set_i64(mask, i, stays);
    }
}

static Status dropout_reference(EvalContext *ctx) {
    const DropoutAttrs *attrs = eval_attrs(ctx);
    const Tensor *stated = option(ctx, RATIO), *training = option(ctx, TRAINING);
    const double ratio = stated ? tensor_get_f64(stated, 0) : 0.5;
    if (!training || !tensor_get_i64(training, 0) || ratio == 0) {
        keep_all(ctx->inputs[0], eval_output(ctx, 0), eval_output(ctx, 1));
        return STRIDER_OK;
    }
    if (!(ratio > 0 && ratio < 1))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the ratio is %g, must be in [0, 1)", ratio);
    drop(attrs->seed, ratio, ctx->inputs[0], eval_output(ctx, 0), eval_output(ctx, 1));
    return STRIDER_OK;
}

static const char *dropout_doubt(const Node *node) {
    const Value *training = node->n_inputs > TRAINING ? node->inputs[TRAINING] : NULL;
    return training && training->constant && tensor_elements(training->constant) == 1 &&
                   tensor_get_i64(training->constant, 0)
               ? "it is in training mode, so that it drops elements: export the model in evaluation mode"
               : NULL;
}

const Op op_dropout = {
    OP_NAMED(Dropout),
    .since = 1,
    .inputs = {1, 3},
    .outputs = {1, 2},
    .attrs_size = sizeof(DropoutAttrs),
    .parse = dropout_parse,
    .infer = dropout_infer,
    .reference = dropout_reference,
    .flags = OP_NO_FOLD,
    .ignores = {"ratio", "is_test"},
    .doubt = dropout_doubt,
};
