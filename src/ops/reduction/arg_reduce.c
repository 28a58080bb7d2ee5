/* SPDX-License-Identifier: Apache-2.0 */
/* ArgMax and ArgMin.  ONNX 1, 11 (negative axis), 12 (select_last_index), 13.  The first of equals, unless
 * select_last_index; NaN is larger and smaller than everything, as in torch. */
#include "ops/reduction/arg_reduce.h"

#include <math.h>
#include <string.h>

static Status arg_reduce_parse(ParseContext *ctx, void *attrs_) {
    ArgReduceAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", 0, &attrs->axis));
    TRY(parse_bool(ctx, "keepdims", true, &attrs->keepdims));
    return parse_bool(ctx, "select_last_index", false, &attrs->select_last_index);
}

static Status arg_reduce_infer(InferContext *ctx) {
    const ArgReduceAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int axis;
    TRY(infer_require_dtype(ctx, 0, DTYPES_NUMERIC));
    ctx->outputs[0].dtype = STRIDER_I64;
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    if (x->dims[axis] == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "axis %d is empty", axis);
    Shape *y = &ctx->outputs[0].shape;
    y->rank = 0;
    for (int i = 0; i < x->rank; i++)
        if (i != axis || attrs->keepdims)
            y->dims[y->rank++] = i == axis ? 1 : x->dims[i];
    return STRIDER_OK;
}

/* Integers of 64 bits do not fit a double. */
static int compare(const Tensor *x, int64_t a, int64_t b) {
    if (!dtype_is_float(x->type.dtype)) {
        if (x->type.dtype == STRIDER_U64) {
            uint64_t first = ((const uint64_t *)x->data)[a], second = ((const uint64_t *)x->data)[b];
            return (first > second) - (first < second);
        }
        int64_t first = tensor_get_i64(x, a), second = tensor_get_i64(x, b);
        return (first > second) - (first < second);
    }
    double first = tensor_get_f64(x, a), second = tensor_get_f64(x, b);
    return (first > second) - (first < second);
}

static Status arg_reduce_reference(EvalContext *ctx) {
    const ArgReduceAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    const Shape *shape = &x->type.shape;
    int axis = (int)(attrs->axis < 0 ? attrs->axis + shape->rank : attrs->axis);
    int sign = ctx->node->op->kind == OP_ArgMax ? 1 : -1;
    int64_t outer = shape_size(shape, 0, axis), inner = shape_size(shape, axis + 1, shape->rank),
            n = shape->dims[axis];
    for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) {
            int64_t first = o * n * inner + i, best = 0;
            for (int64_t k = 1; k < n; k++) {
                int order = sign * compare(x, first + k * inner, first + best * inner);
                bool best_is_nan = isnan(tensor_get_f64(x, first + best * inner));
                bool is_nan = isnan(tensor_get_f64(x, first + k * inner));
                if (is_nan ? !best_is_nan || attrs->select_last_index
                           : !best_is_nan && (order > 0 || (order == 0 && attrs->select_last_index)))
                    best = k;
            }
            tensor_set_i64(ctx->outputs[0], o * inner + i, best);
        }
    return STRIDER_OK;
}

#define ARG_REDUCE(ROW, NAME)                                                                                \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 1,                                                                                          \
        .inputs = {1, 1},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(ArgReduceAttrs),                                                                \
        .parse = arg_reduce_parse,                                                                           \
        .infer = arg_reduce_infer,                                                                           \
        .reference = arg_reduce_reference,                                                                   \
    };

ARG_REDUCE(op_arg_max, ArgMax)
ARG_REDUCE(op_arg_min, ArgMin)
