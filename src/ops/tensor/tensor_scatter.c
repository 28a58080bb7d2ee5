/* SPDX-License-Identifier: Apache-2.0 */
/* TensorScatter (ONNX 24): a cache with an update's rows along `axis` in the place of its own, from each
 * batch's write index on, 0 where none is given; circular: rows after the last one go on with the first. */
#include <inttypes.h>
#include <string.h>

#include "ops/op.h"

enum { SCATTER_CACHE, SCATTER_UPDATE, SCATTER_INDICES };

typedef struct TensorScatterAttrs {
    int64_t axis; /* may be negative */
    bool circular;
} TensorScatterAttrs;

static Status tensor_scatter_parse(ParseContext *ctx, void *attrs_) {
    static const char *const modes[] = {"linear", "circular", NULL};
    TensorScatterAttrs *attrs = attrs_;
    int mode;
    TRY(parse_int(ctx, "axis", -2, &attrs->axis));
    TRY(parse_enum(ctx, "mode", modes, 0, &mode));
    attrs->circular = mode == 1;
    return STRIDER_OK;
}

static Status check_update(InferContext *ctx, int axis) {
    const Shape *cache = &ctx->inputs[SCATTER_CACHE].shape, *update = &ctx->inputs[SCATTER_UPDATE].shape;
    TRY(infer_require_rank(ctx, SCATTER_UPDATE, cache->rank, cache->rank));
    for (int i = 0; i < update->rank; i++) {
        const int64_t have = update->dims[i], size = cache->dims[i];
        if (have >= 0 && size >= 0 && (i == axis ? have > size : have != size))
            return infer_fail(ctx, STRIDER_BAD_MODEL,
                              "the update has %" PRId64 " elements in dimension %d, the cache %" PRId64, have,
                              i, size);
    }
    return STRIDER_OK;
}

static Status tensor_scatter_infer(InferContext *ctx) {
    const TensorScatterAttrs *attrs = infer_attrs(ctx);
    const Shape *cache = &ctx->inputs[SCATTER_CACHE].shape, *indices = NULL;
    TRY(infer_require_dtype(ctx, SCATTER_CACHE, DTYPES_ALL));
    TRY(infer_require_same_dtype(ctx, SCATTER_CACHE, SCATTER_UPDATE));
    TRY(infer_require_rank(ctx, SCATTER_CACHE, 2, -1));
    ctx->outputs[0] = ctx->inputs[SCATTER_CACHE];
    if (infer_has_input(ctx, SCATTER_INDICES)) {
        TRY(infer_require_dtype(ctx, SCATTER_INDICES, DTYPE_BIT(STRIDER_I64)));
        TRY(infer_require_rank(ctx, SCATTER_INDICES, 1, 1));
        indices = &ctx->inputs[SCATTER_INDICES].shape;
    }
    if (cache->rank < 0)
        return STRIDER_OK;
    int axis;
    TRY(infer_axis(ctx, attrs->axis, cache->rank, &axis));
    if (axis == 0)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "axis must not be the dimension of batches");
    if (indices && indices->rank == 1 && indices->dims[0] >= 0 && cache->dims[0] >= 0 &&
        indices->dims[0] != cache->dims[0])
        return infer_fail(ctx, STRIDER_BAD_MODEL, "%" PRId64 " write indices for %" PRId64 " batches",
                          indices->dims[0], cache->dims[0]);
    return check_update(ctx, axis);
}

/* The first row to write; any integer where it goes around. */
static Status first_row(EvalContext *ctx, int64_t batch, int64_t rows, int64_t size, int64_t *first) {
    const TensorScatterAttrs *attrs = eval_attrs(ctx);
    const Tensor *indices = eval_input(ctx, SCATTER_INDICES);
    *first = indices ? tensor_get_i64(indices, batch) : 0;
    if (attrs->circular && size > 0)
        *first = (*first % size + size) % size;
    else if (*first < 0 || *first > size - rows)
        return eval_fail(ctx, STRIDER_BAD_MODEL,
                         "%" PRId64 " rows from %" PRId64 " on do not fit a cache of %" PRId64, rows, *first,
                         size);
    return STRIDER_OK;
}

static Status tensor_scatter_reference(EvalContext *ctx) {
    const TensorScatterAttrs *attrs = eval_attrs(ctx);
    const Tensor *cache = ctx->inputs[SCATTER_CACHE], *update = ctx->inputs[SCATTER_UPDATE];
    const Shape *shape = &cache->type.shape;
    const int axis = (int)(attrs->axis < 0 ? attrs->axis + shape->rank : attrs->axis);
    const int64_t size = shape->dims[axis], rows = update->type.shape.dims[axis];
    const int64_t prefixes = shape_size(shape, 1, axis);
    const size_t row_bytes = (size_t)shape_size(shape, axis + 1, shape->rank) * dtype_size(cache->type.dtype);
    const char *from = update->data;
    char *to = ctx->outputs[0]->data;
    memcpy(to, cache->data, cache->size_bytes);
    for (int64_t batch = 0; batch < shape->dims[0] && rows > 0; batch++) {
        int64_t first;
        TRY(first_row(ctx, batch, rows, size, &first));
        for (int64_t prefix = 0; prefix < prefixes; prefix++, to += (size_t)size * row_bytes)
            for (int64_t row = 0; row < rows; row++, from += row_bytes)
                memcpy(to + (size_t)((first + row) % size) * row_bytes, from, row_bytes);
    }
    return STRIDER_OK;
}

const Op op_tensor_scatter = {
    OP_NAMED(TensorScatter),
    .since = 24,
    .inputs = {2, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(TensorScatterAttrs),
    .parse = tensor_scatter_parse,
    .infer = tensor_scatter_infer,
    .reference = tensor_scatter_reference,
};
