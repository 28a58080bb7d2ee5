/* SPDX-License-Identifier: Apache-2.0 */
/* Gather (ONNX 1, 11, 13), GatherElements (11, 13), GatherND (11; 12: batch_dims; 13).  Negative indices
 * count from the end; one that is out of range is an error, never a read. */
#include "ops/tensor/gather.h"

#include <inttypes.h>
#include <string.h>

#include "ops/tensor/concat.h"
#include "ops/tensor/indexed.h"

static Status axis_parse(ParseContext *ctx, void *attrs_) {
    AxisAttrs *attrs = attrs_;
    return parse_int(ctx, "axis", 0, &attrs->axis);
}

/* The parts, one after the other. */
static Status gather(EvalContext *ctx, const IndexedParts *parts) {
    const Tensor *x = ctx->inputs[0];
    const size_t size = dtype_size(x->type.dtype), part = (size_t)parts->part * size;
    const int64_t count = indexed_count(parts);
    IndexedWalk walk = indexed_walk(parts, ctx->inputs[1]);
    char *to = ctx->outputs[0]->data;
    for (int64_t i = 0; i < count; i++, to += part) {
        int64_t at;
        if (!indexed_next(&walk, &at))
            return indexed_fail(ctx, &walk);
        if (part)
            memcpy(to, (const char *)x->data + (size_t)at * size, part);
    }
    return STRIDER_OK;
}

static Status gather_infer(InferContext *ctx) {
    const AxisAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape, *indices = &ctx->inputs[1].shape;
    int axis;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_rank(ctx, 0, 1, -1));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    if (indices->rank < 0)
        return STRIDER_OK;
    if (x->rank - 1 + indices->rank > MAX_RANK)
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "the result has more than %d dimensions", MAX_RANK);
    Shape *y = &ctx->outputs[0].shape;
    y->rank = 0;
    for (int i = 0; i < axis; i++)
        y->dims[y->rank++] = x->dims[i];
    for (int i = 0; i < indices->rank; i++)
        y->dims[y->rank++] = indices->dims[i];
    for (int i = axis + 1; i < x->rank; i++)
        y->dims[y->rank++] = x->dims[i];
    return STRIDER_OK;
}

static Status gather_reference(EvalContext *ctx) {
    const AxisAttrs *attrs = eval_attrs(ctx);
    const IndexedParts parts =
        indexed_along_axis(attrs->axis, &ctx->inputs[0]->type.shape, &ctx->inputs[1]->type.shape);
    return gather(ctx, &parts);
}

const Op op_gather = {
    OP_NAMED(Gather),
    .since = 1,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(AxisAttrs),
    .parse = axis_parse,
    .infer = gather_infer,
    .reference = gather_reference,
    .flags = OP_STRINGS,
};

/* --- GatherElements --- */

static Status gather_elements_infer(InferContext *ctx) {
    const AxisAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape, *indices = &ctx->inputs[1].shape;
    int axis = 0;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_rank(ctx, 0, 1, -1));
    ctx->outputs[0].tensor = type_of(ctx->inputs[0].dtype, *indices);
    if (x->rank < 0 || indices->rank < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    if (x->rank != indices->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "data has rank %d, indices %d", x->rank, indices->rank);
    for (int i = 0; i < x->rank; i++)
        if (i != axis && x->dims[i] >= 0 && indices->dims[i] > x->dims[i])
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the indices are larger than the data in dimension %d",
                              i);
    return STRIDER_OK;
}

static Status gather_elements_reference(EvalContext *ctx) {
    const AxisAttrs *attrs = eval_attrs(ctx);
    const IndexedParts parts =
        indexed_elements(attrs->axis, &ctx->inputs[0]->type.shape, &ctx->inputs[1]->type.shape);
    return gather(ctx, &parts);
}

const Op op_gather_elements = {
    OP_NAMED(GatherElements),
    .since = 11,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(AxisAttrs),
    .parse = axis_parse,
    .infer = gather_elements_infer,
    .reference = gather_elements_reference,
    .flags = OP_STRINGS,
};

/* --- GatherND --- */

static Status gather_nd_parse(ParseContext *ctx, void *attrs_) {
    GatherNdAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "batch_dims", 0, &attrs->batch_dims));
    if (attrs->batch_dims < 0 || attrs->batch_dims >= MAX_RANK)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "batch_dims is %" PRId64, attrs->batch_dims);
    return STRIDER_OK;
}

static Status gather_nd_infer(InferContext *ctx) {
    const GatherNdAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape, *indices = &ctx->inputs[1].shape;
    int batch = (int)attrs->batch_dims;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_rank(ctx, 1, 1, -1));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0 || indices->rank < 0 || indices->dims[indices->rank - 1] < 0)
        return STRIDER_OK;
    int64_t depth = indices->dims[indices->rank - 1];
    if (batch >= indices->rank || depth < 1 || depth > x->rank - batch)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "tuples of %" PRId64 " indices do not fit data of rank %d",
                          depth, x->rank);
    for (int i = 0; i < batch; i++)
        if (x->dims[i] >= 0 && indices->dims[i] >= 0 && x->dims[i] != indices->dims[i])
            return infer_fail(ctx, STRIDER_BAD_MODEL, "batch dimension %d differs", i);
    if (indices->rank - 1 + x->rank - batch - (int)depth > MAX_RANK)
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "the result has more than %d dimensions", MAX_RANK);
    Shape *y = &ctx->outputs[0].shape;
    y->rank = 0;
    for (int i = 0; i < indices->rank - 1; i++)
        y->dims[y->rank++] = indices->dims[i];
    for (int i = batch + (int)depth; i < x->rank; i++)
        y->dims[y->rank++] = x->dims[i];
    return STRIDER_OK;
}

static Status gather_nd_reference(EvalContext *ctx) {
    const GatherNdAttrs *attrs = eval_attrs(ctx);
    const IndexedParts parts =
        indexed_by_tuples(attrs->batch_dims, &ctx->inputs[0]->type.shape, &ctx->inputs[1]->type.shape);
    return gather(ctx, &parts);
}

const Op op_gather_nd = {
    OP_NAMED(GatherND),
    .since = 11,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(GatherNdAttrs),
    .parse = gather_nd_parse,
    .infer = gather_nd_infer,
    .reference = gather_nd_reference,
    .flags = OP_STRINGS,
};
