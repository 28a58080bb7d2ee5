/* SPDX-License-Identifier: Apache-2.0 */
/* StringConcat (ONNX 20): each string of the second input appended to that of the first, with broadcasting.
 */
#include "ops/broadcast.h"
#include "ops/op.h"

static Status string_concat_infer(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, 0, DTYPES_STRING));
    TRY(infer_require_dtype(ctx, 1, DTYPES_STRING));
    ctx->outputs[0].dtype = STRIDER_STRING;
    return infer_broadcast(ctx, &ctx->inputs[0].shape, &ctx->inputs[1].shape, &ctx->outputs[0].shape);
}

static Status join(EvalContext *ctx, String a, String b, String *joined) {
    char *bytes;
    size_t size;
    if (!size_add(a.size, b.size, &size))
        return eval_fail(ctx, STRIDER_LIMIT_EXCEEDED, "a string is too long");
    TRY(eval_alloc_string(ctx, size, &bytes));
    if (a.size)
        memcpy(bytes, a.data, a.size);
    if (b.size)
        memcpy(bytes + a.size, b.data, b.size);
    *joined = (String){bytes, size};
    return STRIDER_OK;
}

static Status string_concat_reference(EvalContext *ctx) {
    const Tensor *a = ctx->inputs[0], *b = ctx->inputs[1], *y = ctx->outputs[0];
    const Broadcast broadcast =
        broadcast_make(&y->type.shape, 2, (const Shape *[]){&a->type.shape, &b->type.shape});
    const String *first = a->data, *second = b->data;
    String *strings = y->data;
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    for (int64_t i = 0; i < tensor_elements(y); i++, broadcast_next(&broadcast, counters, offsets))
        TRY(join(ctx, first[offsets[0]], second[offsets[1]], &strings[i]));
    return STRIDER_OK;
}

const Op op_string_concat = {
    OP_NAMED(StringConcat),
    .since = 20,
    .inputs = {2, 2},
    .outputs = {1, 1},
    .infer = string_concat_infer,
    .reference = string_concat_reference,
    .flags = OP_STRINGS | OP_MAKES_STRINGS,
};
