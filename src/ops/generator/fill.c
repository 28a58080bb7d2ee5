/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from a shape or bounds alone: ConstantOfShape (ONNX 9), Range (11). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/wrap.h"
#include "ops/tensor/repeat.h"

/* --- ConstantOfShape --- */

typedef struct ConstantOfShapeAttrs {
    const Tensor *value; /* of one element; NULL: a float 0 */
} ConstantOfShapeAttrs;

static Status constant_of_shape_parse(ParseContext *ctx, void *attrs_) {
    ConstantOfShapeAttrs *attrs = attrs_;
    const Attr *attr = attrs_find(ctx->attrs, "value");
    if (attr && (attr->kind != ATTR_TENSOR || tensor_elements(attr->tensor) != 1))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "value must be a tensor of one element");
    attrs->value = attr ? attr->tensor : NULL;
    return STRIDER_OK;
}

static Status constant_of_shape_infer(InferContext *ctx) {
    const ConstantOfShapeAttrs *attrs = infer_attrs(ctx);
    ctx->outputs[0].dtype = attrs->value ? attrs->value->type.dtype : STRIDER_F32;
    return infer_listed_shape(ctx, 0, &ctx->outputs[0].shape);
}

static Status constant_of_shape_reference(EvalContext *ctx) {
    const ConstantOfShapeAttrs *attrs = eval_attrs(ctx);
    DType dtype = attrs->value ? attrs->value->type.dtype : STRIDER_F32;
    Tensor *y = ctx->outputs[0];
    if (!y->data) {
        Shape shape = shape_scalar();
        TRY(eval_ints(ctx, 0, shape.dims, MAX_RANK, &shape.rank));
        for (int i = 0; i < shape.rank; i++)
            if (shape.dims[i] < 0)
                return eval_fail(ctx, STRIDER_BAD_MODEL, "dimension %d is %" PRId64, i, shape.dims[i]);
        TRY(eval_set_output_shape(ctx, 0, dtype, &shape));
    }
    const int64_t count = tensor_elements(y);
    DISPATCH_BY_SIZE(dtype_size(dtype), T, {
        T value = {0};
        if (attrs->value)
            memcpy(&value, attrs->value->data, sizeof value);
        for (int64_t i = 0; i < count; i++)
            ((T *)y->data)[i] = value;
    })
    return STRIDER_OK;
}

const Op op_constant_of_shape = {
    OP_NAMED(ConstantOfShape),
    .since = 9,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConstantOfShapeAttrs),
    .parse = constant_of_shape_parse,
    .infer = constant_of_shape_infer,
    .reads = 1u << 0,
    .shaped_by = 1u << 0,
    .reference = constant_of_shape_reference,
};

/* --- Range --- */

/* max(ceil((limit - start) / delta), 0); -1 where delta is 0 or the number is out of all bounds. */
static int64_t range_count(const Tensor *start, const Tensor *limit, const Tensor *delta) {
    if (dtype_is_float(start->type.dtype)) {
        double step = tensor_get_f64(delta, 0);
        double count = ceil((tensor_get_f64(limit, 0) - tensor_get_f64(start, 0)) / step);
        if (step == 0 || isnan(count) || count > 0x1p40)
            return -1;
        return count < 0 ? 0 : i64_from_double(count);
    }
    int64_t from = tensor_get_i64(start, 0), to = tensor_get_i64(limit, 0), step = tensor_get_i64(delta, 0);
    if (step == 0)
        return -1;
    if (step > 0 ? to <= from : to >= from)
        return 0;
    uint64_t distance =
        step > 0 ? wrap_sub((uint64_t)to, (uint64_t)from) : wrap_sub((uint64_t)from, (uint64_t)to);
    uint64_t stride = wrap_magnitude(step), count = distance / stride + (distance % stride != 0);
    return count > (uint64_t)1 << 40 ? -1 : (int64_t)count;
}

static Status range_infer(InferContext *ctx) {
    ctx->outputs[0].tensor = type_of(ctx->inputs[0].dtype, (Shape){.rank = 1, .dims = {DIM_UNKNOWN}});
    for (int i = 0; i < 3; i++) {
        TRY(infer_require_dtype(ctx, i, DTYPES_NUMERIC));
        TRY(infer_require_same_dtype(ctx, 0, i));
        TRY(infer_require_scalar(ctx, i));
    }
    if (ctx->input_values[0] && ctx->input_values[1] && ctx->input_values[2]) {
        int64_t count = range_count(ctx->input_values[0], ctx->input_values[1], ctx->input_values[2]);
        if (count < 0)
            return infer_fail(ctx, STRIDER_BAD_MODEL, "delta is 0, or the range has no reasonable length");
        ctx->outputs[0].shape.dims[0] = count;
    }
    return STRIDER_OK;
}

static Status range_reference(EvalContext *ctx) {
    const Tensor *start = ctx->inputs[0], *delta = ctx->inputs[2];
    int64_t count = range_count(start, ctx->inputs[1], delta);
    if (count < 0)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "delta is 0, or the range has no reasonable length");
    Shape shape = {.rank = 1, .dims = {count}};
    TRY(eval_set_output_shape(ctx, 0, start->type.dtype, &shape));
    Tensor *y = ctx->outputs[0];
    for (int64_t i = 0; i < count; i++) {
        if (dtype_is_float(start->type.dtype))
            tensor_set_f64(y, i, tensor_get_f64(start, 0) + (double)i * tensor_get_f64(delta, 0));
        else
            tensor_set_bits(
                y, i, wrap_add(tensor_get_bits(start, 0), wrap_mul((uint64_t)i, tensor_get_bits(delta, 0))));
    }
    return STRIDER_OK;
}

const Op op_range = {
    OP_NAMED(Range),
    .since = 11,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .infer = range_infer,
    .reference = range_reference,
    .reads = 1u << 0 | 1u << 1 | 1u << 2,
    .shaped_by = 1u << 0 | 1u << 1 | 1u << 2,
    .ignores = {"stash_type"},
};
