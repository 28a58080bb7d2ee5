/* SPDX-License-Identifier: Apache-2.0 */
/* BatchNormalization: y = (x - mean[c]) / sqrt(var[c] + (double)attrs->epsilon) * scale[c] + b[c], where c is
 * the index in dimension 1 (a rank 1 input has one channel). ONNX 1 and 6: spatial, is_test, and outputs
 * mean, var, saved_mean, saved_var for training; 7: without is_test; 9: without spatial; 14: training_mode,
 * with outputs running_mean and running_var; 15: types of scale, B and of mean, var of their own. Before 14
 * the further outputs say that a node trains, unless is_test is set: whoever exports a model in training mode
 * names them (is_test itself is 0 by default, also in files made for inference).  Training takes the mean and
 * the population variance of the batch; running = input * momentum + batch * (1 - momentum), and what is
 * called saved is the batch's own. */
#include "ops/nn/batch_norm.h"

#include <inttypes.h>
#include <math.h>

#include "ops/post_ops.h"

static Status batch_norm_parse(ParseContext *ctx, void *attrs_) {
    BatchNormAttrs *attrs = attrs_;
    int opset = ctx->node->opset;
    bool spatial = true;
    TRY(parse_float(ctx, "epsilon", 1e-5f, &attrs->epsilon));
    TRY(parse_float(ctx, "momentum", 0.9f, &attrs->momentum));
    if (opset < 9)
        TRY(parse_bool(ctx, "spatial", true, &spatial));
    attrs->per_activation = !spatial;
    bool is_test = false;
    if (opset < 7)
        TRY(parse_bool(ctx, "is_test", false, &is_test));
    attrs->training = ctx->node->n_outputs > 1 && !is_test;
    if (opset >= 14)
        TRY(parse_bool(ctx, "training_mode", false, &attrs->training));
    if (opset >= 14 && ctx->node->n_outputs > 3)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "has %d outputs, makes 1 to 3", ctx->node->n_outputs);
    return STRIDER_OK;
}

/* What the parameters' shape must be, as far as it is known. */
static Shape parameter_shape(const BatchNormAttrs *attrs, const Shape *x) {
    if (attrs->per_activation && x->rank > 0)
        return shape_make(x->rank - 1, x->dims + 1);
    int64_t channels = x->rank < 0 ? DIM_UNKNOWN : x->rank < 2 ? 1 : x->dims[1];
    return shape_make(1, &channels);
}

static Status check_parameter(InferContext *ctx, int port, const Shape *wanted) {
    const Shape *shape = &ctx->inputs[port].shape;
    TRY(infer_require_dtype(ctx, port, DTYPES_FLOAT));
    if (shape->rank < 0)
        return STRIDER_OK;
    TRY(infer_require_rank(ctx, port, wanted->rank, wanted->rank));
    for (int i = 0; i < wanted->rank; i++)
        if (shape->dims[i] >= 0 && wanted->dims[i] >= 0 && shape->dims[i] != wanted->dims[i])
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "input %d has %" PRId64 " values for %" PRId64 " channels", port,
                              shape->dims[i], wanted->dims[i]);
    return STRIDER_OK;
}

static Status batch_norm_infer(InferContext *ctx) {
    const BatchNormAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, BATCH_NORM_X, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, BATCH_NORM_X, 1, -1));
    const Shape *x = &ctx->inputs[BATCH_NORM_X].shape;
    Shape parameters = parameter_shape(attrs, x);
    if (!attrs->per_activation || x->rank >= 0)
        for (int port = BATCH_NORM_SCALE; port <= BATCH_NORM_VAR; port++)
            TRY(check_parameter(ctx, port, &parameters));
    ctx->outputs[0] = ctx->inputs[BATCH_NORM_X];
    for (int i = 1; i < ctx->n_outputs; i++) {
        const Value *output = ctx->node->outputs[i];
        if (output && output->uses > 0 && ctx->node->opset < 14 && !attrs->training)
            return infer_fail(ctx, STRIDER_UNSUPPORTED, "output %d, which only training makes, is read", i);
        ctx->outputs[i] = ctx->inputs[BATCH_NORM_MEAN];
    }
    return STRIDER_OK;
}

typedef struct BatchNormProblem {
    int64_t batch, channels, inner;     /* X is [batch, channels, inner] */
    double *x, *scale, *b, *mean, *var; /* inputs */
    double *batch_mean, *batch_var;     /* training only */
} BatchNormProblem;

