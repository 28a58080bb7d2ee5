/* SPDX-License-Identifier: Apache-2.0 */
/* SplitToSequence: parts of a tensor along an axis.  ONNX 11, 24 (types).  `split` is the size of all parts
 * but the last (a scalar), or lists the sizes; without it each part is one index, whose dimension stays
 * unless keepdims is 0. */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/controlflow/stack.h"
#include "ops/sequence/sequence.h"

typedef struct SplitToSequenceAttrs {
    int64_t axis;
    bool keepdims;
} SplitToSequenceAttrs;

static Status split_parse(ParseContext *ctx, void *attrs_) {
    SplitToSequenceAttrs *attrs = attrs_;
    TRY(parse_bool(ctx, "keepdims", true, &attrs->keepdims));
    return parse_int(ctx, "axis", 0, &attrs->axis);
}

/* The size that all parts have, where it is known. */
static int64_t common_size(const Tensor *split, int64_t total) {
    const int64_t n = tensor_elements(split), size = n ? tensor_get_i64(split, 0) : DIM_UNKNOWN;
    if (!split->type.shape.rank)
        return size > 0 && total >= 0 && total % size == 0 ? size : DIM_UNKNOWN;
    for (int64_t i = 1; i < n; i++)
        if (tensor_get_i64(split, i) != size)
            return DIM_UNKNOWN;
    return i64_max(size, DIM_UNKNOWN);
}

static Status split_infer(InferContext *ctx) {
    const SplitToSequenceAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape;
    int axis;
    ctx->outputs[0] = ctx->inputs[0];
    ctx->outputs[0].kind = VALUE_SEQUENCE;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_require_rank(ctx, 1, 0, 1));
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    Shape *part = &ctx->outputs[0].shape;
    if (infer_has_input(ctx, 1))
        part->dims[axis] =
            ctx->input_values[1] ? common_size(ctx->input_values[1], x->dims[axis]) : DIM_UNKNOWN;
    else if (attrs->keepdims)
        part->dims[axis] = 1;
    else
        *part = shape_without(x, axis);
    return STRIDER_OK;
}

/* Indices [begin, *end) of part i. */
static Status find_end(HostContext *ctx, const Tensor *split, int64_t i, int64_t begin, int64_t total,
                       int64_t *end) {
    int64_t size = 1;
    if (split && split->type.shape.rank && i >= tensor_elements(split))
        return host_fail(ctx, STRIDER_BAD_MODEL, "the sizes add up to %" PRId64 ", the axis has %" PRId64,
                         begin, total);
    if (split)
        size = tensor_get_i64(split, split->type.shape.rank ? i : 0);
    if (size < 0 || (split && !split->type.shape.rank && !size))
        return host_fail(ctx, STRIDER_BAD_MODEL, "size %" PRId64 " of the parts is %" PRId64, i, size);
    *end = i64_sum(begin, size);
    if (*end > total && split && split->type.shape.rank)
        return host_fail(ctx, STRIDER_BAD_MODEL, "the sizes add up to more than the axis has, %" PRId64,
                         total);
    *end = i64_min(*end, total);
    return STRIDER_OK;
}

static Status append_part(HostContext *ctx, const Tensor *x, int axis, int64_t begin, int64_t end,
                          bool keeps_axis, RunValue *sequence) {
    const int64_t outer = shape_size(&x->type.shape, 0, axis), total = x->type.shape.dims[axis];
    const int64_t inner = shape_size(&x->type.shape, axis + 1, x->type.shape.rank);
    const size_t size = dtype_size(x->type.dtype), row = bytes_of(size, inner).n;
    const size_t bytes = bytes_of(size, inner, end - begin).n;
    Shape shape = x->type.shape;
    RunValue *part;
    shape.dims[axis] = end - begin;
    if (!keeps_axis)
        shape = shape_without(&shape, axis);
    TRY(run_value_new_tensor(ctx->allocator, x->type.dtype, &shape, &part, ctx->err));
    for (int64_t o = 0; bytes && o < outer; o++)
        memcpy((char *)part->tensor.data + (size_t)o * bytes,
               (const char *)x->data + (size_t)(o * total + begin) * row, bytes);
    const Status status = run_value_insert(sequence, sequence->n_items, part, ctx->err);
    run_value_release(part);
    return status;
}

static Status append_parts(HostContext *ctx, const Tensor *x, const Tensor *split, RunValue *sequence) {
    const SplitToSequenceAttrs *attrs = host_attrs(ctx);
    const int rank = x->type.shape.rank;
    const int64_t axis = attrs->axis < 0 ? attrs->axis + rank : attrs->axis;
    if (axis < 0 || axis >= rank)
        return host_fail(ctx, STRIDER_BAD_MODEL, "axis %" PRId64 " is outside [%d, %d)", attrs->axis, -rank,
                         rank);
    const int64_t total = x->type.shape.dims[axis];
    const int64_t listed = split && split->type.shape.rank ? tensor_elements(split) : 0;
    for (int64_t i = 0, begin = 0, end = 0; begin < total || i < listed; i++, begin = end) {
        TRY(find_end(ctx, split, i, begin, total, &end));
        TRY(append_part(ctx, x, (int)axis, begin, end, attrs->keepdims || split, sequence));
    }
    return STRIDER_OK;
}

static Status split_host(HostContext *ctx) {
    const Tensor *x, *split = NULL;
    RunValue *sequence;
    TRY(host_tensor(ctx, 0, &x));
    if (host_input(ctx, 1))
        TRY(host_tensor(ctx, 1, &split));
    if (split && (split->type.shape.rank > 1 || dtype_is_float(split->type.dtype)))
        return host_fail(ctx, STRIDER_BAD_MODEL, "split must be one integer, or a list of them");
    TRY(run_value_new_sequence(ctx->allocator, x->type.dtype, &sequence, ctx->err));
    const Status status = append_parts(ctx, x, split, sequence);
    if (status)
        run_value_release(sequence);
    else
        ctx->outputs[0] = sequence;
    return status;
}

const Op op_split_to_sequence = {
    OP_NAMED(SplitToSequence),
    .since = 11,
    .inputs = {1, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(SplitToSequenceAttrs),
    .parse = split_parse,
    .infer = split_infer,
    .host = split_host,
    .reads = 1u << 1,
    .flags = OP_NO_FOLD | OP_STRINGS,
};
