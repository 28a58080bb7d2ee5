/* SPDX-License-Identifier: Apache-2.0 */
/* NegativeLogLikelihoodLoss (ONNX 12, 13, 22) and SoftmaxCrossEntropyLoss (12, 13), which is the same of
 * log(softmax(scores)). The loss at a place with the label c is -weight[c] input[c], and 0 where the label is
 * `ignore_index`.  Reduction `mean` divides by the sum of the weights (1 where there are none) of the labels
 * that are not ignored. */
#include <inttypes.h>
#include <math.h>

#include "base/size.h"
#include "ops/op.h"

typedef enum Reduction { REDUCTION_NONE, REDUCTION_SUM, REDUCTION_MEAN } Reduction;

typedef struct LossAttrs {
    int reduction;
    bool ignores;
    int64_t ignore_index;
} LossAttrs;

static Status loss_parse(ParseContext *ctx, void *attrs_) {
    static const char *const reductions[] = {"none", "sum", "mean", NULL};
    LossAttrs *attrs = attrs_;
    attrs->ignores = parse_has(ctx, "ignore_index");
    TRY(parse_int(ctx, "ignore_index", 0, &attrs->ignore_index));
    return parse_enum(ctx, "reduction", reductions, REDUCTION_MEAN, &attrs->reduction);
}

static Status check_dim(InferContext *ctx, int64_t a, int64_t b, const char *what) {
    if (a >= 0 && b >= 0 && a != b)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " and %" PRId64 " %s", a, b, what);
    return STRIDER_OK;
}

/* The shape of the losses, from scores [N, C, ...] and labels [N, ...]. */
static Status losses_shape(InferContext *ctx, Shape *losses) {
    const Shape *x = &ctx->inputs[0].shape, *labels = &ctx->inputs[1].shape;
    *losses = *labels;
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(infer_require_rank(ctx, 1, x->rank - 1, x->rank - 1));
    losses->rank = x->rank - 1;
    for (int i = 0; i < losses->rank; i++) {
        const int64_t dim = x->dims[i ? i + 1 : 0],
                      label_dim = labels->rank < 0 ? DIM_UNKNOWN : labels->dims[i];
        TRY(check_dim(ctx, dim, label_dim, "places of scores and labels"));
        losses->dims[i] = dim >= 0 || label_dim < 0 ? dim : label_dim;
    }
    return STRIDER_OK;
}

static Status loss_infer(InferContext *ctx) {
    const LossAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_same_dtype(ctx, 0, 2));
    TRY(infer_require_rank(ctx, 0, 2, -1));
    TRY(infer_require_rank(ctx, 2, 1, 1));
    const Shape *x = &ctx->inputs[0].shape;
    if (infer_has_input(ctx, 2) && x->rank >= 0 && ctx->inputs[2].shape.rank == 1)
        TRY(check_dim(ctx, x->dims[1], ctx->inputs[2].shape.dims[0], "classes of scores and weights"));
    Shape losses;
    TRY(losses_shape(ctx, &losses));
    ctx->outputs[0].tensor =
        type_of(ctx->inputs[0].dtype, attrs->reduction == REDUCTION_NONE ? losses : shape_scalar());
    if (ctx->n_outputs > 1)
        ctx->outputs[1] = ctx->inputs[0];
    return STRIDER_OK;
}

/* Of `count` scores that lie `stride` apart. */
static void log_softmax(double *x, int64_t count, int64_t stride) {
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < count; i++)
        max = fmax(max, x[i * stride]);
    for (int64_t i = 0; i < count; i++)
        sum += exp(x[i * stride] - max);
    for (int64_t i = 0; i < count; i++)
        x[i * stride] = x[i * stride] - max - log(sum);
}

static Status sum_losses(EvalContext *ctx, const double *x, int64_t classes, int64_t inner, Tensor *loss) {
    const LossAttrs *attrs = eval_attrs(ctx);
    const Tensor *labels = ctx->inputs[1], *weights = eval_input(ctx, 2);
    double sum = 0, divisor = 0;
    for (int64_t i = 0; i < tensor_elements(labels); i++) {
        const int64_t label = tensor_get_i64(labels, i);
        double value = 0;
        if (!attrs->ignores || label != attrs->ignore_index) {
            if (label < 0 || label >= classes)
                return eval_fail(ctx, STRIDER_BAD_MODEL, "label %" PRId64 " is none of %" PRId64 " classes",
                                 label, classes);
            const double weight = weights ? tensor_get_f64(weights, label) : 1;
            value = -weight * x[(i / inner * classes + label) * inner + i % inner];
            sum += value;
            divisor += weight;
        }
        if (attrs->reduction == REDUCTION_NONE && loss)
            tensor_set_f64(loss, i, value);
    }
    if (attrs->reduction != REDUCTION_NONE && loss)
        tensor_set_f64(loss, 0, attrs->reduction == REDUCTION_MEAN ? sum / divisor : sum);
    return STRIDER_OK;
}

static Status loss_reference(EvalContext *ctx) {
    const Shape *shape = &ctx->inputs[0]->type.shape;
    const int64_t classes = shape->dims[1], inner = shape_size(shape, 2, shape->rank);
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    if (ctx->node->op->kind == OP_SoftmaxCrossEntropyLoss)
        for (int64_t n = 0; n < shape->dims[0]; n++)
            for (int64_t i = 0; i < inner; i++)
                log_softmax(x + n * classes * inner + i, classes, inner);
    if (eval_output(ctx, 1))
        tensor_store_doubles(ctx->outputs[1], x);
    return sum_losses(ctx, x, classes, inner, eval_output(ctx, 0));
}

#define LOSS(ROW, NAME, OUTPUTS)                                                                             \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 12,                                                                                         \
        .inputs = {2, 3},                                                                                    \
        .outputs = {1, OUTPUTS},                                                                             \
        .attrs_size = sizeof(LossAttrs),                                                                     \
        .parse = loss_parse,                                                                                 \
        .infer = loss_infer,                                                                                 \
        .reference = loss_reference,                                                                         \
        .scratch = scratch_of_input,                                                                         \
    };

LOSS(op_negative_log_likelihood_loss, NegativeLogLikelihoodLoss, 1)
LOSS(op_softmax_cross_entropy_loss, SoftmaxCrossEntropyLoss, 2)
