/* SPDX-License-Identifier: Apache-2.0 */
/* ConcatFromSequence: the tensors of a sequence along an axis, which is theirs or a new one.  ONNX 11. */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/controlflow/stack.h"
#include "ops/sequence/sequence.h"

typedef struct ConcatFromSequenceAttrs {
    int64_t axis;
    bool new_axis;
} ConcatFromSequenceAttrs;

static Status concat_parse(ParseContext *ctx, void *attrs_) {
    ConcatFromSequenceAttrs *attrs = attrs_;
    TRY(parse_require(ctx, "axis"));
    TRY(parse_int(ctx, "axis", 0, &attrs->axis));
    return parse_bool(ctx, "new_axis", false, &attrs->new_axis);
}

static Status concat_infer(InferContext *ctx) {
    const ConcatFromSequenceAttrs *attrs = infer_attrs(ctx);
    const Shape *item = &ctx->inputs[0].shape;
    Shape *y = &ctx->outputs[0].shape;
    int axis;
    TRY(infer_require_sequence(ctx, 0));
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (item->rank < 0)
        return STRIDER_OK;
    TRY(infer_axis(ctx, attrs->axis, item->rank + attrs->new_axis, &axis));
    if (!attrs->new_axis)
        *y = shape_forgetting(item, axis);
    else if (!shape_with(item, axis, DIM_UNKNOWN, y))
        return infer_fail(ctx, STRIDER_UNSUPPORTED, "the output would have more than %d dimensions",
                          MAX_RANK);
    return STRIDER_OK;
}

/* Whether a tensor goes beside the first one: what they have in common is all but the axis. */
static Status check_item(HostContext *ctx, const Type *first, const Type *item, size_t at, int axis) {
    char first_text[SHAPE_TEXT], item_text[SHAPE_TEXT];
    bool fits = item->dtype == first->dtype && item->shape.rank == first->shape.rank;
    for (int d = 0; fits && d < first->shape.rank; d++)
        fits = d == axis || item->shape.dims[d] == first->shape.dims[d];
    if (fits)
        return STRIDER_OK;
    return host_fail(ctx, STRIDER_BAD_MODEL, "element %zu of the sequence is %s %s, the first is %s %s", at,
                     dtype_name(item->dtype), shape_text(&item->shape, item_text), dtype_name(first->dtype),
                     shape_text(&first->shape, first_text));
}

static Status result_shape(HostContext *ctx, const RunValue *sequence, int axis, Shape *shape) {
    const ConcatFromSequenceAttrs *attrs = host_attrs(ctx);
    const Type *first = &sequence->items[0]->tensor.type;
    int64_t total = 0;
    for (size_t i = 0; i < sequence->n_items; i++) {
        const Type *item = &sequence->items[i]->tensor.type;
        TRY(check_item(ctx, first, item, i, attrs->new_axis ? -1 : axis));
        total = i64_sum(total, attrs->new_axis ? 1 : item->shape.dims[axis]);
    }
    *shape = first->shape;
    if (!attrs->new_axis)
        shape->dims[axis] = total;
    else if (!shape_with(&first->shape, axis, total, shape))
        return host_fail(ctx, STRIDER_UNSUPPORTED, "the output would have more than %d dimensions", MAX_RANK);
    return STRIDER_OK;
}

static void copy_items(const RunValue *sequence, int axis, Tensor *y) {
    const Shape *shape = &y->type.shape;
    const int64_t outer = shape_size(shape, 0, axis);
    const size_t row = bytes_of(dtype_size(y->type.dtype), shape_size(shape, axis, shape->rank)).n;
    size_t at = 0;
    for (size_t i = 0; row && outer && i < sequence->n_items; i++) {
        const Tensor *item = &sequence->items[i]->tensor;
        const size_t part = item->size_bytes / (size_t)outer;
        for (int64_t o = 0; part && o < outer; o++)
            memcpy((char *)y->data + (size_t)o * row + at, (const char *)item->data + (size_t)o * part, part);
        at += part;
    }
}

static Status concat_host(HostContext *ctx) {
    const ConcatFromSequenceAttrs *attrs = host_attrs(ctx);
    RunValue *sequence;
    Shape shape;
    TRY(host_sequence(ctx, 0, &sequence));
    if (!sequence->n_items)
        return host_fail(ctx, STRIDER_BAD_MODEL, "the sequence is empty");
    const Type *first = &sequence->items[0]->tensor.type;
    const int rank = first->shape.rank + attrs->new_axis;
    const int64_t axis = attrs->axis < 0 ? attrs->axis + rank : attrs->axis;
    if (axis < 0 || axis >= rank)
        return host_fail(ctx, STRIDER_BAD_MODEL, "axis %" PRId64 " is outside [%d, %d)", attrs->axis, -rank,
                         rank);
    TRY(result_shape(ctx, sequence, (int)axis, &shape));
    TRY(run_value_new_tensor(ctx->allocator, first->dtype, &shape, &ctx->outputs[0], ctx->err));
    copy_items(sequence, (int)axis, &ctx->outputs[0]->tensor);
    return STRIDER_OK;
}

const Op op_concat_from_sequence = {
    OP_NAMED(ConcatFromSequence),
    .since = 11,
    .inputs = {1, 1},
    .outputs = {1, 1},
    .attrs_size = sizeof(ConcatFromSequenceAttrs),
    .parse = concat_parse,
    .infer = concat_infer,
    .host = concat_host,
    .flags = OP_ANY_KIND | OP_NO_FOLD | OP_STRINGS,
};
