/* SPDX-License-Identifier: Apache-2.0 */
/* OneHot (ONNX 9; 11: negative indices count from the end; 28: bfloat16 values): a new dimension of `depth`
 * elements at `axis`, in which the element that an index names is values[1] and all others are values[0]; an
 * index out of range names none. Indices and depth may be floats, which are truncated. */
#include "ops/tensor/one_hot.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"

typedef struct OneHotAttrs {
    int64_t axis; /* among the output's dimensions */
} OneHotAttrs;

static Status one_hot_parse(ParseContext *ctx, void *attrs_) {
    OneHotAttrs *attrs = attrs_;
    return parse_int(ctx, "axis", -1, &attrs->axis);
}

int one_hot_axis(const Node *node, const Shape *indices) {
    const OneHotAttrs *attrs = node->attrs;
    return (int)(attrs->axis < 0 ? attrs->axis + indices->rank + 1 : attrs->axis);
}

bool one_hot_counts_from_end(const Node *node) {
    return node->opset >= 11;
}

static Status check_values(InferContext *ctx) {
    const Shape *shape = &ctx->inputs[2].shape;
    TRY(infer_require_rank(ctx, 2, 1, 1));
    if (shape->rank == 1 && shape->dims[0] >= 0 && shape->dims[0] != 2)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "values has %" PRId64 " elements, must have 2",
                          shape->dims[0]);
    return STRIDER_OK;
}

static Status one_hot_infer(InferContext *ctx) {
    const OneHotAttrs *attrs = infer_attrs(ctx);
    const Shape *indices = &ctx->inputs[0].shape;
    const Tensor *depth = ctx->input_values[1];
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    TRY(infer_require_dtype(ctx, 1, DTYPES_NUMERIC));
    TRY(infer_require_scalar(ctx, 1));
    TRY(check_values(ctx));
    Shape *y = &ctx->outputs[0].shape;
    ctx->outputs[0].dtype = ctx->inputs[2].dtype;
    if (depth)
        TRY(infer_check_dim(ctx, tensor_get_i64(depth, 0), "depth"));
    if (indices->rank < 0)
        return STRIDER_OK;
    TRY(infer_require_rank(ctx, 0, 0, MAX_RANK - 1));
    int axis;
    TRY(infer_axis(ctx, attrs->axis, indices->rank + 1, &axis));
    y->rank = indices->rank + 1;
    for (int i = 0; i < y->rank; i++)
        y->dims[i] = i < axis ? indices->dims[i] : i > axis ? indices->dims[i - 1] : DIM_UNKNOWN;
    if (depth)
        y->dims[axis] = tensor_get_i64(depth, 0);
    return STRIDER_OK;
}

static Status one_hot_reference(EvalContext *ctx) {
    const Tensor *indices = ctx->inputs[0], *values = ctx->inputs[2];
    const int64_t depth = tensor_get_i64(ctx->inputs[1], 0);
    Shape shape = indices->type.shape;
    const int axis = one_hot_axis(ctx->node, &shape);
    const int64_t outer = shape_size(&shape, 0, axis), inner = shape_size(&shape, axis, shape.rank);
    if (depth < 0)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "depth is %" PRId64 ", must not be negative", depth);
    memmove(shape.dims + axis + 1, shape.dims + axis, (size_t)(shape.rank - axis) * sizeof *shape.dims);
    shape.dims[axis] = depth;
    shape.rank++;
    TRY(eval_set_output_shape(ctx, 0, values->type.dtype, &shape));
    const size_t size = dtype_size(values->type.dtype);
    char *y = ctx->outputs[0]->data;
    const char *off = values->data, *on = off + size;
    for (int64_t i = 0; i < tensor_elements(ctx->outputs[0]); i++)
        memcpy(y + (size_t)i * size, off, size);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t index = tensor_get_i64(indices, i);
        index += index < 0 && one_hot_counts_from_end(ctx->node) ? depth : 0;
        if (index >= 0 && index < depth)
            memcpy(y + (size_t)((i / inner * depth + index) * inner + i % inner) * size, on, size);
    }
    return STRIDER_OK;
}

const Op op_one_hot = {
    OP_NAMED(OneHot),
    .since = 9,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(OneHotAttrs),
    .parse = one_hot_parse,
    .infer = one_hot_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = one_hot_reference,
    .flags = OP_STRINGS,
};
