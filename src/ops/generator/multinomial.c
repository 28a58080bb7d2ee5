/* SPDX-License-Identifier: Apache-2.0 */
/* Multinomial (ONNX 7, 22): from each row of [batch, classes] unnormalised log-probabilities `sample_size`
 * classes, drawn one by one with probabilities softmax(row). */
#include <inttypes.h>
#include <math.h>

#include "ops/generator/mersenne_twister.h"

typedef struct MultinomialAttrs {
    DType dtype;
    int64_t samples;
    uint32_t seed;
} MultinomialAttrs;

static Status multinomial_parse(ParseContext *ctx, void *attrs_) {
    MultinomialAttrs *attrs = attrs_;
    TRY(parse_seed(ctx, &attrs->seed));
    TRY(parse_int(ctx, "sample_size", 1, &attrs->samples));
    if (attrs->samples < 0)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "sample_size is %" PRId64, attrs->samples);
    TRY(parse_dtype(ctx, "dtype", STRIDER_I32, &attrs->dtype));
    return DTYPES_INDEX & DTYPE_BIT(attrs->dtype)
               ? STRIDER_OK
               : parse_fail(ctx, STRIDER_BAD_MODEL, "dtype is %s, must be int32 or int64",
                            dtype_name(attrs->dtype));
}

static Status multinomial_infer(InferContext *ctx) {
    const MultinomialAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, 0, 2, 2));
    if (x->rank == 2 && x->dims[1] == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "there are no classes to draw from");
    const Shape y = {.rank = 2, .dims = {x->rank == 2 ? x->dims[0] : DIM_UNKNOWN, attrs->samples}};
    ctx->outputs[0].tensor = type_of(attrs->dtype, y);
    return STRIDER_OK;
}

/* Sums of e^(x - max) up to each class; the last is above 0 unless the row has no number. */
static bool cumulate(const Tensor *x, int64_t row, int64_t classes, double *sums) {
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        max = fmax(max, tensor_get_f64(x, row * classes + c));
    for (int64_t c = 0; c < classes; c++)
        sums[c] = sum += exp(tensor_get_f64(x, row * classes + c) - max);
    return isfinite(sum);
}

/* The first class whose sum is above `drawn`. */
static int64_t find_class(const double *sums, int64_t classes, double drawn) {
    int64_t low = 0, high = classes - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (sums[middle] > drawn)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static Status multinomial_reference(EvalContext *ctx) {
    const MultinomialAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const int64_t rows = x->type.shape.dims[0], classes = x->type.shape.dims[1];
    double *sums;
    TRY(eval_alloc_doubles(ctx, classes, &sums));
    Twister twister;
    twister_seed(&twister, attrs->seed);
    for (int64_t row = 0; row < rows; row++) {
        if (!cumulate(x, row, classes, sums))
            return eval_fail(ctx, STRIDER_BAD_MODEL, "row %" PRId64 " has no probabilities: infinity or NaN",
                             row);
        for (int64_t i = 0; i < attrs->samples; i++)
            tensor_set_i64(ctx->outputs[0], row * attrs->samples + i,
                           find_class(sums, classes, twister_uniform(&twister) * sums[classes - 1]));
    }
    return STRIDER_OK;
}

static Bytes multinomial_scratch(const Node *node, const Type *inputs, const Type *outputs) {
    (void)node, (void)outputs;
    return scratch_of(sizeof(double), inputs[0].shape.dims[1]);
}

const Op op_multinomial = {
    OP_NAMED(Multinomial),
    .since = 7,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(MultinomialAttrs),
    .parse = multinomial_parse,
    .infer = multinomial_infer,
    .reference = multinomial_reference,
    .scratch = multinomial_scratch,
    .flags = OP_NO_FOLD,
};
