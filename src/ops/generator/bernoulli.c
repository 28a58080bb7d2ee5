/* SPDX-License-Identifier: Apache-2.0 */
/* Bernoulli (ONNX 15, 22): 1 with the probability that the input states, else 0. */
#include "ops/generator/mersenne_twister.h"

typedef struct BernoulliAttrs {
    DType dtype; /* NONE: the input's */
    uint32_t seed;
} BernoulliAttrs;

static Status bernoulli_parse(ParseContext *ctx, void *attrs_) {
    BernoulliAttrs *attrs = attrs_;
    TRY(parse_seed(ctx, &attrs->seed));
    return parse_dtype(ctx, "dtype", STRIDER_DTYPE_NONE, &attrs->dtype);
}

static Status bernoulli_infer(InferContext *ctx) {
    const BernoulliAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    ctx->outputs[0].tensor =
        type_of(attrs->dtype ? attrs->dtype : ctx->inputs[0].dtype, ctx->inputs[0].shape);
    return STRIDER_OK;
}

/* As NumPy's binomial(): 1 at the top of [0, 1) for the smaller probabilities, at its bottom for the larger.
 */
static bool draw(Twister *twister, double probability) {
    const double drawn = twister_uniform(twister);
    return probability <= 0.5 ? drawn > 1 - probability : drawn <= probability;
}

static Status bernoulli_reference(EvalContext *ctx) {
    const BernoulliAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Twister twister;
    twister_seed(&twister, attrs->seed);
    for (int64_t i = 0; i < tensor_elements(x); i++) {
        const double probability = tensor_get_f64(x, i);
        if (!(probability >= 0 && probability <= 1))
            return eval_fail(ctx, STRIDER_BAD_MODEL, "element %lld is %g, which is no probability",
                             (long long)i, probability);
        tensor_set_i64(ctx->outputs[0], i, draw(&twister, probability));
    }
    return STRIDER_OK;
}

const Op op_bernoulli = {
    OP_NAMED(Bernoulli),
    .since = 15,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(BernoulliAttrs),
    .parse = bernoulli_parse,
    .infer = bernoulli_infer,
    .reference = bernoulli_reference,
    .flags = OP_NO_FOLD,
};
