/* SPDX-License-Identifier: Apache-2.0 */
/* What repeats a tensor: Expand (ONNX 8) and Tile (1, 6). */
#include "ops/tensor/repeat.h"

#include <string.h>

#include "base/size.h"
#include "ops/broadcast.h"

Status infer_listed_shape(InferContext *ctx, int port, Shape *shape) {
    int64_t dims[MAX_RANK];
    int count;
    *shape = shape_unknown();
    TRY(infer_ints(ctx, port, dims, MAX_RANK, &count));
    for (int i = 0; i < count; i++)
        TRY(infer_check_dim(ctx, dims[i], "a dimension"));
    const Shape *list = &ctx->inputs[port].shape;
    if (count >= 0) {
        *shape = shape_make(count, dims);
    } else if (list->rank == 1 && list->dims[0] >= 0 && list->dims[0] <= MAX_RANK) {
        shape->rank = (int)list->dims[0];
        for (int i = 0; i < shape->rank; i++)
            shape->dims[i] = DIM_UNKNOWN;
    }
    return STRIDER_OK;
}

/* --- Expand --- */

static Status expand_infer(InferContext *ctx) {
    Shape wanted;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    TRY(infer_listed_shape(ctx, 1, &wanted));
    return infer_broadcast(ctx, &ctx->inputs[0].shape, &wanted, &ctx->outputs[0].shape);
}

static Status expand_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    if (!y->data)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the output's shape does not follow from the inputs");
    Broadcast broadcast = broadcast_make(&y->type.shape, 1, (const Shape *[]){&x->type.shape});
    int64_t counters[MAX_RANK] = {0}, offsets[BROADCAST_MAX] = {0};
    size_t size = dtype_size(x->type.dtype);
    for (int64_t i = 0; i < tensor_elements(y); i++, broadcast_next(&broadcast, counters, offsets))
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)offsets[0] * size, size);
    return STRIDER_OK;
}

const Op op_expand = {
    OP_NAMED(Expand),      .since = 8,
    .inputs = {2, 2},      .outputs = {1, 1},
    .infer = expand_infer, .reference = expand_reference,
    .reads = 1u << 1,      .shaped_by = 1u << 1,
    .flags = OP_STRINGS,
};

/* --- Tile --- */

/* One number of whatever type the input is of: in Tile-1 it has that of the data. */
static Status infer_number(InferContext *ctx, int port, int64_t *value, bool *known) {
    const Tensor *tensor = ctx->input_values[port];
    TRY(infer_require_dtype(ctx, port, DTYPES_NUMERIC));
    *known = tensor != NULL;
    if (tensor && tensor_elements(tensor) != 1)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "input %d must be one number", port);
    if (tensor)
        *value = tensor_get_i64(tensor, 0);
    return STRIDER_OK;
}

static Status tile_repeats(InferContext *ctx, int rank, int64_t repeats[MAX_RANK], int *count) {
    if (ctx->node->opset >= 6 || ctx->n_inputs < 3)
        return infer_ints(ctx, 1, repeats, MAX_RANK, count);
    int64_t tiles = 0, axis = 0; /* Tile-1: how often along which axis */
    bool tiles_known, axis_known;
    TRY(infer_number(ctx, 1, &tiles, &tiles_known));
    TRY(infer_number(ctx, 2, &axis, &axis_known));
    *count = tiles_known && axis_known ? rank : -1;
    if (*count < 0)
        return STRIDER_OK;
    int at;
    TRY(infer_axis(ctx, axis, rank, &at));
    for (int i = 0; i < rank; i++)
        repeats[i] = i == at ? tiles : 1;
    return STRIDER_OK;
}

static Status tile_infer(InferContext *ctx) {
    const Shape *x = &ctx->inputs[0].shape;
    int64_t repeats[MAX_RANK];
    int count;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    TRY(tile_repeats(ctx, x->rank, repeats, &count));
    Shape *y = &ctx->outputs[0].shape;
    *y = *x;
    if (count >= 0 && count != x->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%d repeats for an input of rank %d", count, x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (count >= 0)
            TRY(infer_check_dim(ctx, repeats[i], "a repeat"));
        if (count < 0 || (x->dims[i] < 0 && repeats[i] != 1))
            y->dims[i] = DIM_UNKNOWN;
        else if (x->dims[i] >= 0 && !i64_mul(x->dims[i], repeats[i], &y->dims[i]))
            return infer_fail(ctx, STRIDER_LIMIT_EXCEEDED, "dimension %d overflows", i);
    }
    return STRIDER_OK;
}

static Status tile_reference(EvalContext *ctx) {
    const Tensor *x = ctx->inputs[0];
    Tensor *y = ctx->outputs[0];
    if (!y->data)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the output's shape does not follow from the inputs");
    int64_t strides[MAX_RANK], counters[MAX_RANK] = {0};
    const Shape *in = &x->type.shape, *out = &y->type.shape;
    size_t size = dtype_size(x->type.dtype);
    shape_strides(in, strides);
    for (int64_t i = 0; i < tensor_elements(y); i++) {
        int64_t from = 0;
        for (int d = 0; d < in->rank; d++)
            from += counters[d] % in->dims[d] * strides[d];
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)from * size, size);
        for (int d = out->rank - 1; d >= 0 && ++counters[d] == out->dims[d]; d--)
            counters[d] = 0;
    }
    return STRIDER_OK;
}

const Op op_tile = {
    OP_NAMED(Tile),
    .since = 1,
    .inputs = {2, 3},
    .outputs = {1, 1},
    .infer = tile_infer,
    .reference = tile_reference,
    .reads = 1u << 1 | 1u << 2,
    .shaped_by = 1u << 1 | 1u << 2,
    .flags = OP_STRINGS,
};
