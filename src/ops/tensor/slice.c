/* SPDX-License-Identifier: Apache-2.0 */
/* Slice.  ONNX 1: starts, ends and axes are attributes, all steps are 1; 10: inputs, and steps; 11: negative
 * axes.  Bounds count from the end where they are negative, and are clamped to the dimension. */
#include "ops/tensor/slice.h"

#include <string.h>

#include "base/size.h"
#include "base/wrap.h"

static Status slice_parse(ParseContext *ctx, void *attrs_) {
    SliceAttrs *attrs = attrs_;
    TRY(parse_ints(ctx, "starts", attrs->starts, MAX_RANK, &attrs->n_starts));
    TRY(parse_ints(ctx, "ends", attrs->ends, MAX_RANK, &attrs->n_ends));
    TRY(parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &attrs->n_axes));
    if (ctx->node->n_inputs < 3 && (attrs->n_starts < 0 || attrs->n_ends < 0))
        return parse_fail(ctx, STRIDER_BAD_MODEL, "starts and ends are missing");
    return STRIDER_OK;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
    return i64_min(i64_max(value, low), high);
}

static void resolve_dim(int64_t dim, int64_t start, int64_t end, int64_t step, int64_t *begin,
                        int64_t *count) {
    /* Adding the dimension cannot overflow: only negative numbers get it. */
    start += start < 0 ? dim : 0;
    end += end < 0 ? dim : 0;
    /* Stepping down from before the first element begins at the first: the specification's words, and
     * onnxruntime's way, where NumPy takes none. */
    *begin = step > 0 ? clamp(start, 0, dim) : clamp(start, 0, dim - 1);
    int64_t stop = step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
    uint64_t distance = step > 0        ? (stop > *begin ? (uint64_t)(stop - *begin) : 0)
                        : *begin > stop ? (uint64_t)(*begin - stop)
                                        : 0;
    uint64_t stride = wrap_magnitude(step);
    *count = (int64_t)(distance / stride + (distance % stride != 0));
}

static int64_t list_item(const int64_t *attribute, const Tensor *input, int64_t i) {
    return input ? tensor_get_i64(input, i) : attribute[i];
}

const char *slice_resolve(const SliceAttrs *attrs, const Shape *x, int n_inputs, const Tensor *const *inputs,
                          SliceBounds *bounds) {
    const Tensor *starts = n_inputs > 1 ? inputs[1] : NULL, *ends = n_inputs > 2 ? inputs[2] : NULL;
    const Tensor *axes = n_inputs > 3 ? inputs[3] : NULL, *steps = n_inputs > 4 ? inputs[4] : NULL;
    int64_t n = starts ? tensor_elements(starts) : attrs->n_starts;
    int64_t n_axes = axes ? tensor_elements(axes) : n_inputs > 1 ? -1 : attrs->n_axes;
    unsigned seen = 0;
    if (n != (ends ? tensor_elements(ends) : attrs->n_ends) || (n_axes >= 0 && n_axes != n) ||
        (steps && tensor_elements(steps) != n))
        return "starts, ends, axes and steps differ in number";
    if (n > x->rank)
        return "there are more starts than dimensions";
    for (int d = 0; d < x->rank; d++) {
        bounds->begin[d] = 0;
        bounds->step[d] = 1;
        bounds->count[d] = x->dims[d];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = n_axes >= 0 ? list_item(attrs->axes, axes, i) : i,
                step = steps ? tensor_get_i64(steps, i) : 1;
        axis += axis < 0 ? x->rank : 0;
        if (axis < 0 || axis >= x->rank || (seen >> axis & 1))
            return "the axes are not distinct axes of the input";
        if (step == 0)
            return "a step is 0";
        seen |= 1u << axis;
        bounds->step[axis] = step;
        resolve_dim(x->dims[axis], list_item(attrs->starts, starts, i), list_item(attrs->ends, ends, i), step,
                    &bounds->begin[axis], &bounds->count[axis]);
        if (bounds->count[axis] <= 1)
            bounds->step[axis] = 1; /* never taken, and maybe too large to multiply */
    }
    return NULL;
}

static Status slice_infer(InferContext *ctx) {
    const SliceAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    Shape *y = &ctx->outputs[0].shape;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    for (int i = 1; i < ctx->n_inputs; i++)
        TRY(infer_require_dtype(ctx, i, DTYPES_INDEX));
    if (x->rank < 0)
        return STRIDER_OK;
    bool known = true;
    for (int i = 1; i < ctx->n_inputs; i++)
        known = known && (!infer_has_input(ctx, i) || ctx->input_values[i]);
    y->rank = x->rank;
    if (!known) {
        for (int d = 0; d < x->rank; d++)
            y->dims[d] = DIM_UNKNOWN;
        return STRIDER_OK;
    }
    SliceBounds bounds, other;
    Shape small = *x, large = *x; /* unknown dimensions: those that no slice touches stay as they are */
    for (int d = 0; d < x->rank; d++)
        if (x->dims[d] < 0) {
            small.dims[d] = 1;
            large.dims[d] = (int64_t)1 << 40;
        }
    const char *wrong = slice_resolve(attrs, &small, ctx->n_inputs, ctx->input_values, &bounds);
    if (!wrong)
        wrong = slice_resolve(attrs, &large, ctx->n_inputs, ctx->input_values, &other);
    if (wrong)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    for (int d = 0; d < x->rank; d++) {
        bool whole = bounds.count[d] == small.dims[d] && other.count[d] == large.dims[d];
        y->dims[d] = x->dims[d] >= 0 ? bounds.count[d] : whole ? x->dims[d] : DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

static Status slice_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    const Shape *in = &x->type.shape;
    SliceBounds bounds;
    const char *wrong = slice_resolve(eval_attrs(ctx), in, ctx->n_inputs, ctx->inputs, &bounds);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    Shape out = shape_make(in->rank, bounds.count);
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &out));
    Tensor *y = ctx->outputs[0];
    int64_t strides[MAX_RANK], counters[MAX_RANK] = {0};
    size_t size = dtype_size(x->type.dtype);
    shape_strides(in, strides);
    for (int64_t i = 0; i < tensor_elements(y); i++) {
        int64_t from = 0;
        for (int d = 0; d < in->rank; d++)
            from += (bounds.begin[d] + counters[d] * bounds.step[d]) * strides[d];
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)from * size, size);
        for (int d = in->rank - 1; d >= 0 && ++counters[d] == out.dims[d]; d--)
            counters[d] = 0;
    }
    return STRIDER_OK;
}

const Op op_slice = {
    OP_NAMED(Slice),
    .since = 1,
    .inputs = {1, 5},
    .outputs = {1, 1},
    .attrs_size = sizeof(SliceAttrs),
    .parse = slice_parse,
    .infer = slice_infer,
    .reads = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .shaped_by = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4,
    .reference = slice_reference,
    .flags = OP_STRINGS,
};
