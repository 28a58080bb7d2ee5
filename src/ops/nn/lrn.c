/* SPDX-License-Identifier: Apache-2.0 */
/* LRN, local response normalisation across channels.  ONNX 1, 13 (types).
 *   y = x / (bias + alpha/size * sum of x_j^2)^beta, j from c - floor((size-1)/2) to c + ceil((size-1)/2)
 * PyTorch's LocalResponseNorm has its longer side at the other end for an even size. */
#include "ops/nn/lrn.h"

#include <inttypes.h>
#include <math.h>

#include "ops/shared_math.h"

static Status lrn_parse(ParseContext *ctx, void *attrs_) {
    LrnAttrs *attrs = attrs_;
    TRY(parse_require(ctx, "size"));
    TRY(parse_int(ctx, "size", 1, &attrs->size));
    TRY(parse_float(ctx, "alpha", 1e-4f, &attrs->alpha));
    TRY(parse_float(ctx, "beta", 0.75f, &attrs->beta));
    TRY(parse_float(ctx, "bias", 1, &attrs->bias));
    if (attrs->size < 1)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "size is %" PRId64 ", must be at least 1", attrs->size);
    return STRIDER_OK;
}

static Status lrn_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_FLOAT));
    TRY(infer_require_rank(ctx, 0, 2, -1));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

void lrn_window(const LrnAttrs *attrs, int64_t c, int64_t channels, int64_t *first, int64_t *end) {
    *first = lrn_first(attrs->size, c);
    *end = lrn_end(attrs->size, c, channels);
}

static Status lrn_reference(EvalContext *ctx) {
    const LrnAttrs *attrs = eval_attrs(ctx);
    const Shape *shape = &ctx->inputs[0]->type.shape;
    int64_t channels = shape->dims[1], plane = shape_size(shape, 2, shape->rank), index = 0;
    double *x;
    TRY(eval_load_doubles(ctx, 0, &x));
    for (int64_t n = 0; n < shape->dims[0]; n++)
        for (int64_t c = 0; c < channels; c++) {
            int64_t first, end;
            lrn_window(attrs, c, channels, &first, &end);
            for (int64_t i = 0; i < plane; i++, index++) {
                double sum = 0;
                for (int64_t j = first; j < end; j++) {
                    double value = x[(n * channels + j) * plane + i];
                    sum += value * value;
                }
                double base = (double)attrs->bias + (double)attrs->alpha / (double)attrs->size * sum;
                tensor_set_f64(ctx->outputs[0], index, x[index] / pow(base, (double)attrs->beta));
            }
        }
    return STRIDER_OK;
}

const Op op_lrn = {
    OP_NAMED(LRN),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(LrnAttrs),
    .parse = lrn_parse,
    .infer = lrn_infer,
    .reference = lrn_reference,
    .scratch = scratch_of_input,
};
