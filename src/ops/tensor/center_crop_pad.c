/* SPDX-License-Identifier: Apache-2.0 */
/* CenterCropPad (ONNX 18): crops or pads with zeros along `axes` to the lengths in `shape`, so that the
 * middle stays the middle; of an odd difference the larger half goes to the end. */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

typedef struct CenterCropPadAttrs {
    int64_t axes[MAX_RANK];
    int n_axes; /* -1: all */
} CenterCropPadAttrs;

static Status center_crop_pad_parse(ParseContext *ctx, void *attrs_) {
    CenterCropPadAttrs *attrs = attrs_;
    return parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &attrs->n_axes);
}

/* Sets the dimensions that the axes name to `lengths`; NULL, or what is wrong. */
static const char *set_lengths(const CenterCropPadAttrs *attrs, const int64_t *lengths, int count,
                               Shape *shape) {
    unsigned seen = 0;
    if (count != (attrs->n_axes < 0 ? shape->rank : attrs->n_axes))
        return "the number of lengths is not the number of axes";
    for (int i = 0; i < count; i++) {
        int64_t axis = attrs->n_axes < 0 ? i : attrs->axes[i];
        axis += axis < 0 ? shape->rank : 0;
        if (axis < 0 || axis >= shape->rank || (seen >> axis & 1))
            return "the axes are not distinct axes of the input";
        if (lengths[i] < 0)
            return "a length is negative";
        seen |= 1u << axis;
        shape->dims[axis] = lengths[i];
    }
    return NULL;
}

static Status center_crop_pad_infer(InferContext *ctx) {
    const CenterCropPadAttrs *attrs = infer_attrs(ctx);
    int64_t lengths[MAX_RANK];
    int count;
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    TRY(infer_ints(ctx, 1, lengths, MAX_RANK, &count));
    ctx->outputs[0] = ctx->inputs[0];
    Shape *y = &ctx->outputs[0].shape;
    if (y->rank < 0)
        return STRIDER_OK;
    const int64_t zeros[MAX_RANK] = {0}; /* in the place of what is not known */
    const int n_axes = attrs->n_axes < 0 ? y->rank : attrs->n_axes;
    const char *wrong = set_lengths(attrs, count < 0 ? zeros : lengths, count < 0 ? n_axes : count, y);
    if (wrong)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    for (int i = 0; i < n_axes && count < 0; i++) {
        const int64_t axis = attrs->n_axes < 0 ? i : attrs->axes[i];
        y->dims[axis < 0 ? axis + y->rank : axis] = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

static Status center_crop_pad_reference(EvalContext *ctx) {
    const CenterCropPadAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0];
    Shape shape = x->type.shape, box = shape;
    int64_t lengths[MAX_RANK], in_strides[MAX_RANK], out_strides[MAX_RANK], counters[MAX_RANK] = {0};
    int count;
    TRY(eval_ints(ctx, 1, lengths, MAX_RANK, &count));
    const char *wrong = set_lengths(attrs, lengths, count, &shape);
    if (wrong)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "%s", wrong);
    TRY(eval_set_output_shape(ctx, 0, x->type.dtype, &shape));
    shape_strides(&x->type.shape, in_strides);
    shape_strides(&shape, out_strides);
    int64_t from = 0, to = 0;
    for (int d = 0; d < shape.rank; d++) {
        const int64_t in = x->type.shape.dims[d], out = shape.dims[d];
        box.dims[d] = i64_min(in, out);
        from += (in - box.dims[d]) / 2 * in_strides[d];
        to += (out - box.dims[d]) / 2 * out_strides[d];
    }
    Tensor *y = ctx->outputs[0];
    const size_t size = dtype_size(x->type.dtype);
    memset(y->data, 0, y->size_bytes);
    const int last = box.rank - 1; /* of which what stays lies together */
    const int64_t run = box.rank ? box.dims[last] : 1;
    for (int64_t i = 0; run && i < shape_elements(&box); i += run) {
        memcpy((char *)y->data + (size_t)to * size, (const char *)x->data + (size_t)from * size,
               (size_t)run * size);
        for (int d = last - 1; d >= 0; d--) {
            from += in_strides[d];
            to += out_strides[d];
            if (++counters[d] < box.dims[d])
                break;
            from -= in_strides[d] * box.dims[d];
            to -= out_strides[d] * box.dims[d];
            counters[d] = 0;
        }
    }
    return STRIDER_OK;
}

const Op op_center_crop_pad = {
    OP_NAMED(CenterCropPad),
    .since = 18,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(CenterCropPadAttrs),
    .parse = center_crop_pad_parse,
    .infer = center_crop_pad_infer,
    .reads = 1u << 1,
    .shaped_by = 1u << 1,
    .reference = center_crop_pad_reference,
    .flags = OP_STRINGS,
};
