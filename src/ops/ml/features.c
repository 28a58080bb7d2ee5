/* SPDX-License-Identifier: Apache-2.0 */
/* ArrayFeatureExtractor (ai.onnx.ml 1): of the last dimension those places that a list names; the dimensions
 * before are kept.  Binarizer (ai.onnx.ml 1): 1 where x > threshold, else 0. */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

/* --- ArrayFeatureExtractor --- */

static Status extractor_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape, *places = &ctx->inputs[1].shape;
    Shape *y = &ctx->outputs[0].shape;
    TRY(infer_require_dtype(ctx, 1, DTYPE_BIT(STRIDER_I64)));
    TRY(infer_require_rank(ctx, 0, 1, MAX_RANK));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    *y = *x;
    /* as onnxruntime: what has one dimension is one row */
    if (x->rank == 1)
        *y = shape_make(2, (int64_t[]){1, DIM_UNKNOWN});
    if (!shape_count(places, 0, places->rank, &y->dims[y->rank - 1]))
        y->dims[y->rank - 1] = DIM_UNKNOWN;
    return STRIDER_OK;
}

static Status extractor_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    const size_t size = dtype_size(x->type.dtype);
    const int64_t *places = ctx->inputs[1]->data, count = tensor_elements(ctx->inputs[1]);
    const int64_t length = shape->dims[shape->rank - 1], rows = shape_size(shape, 0, shape->rank - 1);
    for (int64_t i = 0; i < count; i++)
        if (places[i] < 0 || places[i] >= length)
            return eval_fail(ctx, STRIDER_BAD_MODEL, "place %" PRId64 " is outside [0, %" PRId64 ")",
                             places[i], length);
    char *y = ctx->outputs[0]->data;
    const char *row = x->data;
    for (int64_t r = 0; r < rows; r++, row += (size_t)length * size)
        for (int64_t i = 0; i < count; i++, y += size)
            memcpy(y, row + (size_t)places[i] * size, size);
    return STRIDER_OK;
}

const Op op_array_feature_extractor = {
    OP_NAMED(ArrayFeatureExtractor),
    .domain = "ai.onnx.ml",
    .since = 1,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .infer = extractor_infer,
    .reference = extractor_reference,
    .flags = OP_STRINGS,
};

/* --- Binarizer --- */

typedef struct BinarizerAttrs {
    float threshold;
} BinarizerAttrs;

static Status binarizer_parse(ParseContext *ctx, void *attrs_) {
    BinarizerAttrs *attrs = attrs_;
    return parse_float(ctx, "threshold", 0, &attrs->threshold);
}

static Status binarizer_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

static Status binarizer_reference(EvalContext *ctx) {
    const BinarizerAttrs *attrs = eval_attrs(ctx);
    for (int64_t i = 0; i < tensor_elements(ctx->inputs[0]); i++)
        tensor_set_i64(ctx->outputs[0], i, tensor_get_f64(ctx->inputs[0], i) > (double)attrs->threshold);
    return STRIDER_OK;
}

const Op op_binarizer = {
    OP_NAMED(Binarizer),      .domain = "ai.onnx.ml",   .since = 1,
    .inputs = {1, 1},         .outputs = {1, 1},        .attrs_size = sizeof(BinarizerAttrs),
    .parse = binarizer_parse, .infer = binarizer_infer, .reference = binarizer_reference,
    .flags = OP_ELEMENTWISE,
};
