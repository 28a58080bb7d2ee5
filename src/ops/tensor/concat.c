/* SPDX-License-Identifier: Apache-2.0 */
/* Concat (ONNX 1: axis is 1 unless stated; 4: it must be stated; 11, 13) and Split (1, 2: sizes are an
 * attribute, or equal; 11; 13: sizes are an input; 18: num_outputs, of which the last may be smaller). */
#include "ops/tensor/concat.h"

#include <inttypes.h>
#include <string.h>

#include "base/size.h"

static Status concat_parse(ParseContext *ctx, void *attrs_) {
    ConcatAttrs *attrs = attrs_;
    if (ctx->node->opset >= 4)
        TRY(parse_require(ctx, "axis"));
    return parse_int(ctx, "axis", 1, &attrs->axis);
}

/* With an order: as many as it lists, each of which must be there. */
static Status infer_ordered(InferContext *ctx, const ConcatAttrs *attrs, int64_t *total) {
    for (int64_t i = 0; i < attrs->n_order && *total >= 0; i++)
        if (attrs->order[i] >= *total)
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "element %" PRId64 " along the axis is used, but there are %" PRId64,
                              attrs->order[i], *total);
    *total = attrs->n_order;
    return STRIDER_OK;
}

/* Input `port` beside those before it, whose common shape is *y so far; `axis` is known. */
static Status join_shape(InferContext *ctx, int port, int axis, Shape *y) {
    const Shape *x = &ctx->inputs[port].shape;
    if (x->rank != y->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d has rank %d, the ones before %d", port, x->rank,
                          y->rank);
    for (int d = 0; d < x->rank; d++) {
        if (d == axis)
            continue;
        if (x->dims[d] >= 0 && y->dims[d] >= 0 && x->dims[d] != y->dims[d])
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "input %d has %" PRId64 " in dimension %d, the ones before %" PRId64, port,
                              x->dims[d], d, y->dims[d]);
        y->dims[d] = y->dims[d] >= 0 ? y->dims[d] : x->dims[d] != DIM_UNKNOWN ? x->dims[d] : y->dims[d];
    }
    return STRIDER_OK;
}

Status concat_infer_shape(InferContext *ctx, int64_t stated_axis, int first, int step, int *axis) {
    Shape *y = &ctx->outputs[0].shape;
    int64_t total = 0;
    *axis = -1;
    for (int i = first; i < ctx->n_inputs; i += step) {
        const Shape *x = &ctx->inputs[i].shape;
        if (x->rank < 0) {
            total = DIM_UNKNOWN;
            continue;
        }
        if (*axis < 0) {
            TRY(infer_axis(ctx, stated_axis, x->rank, axis));
            *y = *x;
        }
        TRY(join_shape(ctx, i, *axis, y));
        if (total >= 0 && x->dims[*axis] >= 0) {
            if (!i64_add(total, x->dims[*axis], &total))
                return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "the sizes along axis %d overflow", *axis);
        } else {
            total = i == first && i + step >= ctx->n_inputs ? x->dims[*axis] : DIM_UNKNOWN;
        }
    }
    if (*axis >= 0)
        y->dims[*axis] = total;
    return STRIDER_OK;
}

static Status concat_infer(InferContext *ctx) {
    const ConcatAttrs *attrs = infer_attrs(ctx);
    ValueType *y = &ctx->outputs[0];
    for (int i = 0; i < ctx->n_inputs; i++) {
        TRY(infer_require_same_dtype(ctx, 0, i));
        y->dtype = y->dtype ? y->dtype : ctx->inputs[i].dtype;
    }
    int axis;
    TRY(concat_infer_shape(ctx, attrs->axis, 0, 1, &axis));
    if (attrs->order && axis >= 0)
        TRY(infer_ordered(ctx, attrs, &y->shape.dims[axis]));
    return STRIDER_OK;
}

static void copy_ordered(const EvalContext *ctx, int axis) {
    const ConcatAttrs *attrs = eval_attrs(ctx);
    const Tensor *y = ctx->outputs[0];
    const Shape *out = &y->type.shape;
    const int64_t outer = shape_size(out, 0, axis);
    const size_t part = (size_t)shape_size(out, axis + 1, out->rank) * dtype_size(y->type.dtype);
    char *to = y->data;
    for (int64_t o = 0; part && o < outer; o++)
        for (int64_t i = 0; i < attrs->n_order; i++, to += part) {
            int64_t from = attrs->order[i];
            int port = 0;
            while (from >= ctx->inputs[port]->type.shape.dims[axis])
                from -= ctx->inputs[port++]->type.shape.dims[axis];
            const int64_t dim = ctx->inputs[port]->type.shape.dims[axis];
            memcpy(to, (const char *)ctx->inputs[port]->data + (size_t)(o * dim + from) * part, part);
        }
}

static Status concat_reference(EvalContext *ctx) {
    const ConcatAttrs *attrs = eval_attrs(ctx);
    Tensor *y = ctx->outputs[0];
    const Shape *out = &y->type.shape;
    int axis = axis_resolve(attrs->axis, out->rank);
    if (attrs->order) {
        copy_ordered(ctx, axis);
        return STRIDER_OK;
    }
    int64_t outer = shape_size(out, 0, axis);
    size_t size = dtype_size(y->type.dtype), row = (size_t)shape_size(out, axis, out->rank) * size, at = 0;
    for (int i = 0; i < ctx->n_inputs; i++) {
        const Tensor *x = ctx->inputs[i];
        size_t part = (size_t)shape_size(&x->type.shape, axis, out->rank) * size;
        for (int64_t o = 0; part && o < outer; o++)
            memcpy((char *)y->data + (size_t)o * row + at, (const char *)x->data + (size_t)o * part, part);
        at += part;
    }
    return STRIDER_OK;
}

