/* SPDX-License-Identifier: Apache-2.0 */
/* Trilu (ONNX 14): of each matrix the elements on and above its diagonal k (`upper`), else those on and below
 * it; zero elsewhere.  Diagonal k has the elements [i, i + k]. */
#include "ops/tensor/trilu.h"

#include <string.h>

#include "base/size.h"

static Status trilu_parse(ParseContext *ctx, void *attrs_) {
    TriluAttrs *attrs = attrs_;
    return parse_bool(ctx, "upper", true, &attrs->upper);
}

static Status trilu_infer(InferContext *ctx) {
    TRY(infer_require_rank(ctx, 0, 2, -1));
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_scalar(ctx, 1));
    ctx->outputs[0] = ctx->inputs[0];
    return STRIDER_OK;
}

static Status trilu_reference(EvalContext *ctx) {
    const TriluAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0], *stated = eval_input(ctx, 1);
    const Shape *shape = &x->type.shape;
    const int64_t k = stated ? tensor_get_i64(stated, 0) : 0, height = shape->dims[shape->rank - 2],
                  width = shape->dims[shape->rank - 1], rows = shape_size(shape, 0, shape->rank - 1);
    const size_t size = dtype_size(x->type.dtype), row_bytes = bytes_of(size, width).n;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t diagonal = i64_sum(r % height, k);
        const int64_t from = attrs->upper ? i64_min(i64_max(diagonal, 0), width) : 0;
        const int64_t to = attrs->upper ? width : i64_min(i64_max(i64_sum(diagonal, 1), 0), width);
        char *row = (char *)ctx->outputs[0]->data + (size_t)r * row_bytes;
        const char *source = (const char *)x->data + (size_t)r * row_bytes;
        memset(row, 0, row_bytes);
        memcpy(row + (size_t)from * size, source + (size_t)from * size, (size_t)(to - from) * size);
    }
    return STRIDER_OK;
}

const Op op_trilu = {
    OP_NAMED(Trilu),
    .since = 14,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(TriluAttrs),
    .parse = trilu_parse,
    .infer = trilu_infer,
    .reference = trilu_reference,
    .flags = OP_STRINGS,
};
