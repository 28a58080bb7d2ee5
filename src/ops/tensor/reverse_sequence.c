/* SPDX-License-Identifier: Apache-2.0 */
/* ReverseSequence (ONNX 10; 28: bfloat16): of sequence b along `batch_axis` the first sequence_lens[b]
 * elements along `time_axis` stand in reverse order, the others stay.  Both axes are 0 and 1, in either
 * order. */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "ops/op.h"

typedef struct ReverseSequenceAttrs {
    int batch_axis, time_axis;
} ReverseSequenceAttrs;

static Status reverse_sequence_parse(ParseContext *ctx, void *attrs_) {
    ReverseSequenceAttrs *attrs = attrs_;
    int64_t batch, time;
    TRY(parse_int(ctx, "batch_axis", 1, &batch));
    TRY(parse_int(ctx, "time_axis", 0, &time));
    if (batch < 0 || batch > 1 || time != 1 - batch)
        return parse_fail(ctx, STRIDER_BAD_MODEL,
                          "batch_axis %" PRId64 " and time_axis %" PRId64 " must be 0 and 1, or 1 and 0",
                          batch, time);
    attrs->batch_axis = (int)batch;
    attrs->time_axis = (int)time;
    return STRIDER_OK;
}

static Status reverse_sequence_infer(InferContext *ctx) {
    const ReverseSequenceAttrs *attrs = infer_attrs(ctx);
    const Shape *x = &ctx->inputs[0].shape, *lengths = &ctx->inputs[1].shape;
    TRY(infer_require_rank(ctx, 0, 2, -1));
    TRY(infer_require_rank(ctx, 1, 1, 1));
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    ctx->outputs[0] = ctx->inputs[0];
    if (x->rank < 0 || lengths->rank < 0)
        return STRIDER_OK;
    const int64_t batch = x->dims[attrs->batch_axis];
    if (batch >= 0 && lengths->dims[0] >= 0 && lengths->dims[0] != batch)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " lengths for %" PRId64 " sequences",
                          lengths->dims[0], batch);
    return STRIDER_OK;
}

static Status reverse_sequence_reference(EvalContext *ctx) {
    const ReverseSequenceAttrs *attrs = eval_attrs(ctx);
    const Tensor *x = ctx->inputs[0], *lengths = ctx->inputs[1];
    const Shape *shape = &x->type.shape;
    const int64_t batch = shape->dims[attrs->batch_axis], time = shape->dims[attrs->time_axis];
    const int64_t batch_step = attrs->batch_axis == 0 ? time : 1,
                  time_step = attrs->time_axis == 0 ? batch : 1;
    const size_t item_bytes = bytes_of(dtype_size(x->type.dtype), shape_size(shape, 2, shape->rank)).n;
    for (int64_t b = 0; b < batch; b++) {
        const int64_t length = tensor_get_i64(lengths, b);
        if (length < 0 || length > time)
            return eval_fail(ctx, STRIDER_BAD_MODEL,
                             "sequence %" PRId64 " is %" PRId64 " long, of %" PRId64 " elements", b, length,
                             time);
        for (int64_t t = 0; t < time; t++) {
            const int64_t from = b * batch_step + (t < length ? length - 1 - t : t) * time_step;
            memcpy((char *)ctx->outputs[0]->data + (size_t)(b * batch_step + t * time_step) * item_bytes,
                   (const char *)x->data + (size_t)from * item_bytes, item_bytes);
        }
    }
    return STRIDER_OK;
}

const Op op_reverse_sequence = {
    OP_NAMED(ReverseSequence),
    .since = 10,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .attrs_size = sizeof(ReverseSequenceAttrs),
    .parse = reverse_sequence_parse,
    .infer = reverse_sequence_infer,
    .reference = reverse_sequence_reference,
    .flags = OP_STRINGS,
};
