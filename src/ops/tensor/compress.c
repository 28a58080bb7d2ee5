/* SPDX-License-Identifier: Apache-2.0 */
/* Compress: the slices along an axis, or without one the elements, at which the condition is true.  ONNX 9,
 * 11 (negative axis), 28 (types).  Where the condition is shorter, nothing of the rest is taken. */
#include <inttypes.h>
#include <string.h>

#include "ops/op.h"

typedef struct CompressAttrs {
    bool has_axis;
    int64_t axis;
} CompressAttrs;

static Status compress_parse(ParseContext *ctx, void *attrs_) {
    CompressAttrs *attrs = attrs_;
    attrs->has_axis = parse_has(ctx, "axis");
    return parse_int(ctx, "axis", 0, &attrs->axis);
}

static Status compress_infer(InferContext *ctx) {
    const CompressAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int axis = 0;
    TRY(infer_require_rank(ctx, 0, 1, -1));
    TRY(infer_require_rank(ctx, 1, 1, 1));
    TRY(infer_require_dtype(ctx, 1, DTYPE_BIT(STRIDER_BOOL)));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank >= 0 && attrs->has_axis)
        TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    if (!attrs->has_axis)
        ctx->outputs[0].shape = shape_make(1, (int64_t[]){DIM_UNKNOWN});
    else if (x->rank >= 0) {
        ctx->outputs[0].shape = *x;
        ctx->outputs[0].shape.dims[axis] = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

/* `outer` times `length` slices of `inner` elements. */
typedef struct Slices {
    Shape out;
    int axis;
    int64_t outer, length, inner;
} Slices;

static Slices slices_of(const CompressAttrs *attrs, const Shape *x) {
    if (!attrs->has_axis)
        return (Slices){shape_make(1, (int64_t[]){0}), 0, 1, shape_elements(x), 1};
    const int axis = (int)(attrs->axis < 0 ? attrs->axis + x->rank : attrs->axis);
    return (Slices){*x, axis, shape_size(x, 0, axis), x->dims[axis], shape_size(x, axis + 1, x->rank)};
}

static Status count_taken(EvalContext *ctx, const Tensor *condition, int64_t length, int64_t *taken) {
    const uint8_t *is_taken = condition->data;
    const int64_t count = tensor_elements(condition);
    *taken = 0;
    for (int64_t i = 0; i < i64_min(count, length); i++)
        *taken += is_taken[i] != 0;
    for (int64_t i = length; i < count; i++)
        if (is_taken[i])
            return eval_fail(ctx, STRIDER_BAD_MODEL,
                             "the condition takes %" PRId64 " of what has only %" PRId64, i, length);
    return STRIDER_OK;
}

/* Slices of one element, without a branch on the condition. */
static void take_elements(const char *from, const uint8_t *is_taken, int64_t taken, size_t size, char *to) {
    DISPATCH_BY_SIZE(size, T, {
        const T *x = (const T *)(const void *)from;
        T *y = (T *)(void *)to;
        for (int64_t i = 0, at = 0; at < taken; i++) {
            y[at] = x[i];
            at += is_taken[i] != 0;
        }
    })
}

/* Slices that lie together are copied together. */
static void take_slices(const char *from, const uint8_t *is_taken, int64_t taken, size_t size, char *to) {
    for (int64_t i = 0, at = 0; at < taken;) {
        int64_t end = i;
        while (at + end - i < taken && is_taken[end])
            end++;
        if (end > i && size)
            memcpy(to + (size_t)at * size, from + (size_t)i * size, (size_t)(end - i) * size);
        at += end - i;
        i = end + 1;
    }
}

static Status compress_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0], *condition = ctx->inputs[1];
    const size_t element = dtype_size(x->type.dtype);
    Slices slices = slices_of(eval_attrs(ctx), &x->type.shape);
    int64_t taken;
    TRY(count_taken(ctx, condition, slices.length, &taken));
    slices.out.dims[slices.axis] = taken;
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &slices.out));
    const size_t slice = (size_t)slices.inner * element;
    const char *from = x->data;
    char *to = ctx->outputs[0]->data;
    for (int64_t o = 0; o < slices.outer; o++) {
        (slices.inner == 1 ? take_elements : take_slices)(from, condition->data, taken, slice, to);
        from += (size_t)slices.length * slice;
        to += (size_t)taken * slice;
    }
    return STRIDER_OK;
}

const Op op_compress = {
    OP_NAMED(Compress),
    .since = 9,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(CompressAttrs),
    .parse = compress_parse,
    .infer = compress_infer,
    .reference = compress_reference,
    .flags = OP_DATA_DEPENDENT | OP_STRINGS,
};