static void batch_statistics(BatchNormProblem *p) {
    double count = (double)(p->batch * p->inner);
    for (int64_t c = 0; c < p->channels; c++) {
        double sum = 0, squares = 0;
        for (int64_t n = 0; n < p->batch; n++)
            for (int64_t i = 0; i < p->inner; i++)
                sum += p->x[(n * p->channels + c) * p->inner + i];
        double mean = sum / count;
        for (int64_t n = 0; n < p->batch; n++)
            for (int64_t i = 0; i < p->inner; i++) {
                double distance = p->x[(n * p->channels + c) * p->inner + i] - mean;
                squares += distance * distance;
            }
        p->batch_mean[c] = mean;
        p->batch_var[c] = squares / count;
    }
}

static void normalise(BatchNormProblem *p, const double *mean, const double *var,
                      const BatchNormAttrs *attrs) {
    for (int64_t n = 0; n < p->batch; n++)
        for (int64_t c = 0; c < p->channels; c++) {
            double factor = p->scale[c] / sqrt(var[c] + (double)attrs->epsilon);
            double *x = p->x + (n * p->channels + c) * p->inner;
            for (int64_t i = 0; i < p->inner; i++)
                x[i] = (x[i] - mean[c]) * factor + p->b[c];
        }
}

/* Outputs 1 and 2 in training: the running statistics; after them, before opset 14, those of the batch.  In
 * inference all stay what they were. */
static void store_statistics(EvalContext *ctx, const BatchNormProblem *p) {
    const BatchNormAttrs *attrs = eval_attrs(ctx);
    double keep = (double)attrs->momentum;
    for (int port = 1; port < ctx->n_outputs; port++) {
        const double *old = port % 2 ? p->mean : p->var, *batch = port % 2 ? p->batch_mean : p->batch_var;
        const double kept = port > 2 ? 0 : keep;
        for (int64_t c = 0; ctx->outputs[port] && c < p->channels; c++)
            tensor_set_f64(ctx->outputs[port], c, batch ? kept * old[c] + (1 - kept) * batch[c] : old[c]);
    }
}

static Status load(EvalContext *ctx, BatchNormProblem *p) {
    const BatchNormAttrs *attrs = eval_attrs(ctx);
    double **const operands[] = {&p->x, &p->scale, &p->b, &p->mean, &p->var};
    for (int port = 0; port <= BATCH_NORM_VAR; port++)
        TRY(eval_load_doubles(ctx, port, operands[port]));
    if (!attrs->training)
        return STRIDER_OK;
    TRY(eval_alloc_doubles(ctx, p->channels, &p->batch_mean));
    return eval_alloc_doubles(ctx, p->channels, &p->batch_var);
}

static Status batch_norm_reference(EvalContext *ctx) {
    const BatchNormAttrs *attrs = eval_attrs(ctx);
    const Shape *x = &ctx->inputs[BATCH_NORM_X]->type.shape;
    int last = attrs->per_activation ? x->rank : 2;
    BatchNormProblem p = {.batch = x->dims[0],
                          .channels = x->rank > 1 ? shape_size(x, 1, last) : 1,
                          .inner = x->rank > 1 ? shape_size(x, last, x->rank) : 1};
    TRY(load(ctx, &p));
    if (attrs->training)
        batch_statistics(&p);
    normalise(&p, attrs->training ? p.batch_mean : p.mean, attrs->training ? p.batch_var : p.var, attrs);
    store_statistics(ctx, &p);
    if (ctx->outputs[0])
        eval_store_doubles(ctx, p.x);
    return STRIDER_OK;
}

static Bytes batch_norm_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    const BatchNormAttrs *attrs = node->attrs;
    const Bytes operands = scratch_of_inputs(node, inputs, outputs),
                statistics = scratch_of_tensor(&inputs[BATCH_NORM_MEAN]);
    return attrs->training ? bytes_sum(operands, bytes_sum(statistics, statistics)) : operands;
}

static const char *batch_norm_doubt(const Node *node) {
    const BatchNormAttrs *attrs = node->attrs;
    return attrs->training
               ? "it is in training mode, so that it normalises by the statistics of the batch: export the "
                 "model in evaluation mode"
               : NULL;
}

const Op op_batch_norm = {
    OP_NAMED(BatchNormalization),
    .since = 1,
    .inputs = {5, 5},
    .outputs = {1, 5},
    .attrs_size = sizeof(BatchNormAttrs),
    .parse = batch_norm_parse,
    .infer = batch_norm_infer,
    .reference = batch_norm_reference,
    .scratch = batch_norm_scratch,
    .doubt = batch_norm_doubt,
    .channel_axis = 1,
    .flags = OP_POST_OPS,
};