const Op op_concat = {
    OP_NAMED(Concat),
    .since = 1,
    .inputs = {1, -1},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConcatAttrs),
    .parse = concat_parse,
    .infer = concat_infer,
    .reference = concat_reference,
    .flags = OP_STRINGS,
};

/* --- Split --- */

static Status split_parse(ParseContext *ctx, void *attrs_) {
    SplitAttrs *attrs = attrs_;
    const Attr *split = attrs_find(ctx->attrs, "split");
    attrs->n_split = -1;
    if (split && split->kind != ATTR_INTS)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "split must be a list of ints");
    if (split) {
        attrs->n_split = (int)split->count;
        attrs->split = split->ints;
    }
    TRY(parse_int(ctx, "num_outputs", 0, &attrs->num_outputs));
    if (attrs->num_outputs && attrs->num_outputs != ctx->node->n_outputs)
        return parse_fail(ctx, STRIDER_BAD_MODEL, "num_outputs is %" PRId64 ", but there are %d outputs",
                          attrs->num_outputs, ctx->node->n_outputs);
    return parse_int(ctx, "axis", 0, &attrs->axis);
}

/* The size of output `i` where sizes are not listed: equal parts, the last one smaller. */
static int64_t equal_part(int64_t total, int n, int i) {
    int64_t part = ceil_div(total, n);
    return i64_max(i64_min(part, total - i * part), 0);
}

static Status split_infer(InferContext *ctx) {
    const SplitAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    const Tensor *sizes = infer_has_input(ctx, 1) ? ctx->input_values[1] : NULL;
    bool listed = sizes || attrs->n_split >= 0, unknown = infer_has_input(ctx, 1) && !sizes;
    int64_t sum = 0;
    int axis = 0;
    TRY(infer_require_dtype(ctx, 1, ctx->node->opset >= 2 ? DTYPES_INTEGER : DTYPES_NUMERIC));
    if (listed && (sizes ? tensor_elements(sizes) : attrs->n_split) != ctx->n_outputs)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the number of sizes is not the number of outputs, %d",
                          ctx->n_outputs);
    if (x->rank >= 0)
        TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    int64_t total = x->rank >= 0 ? x->dims[axis] : DIM_UNKNOWN;
    if (!listed && !unknown && !attrs->num_outputs && ctx->node->opset < 18 && total >= 0 &&
        total % ctx->n_outputs)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " elements do not split into %d equal parts",
                          total, ctx->n_outputs);
    for (int i = 0; i < ctx->n_outputs; i++) {
        ctx->outputs[i] = ctx->inputs[0];
        int64_t size = sizes ? tensor_get_i64(sizes, i) : attrs->n_split >= 0 ? attrs->split[i] : DIM_UNKNOWN;
        if (listed) {
            TRY(infer_check_dim(ctx, size, "a size"));
            if (!i64_add(sum, size, &sum))
                return infer_fail(ctx, STRIDER_BAD_MODEL, "the sizes overflow");
        } else if (!unknown && total >= 0) {
            size = equal_part(total, ctx->n_outputs, i);
        }
        if (x->rank >= 0)
            ctx->outputs[i].shape.dims[axis] = size;
    }
    if (listed && total >= 0 && sum != total)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the sizes add up to %" PRId64 ", the axis has %" PRId64,
                          sum, total);
    return STRIDER_OK;
}

static Status split_reference(EvalContext *ctx) {
    const SplitAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0], *sizes = eval_input(ctx, 1);
    const Shape *in = &x->type.shape;
    int axis = axis_resolve(attrs->axis, in->rank);
    int64_t outer = shape_size(in, 0, axis), inner = shape_size(in, axis + 1, in->rank), begin = 0;
    size_t size = dtype_size(x->type.dtype), row = bytes_of(size, in->dims[axis], inner).n;
    if (sizes && tensor_elements(sizes) != ctx->n_outputs)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the number of sizes is not the number of outputs, %d",
                         ctx->n_outputs);
    for (int i = 0; i < ctx->n_outputs; i++) {
        int64_t count = sizes                 ? tensor_get_i64(sizes, i)
                        : attrs->n_split >= 0 ? attrs->split[i]
                                              : equal_part(in->dims[axis], ctx->n_outputs, i);
        if (count < 0 || count > in->dims[axis] - begin)
            return eval_fail(ctx, STRIDER_BAD_MODEL, "the sizes do not fit the axis of %" PRId64,
                             in->dims[axis]);
        Shape shape = *in;
        shape.dims[axis] = count;
        if (eval_output(ctx, i)) {
            TRY(eval_set_output_shape(ctx, i, x->type.dtype, &shape));
            const size_t part = bytes_of(size, count, inner).n;
            for (int64_t o = 0; part && o < outer; o++)
                memcpy((char *)ctx->outputs[i]->data + (size_t)o * part,
                       (const char *)x->data + (size_t)o * row + (size_t)(begin * inner) * size, part);
        }
        begin += count;
    }
    return STRIDER_OK;
}

const Op op_split = {
    OP_NAMED(Split),
    .since = 1,
    .inputs = {1, 2},
    .outputs = {1, -1},
    .attrs_size = sizeof(SplitAttrs),
    .parse = split_parse,
    .infer = split_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = split_reference,
    .flags = OP_COUNTS_OUTPUTS | OP_STRINGS,
};
