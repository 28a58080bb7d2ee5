/* SPDX-License-Identifier: Apache-2.0 */
/* Where (ONNX 9, 16): x where the condition holds, else y; all three broadcast. */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/op.h"

static Status where_infer(InferContext *ctx) {
    Shape joined;
    TRY(infer_require_dtype(ctx, 0, DTYPE_BIT(STRIDER_BOOL)));
    TRY(infer_require_same_dtype(ctx, 1, 2));
    TRY(infer_broadcast(ctx, &ctx->inputs[0].shape, &ctx->inputs[1].shape, &joined));
    TRY(infer_broadcast(ctx, &joined, &ctx->inputs[2].shape, &joined));
    ctx->outputs[0].tensor =
        type_of(ctx->inputs[1].dtype ? ctx->inputs[1].dtype : ctx->inputs[2].dtype, joined);
    return STRIDER_OK;
}

static Status where_reference(EvalContext *ctx) {
    const Tensor *condition = ctx->inputs[0], *x = ctx->inputs[1], *y = ctx->inputs[2];
    Tensor *out = ctx->outputs[0];
    Broadcast broadcast = broadcast_make(
        &out->type.shape, 3, (const Shape *[]){&condition->type.shape, &x->type.shape, &y->type.shape});
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    size_t size = dtype_size(x->type.dtype);
    for (int64_t i = 0; i < tensor_elements(out); i++, broadcast_next(&broadcast, counters, offsets)) {
        bool holds = ((const uint8_t *)condition->data)[offsets[0]] != 0;
        const char *from = holds ? (const char *)x->data + (size_t)offsets[1] * size
                                 : (const char *)y->data + (size_t)offsets[2] * size;
        memcpy((char *)out->data + (size_t)i * size, from, size);
    }
    return STRIDER_OK;
}

const Op op_where = {
    OP_NAMED(Where),
    .since = 9,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .infer = where_infer,
    .reference = where_reference,
    .flags = OP_ELEMENTWISE | OP_STRINGS,
};
