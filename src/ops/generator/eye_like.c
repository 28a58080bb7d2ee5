/* SPDX-License-Identifier: Apache-2.0 */
/* EyeLike (ONNX 9, 22): a matrix of its input's shape with ones at [i, i + k], zeros elsewhere. */
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

typedef struct EyeLikeAttrs {
    DType dtype; /* NONE: the input's */
    int64_t k;
} EyeLikeAttrs;

static Status eye_like_parse(ParseContext *ctx, void *attrs_) {
    EyeLikeAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "k", 0, &attrs->k));
    return parse_dtype(ctx, "dtype", STRIDER_DTYPE_NONE, &attrs->dtype);
}

static Status eye_like_infer(InferContext *ctx) {
    const EyeLikeAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_rank(ctx, 0, 2, 2));
    if (!attrs->dtype)
        TRY(infer_require_dtype(ctx, 0, DTYPES_ALL));
    ctx->outputs[0].tensor =
        type_of(attrs->dtype ? attrs->dtype : ctx->inputs[0].dtype, ctx->inputs[0].shape);
    return STRIDER_OK;
}

static Status eye_like_reference(EvalContext *ctx) {
    const EyeLikeAttrs *attrs = eval_attrs(ctx);
    Tensor *y = ctx->outputs[0];
    const int64_t rows = y->type.shape.dims[0], columns = y->type.shape.dims[1];
    memset(y->data, 0, y->size_bytes);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t column = i64_sum(row, attrs->k);
        if (column >= 0 && column < columns)
            tensor_set_i64(y, row * columns + column, 1);
    }
    return STRIDER_OK;
}

const Op op_eye_like = {
    OP_NAMED(EyeLike),
    .since = 9,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(EyeLikeAttrs),
    .parse = eye_like_parse,
    .infer = eye_like_infer,
    .reference = eye_like_reference,
    .flags = OP_SHAPE_ONLY,
};
