/* SPDX-License-Identifier: Apache-2.0 */
/* Shape (ONNX 1, 13; 15: start and end) and Size (1, 13). */
#include "base/size.h"
#include "ops/op.h"

typedef struct ShapeAttrs {
    int64_t start, end;
} ShapeAttrs;

static Status shape_parse(ParseContext *ctx, void *attrs_) {
    ShapeAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "start", 0, &attrs->start));
    return parse_int(ctx, "end", INT64_MAX, &attrs->end);
}

/* The slice [*from, *to) of `rank` dimensions; out of range is clamped. */
static void resolve(const ShapeAttrs *attrs, int rank, int *from, int *to) {
    int64_t start = attrs->start < 0 ? attrs->start + rank : attrs->start;
    int64_t end = attrs->end < 0 ? attrs->end + rank : attrs->end;
    *from = (int)i64_min(i64_max(start, 0), rank);
    *to = (int)i64_max(i64_min(i64_max(end, 0), rank), *from);
}

static Status shape_infer(InferContext *ctx) {
    int from, to, rank = ctx->inputs[0].shape.rank;
    ctx->outputs[0].tensor = type_of(STRIDER_I64, (Shape){.rank = 1, .dims = {DIM_UNKNOWN}});
    if (rank < 0)
        return STRIDER_OK;
    resolve(infer_attrs(ctx), rank, &from, &to);
    ctx->outputs[0].shape.dims[0] = to - from;
    return STRIDER_OK;
}

static Status shape_reference(EvalContext *ctx) {
    int from, to;
    const Shape *shape = &ctx->inputs[0]->type.shape;
    resolve(eval_attrs(ctx), shape->rank, &from, &to);
    for (int i = from; i < to; i++)
        tensor_set_i64(ctx->outputs[0], i - from, shape->dims[i]);
    return STRIDER_OK;
}

static Status size_infer(InferContext *ctx) {
    ctx->outputs[0].tensor = type_of(STRIDER_I64, shape_scalar());
    return STRIDER_OK;
}

static Status size_reference(EvalContext *ctx) {
    tensor_set_i64(ctx->outputs[0], 0, tensor_elements(ctx->inputs[0]));
    return STRIDER_OK;
}

const Op op_shape = {
    OP_NAMED(Shape),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(ShapeAttrs),
    .parse = shape_parse,
    .infer = shape_infer,
    .reference = shape_reference,
    .flags = OP_SHAPE_ONLY | OP_STRINGS,
};

const Op op_size = {
    OP_NAMED(Size),
    .since = 1,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .infer = size_infer,
    .reference = size_reference,
    .flags = OP_SHAPE_ONLY | OP_STRINGS,
};
