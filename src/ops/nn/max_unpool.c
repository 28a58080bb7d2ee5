/* SPDX-License-Identifier: Apache-2.0 */
/* MaxUnpool: puts each element of X where MaxPool's Indices say that it came from, among zeros.  ONNX 9,
 * 11, 22. out = (in - 1)*stride + kernel - pad_begin - pad_end Indices are flat over a whole tensor of that
 * shape.  An output_shape input may ask for a larger one, in which the elements keep their coordinates, as in
 * ONNX's own test data. */
#include "ops/nn/max_unpool.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"

static Status max_unpool_parse(ParseContext *ctx, void *attrs) {
    TRY(parse_require(ctx, "kernel_shape"));
    return window_parse(ctx, attrs);
}

Shape unpool_pooled_from(const WindowAttrs *attrs, const Shape *x) {
    Shape from = *x;
    for (int i = 0; i < x->rank - 2; i++)
        from.dims[2 + i] = x->dims[2 + i] < 0 ? DIM_UNKNOWN
                                              : (x->dims[2 + i] - 1) * attrs->strides[i] + attrs->kernel[i] -
                                                    attrs->pads[i] - attrs->pads[x->rank - 2 + i];
    return from;
}

static Status check_shape(InferContext *ctx, const Shape *from, const Shape *y) {
    for (int i = 0; i < from->rank; i++) {
        TRY(infer_check_dim(ctx, y->dims[i], "a value of output_shape"));
        if (from->dims[i] >= 0 && (y->dims[i] < from->dims[i] || (i < 2 && y->dims[i] != from->dims[i])))
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "output_shape[%d] is %" PRId64 ", the pooled tensor has %" PRId64, i,
                              y->dims[i], from->dims[i]);
    }
    return STRIDER_OK;
}

static Status max_unpool_infer(InferContext *ctx) {
    const WindowAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[UNPOOL_X].shape, *indices = &ctx->inputs[UNPOOL_INDICES].shape;
    TRY(infer_require_dtype(ctx, UNPOOL_X, DTYPES_FLOAT));
    TRY(infer_require_dtype(ctx, UNPOOL_INDICES, DTYPE_BIT(STRIDER_I64)));
    TRY(infer_require_rank(ctx, UNPOOL_X, 3, 2 + MAX_SPATIAL));
    ctx->outputs[0].dtype = ctx->inputs[UNPOOL_X].dtype;
    if (shape_is_known(x) && shape_is_known(indices) && !shape_equal(x, indices))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "X and the indices have different shapes");
    int64_t dims[MAX_RANK];
    int count;
    TRY(infer_ints(ctx, UNPOOL_SHAPE, dims, MAX_RANK, &count));
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(window_check(ctx, attrs, x->rank - 2));
    for (int i = 2; i < x->rank; i++)
        if (x->dims[i] > WINDOW_LARGEST)
            return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "dimension %d of %" PRId64 " is too large", i,
                              x->dims[i]);
    Shape from = unpool_pooled_from(attrs, x), *y = &ctx->outputs[0].shape;
    for (int i = 2; i < x->rank; i++)
        if (x->dims[i] > 0 && from.dims[i] < 1)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the pads leave an output of %" PRId64, from.dims[i]);
        else if (x->dims[i] == 0)
            from.dims[i] = i64_max(from.dims[i], 0);
    *y = from;
    if (!infer_has_input(ctx, UNPOOL_SHAPE))
        return STRIDER_OK;
    for (int i = 0; i < x->rank; i++)
        y->dims[i] = DIM_UNKNOWN;
    if (count < 0)
        return STRIDER_OK;
    if (count != x->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "output_shape has %d values for rank %d", count, x->rank);
    *y = shape_make(count, dims);
    return check_shape(ctx, &from, y);
}

int64_t unpool_move_index(const Shape *from, const Shape *to, int64_t index) {
    int64_t moved = 0, stride = 1;
    for (int i = from->rank - 1; i >= 0; i--) {
        moved += index % from->dims[i] * stride;
        index /= from->dims[i];
        stride *= to->dims[i];
    }
    return moved;
}

static Status output_shape(EvalContext *ctx, const Shape *from, Shape *y) {
    *y = *from;
    if (!eval_input(ctx, UNPOOL_SHAPE))
        return STRIDER_OK;
    int count;
    TRY(eval_ints(ctx, UNPOOL_SHAPE, y->dims, MAX_RANK, &count));
    bool fits = count == from->rank;
    for (int i = 0; i < from->rank && fits; i++)
        fits = i < 2 ? y->dims[i] == from->dims[i] : y->dims[i] >= from->dims[i];
    return fits ? STRIDER_OK
                : eval_fail(ctx, STRIDER_BAD_MODEL, "output_shape does not fit the pooled tensor");
}

static Status max_unpool_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[UNPOOL_X], *indices = ctx->inputs[UNPOOL_INDICES];
    if (!shape_equal(&x->type.shape, &indices->type.shape))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "X and the indices have different shapes");
    Shape from = unpool_pooled_from(eval_attrs(ctx), &x->type.shape), shape;
    TRY(output_shape(ctx, &from, &shape));
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &shape));
    Tensor *y = ctx->outputs[0];
    memset(y->data, 0, y->size_bytes);
    int64_t count = tensor_elements(x), range;
    if (count == 0)
        return STRIDER_OK;
    if (!shape_count(&from, 0, from.rank, &range))
        return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the pooled tensor is too large");
    for (int64_t i = 0; i < count; i++) {
        int64_t index = tensor_get_i64(indices, i);
        if (index < 0 || index >= range)
            return eval_fail(ctx, STRIDER_BAD_MODEL, "index %" PRId64 " is outside [0, %" PRId64 ")", index,
                             range);
        tensor_set_f64(y, unpool_move_index(&from, &shape, index), tensor_get_f64(x, i));
    }
    return STRIDER_OK;
}

const Op op_max_unpool = {
    OP_NAMED(MaxUnpool),
    .since = 9,
    .inputs = {2, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(WindowAttrs),
    .parse = max_unpool_parse,
    .infer = max_unpool_infer,
    .reads = 1u << UNPOOL_SHAPE,
    .shaped_by = 1u << UNPOOL_SHAPE,
    .reference = max_unpool_reference,
};
