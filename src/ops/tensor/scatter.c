/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements (ONNX 11; Scatter 9 is its old name), ScatterND (11): a copy of `data` in which the
 * elements at `indices` become those of `updates`; with a `reduction` (16: add, mul; 18: max, min) they are
 * joined with what is there.  Negative indices count from the end; one that is out of range is an error.  Of
 * updates to one place the last counts. */
#include "ops/tensor/scatter.h"

#include <inttypes.h>
#include <string.h>

#include "base/wrap.h"
#include "ops/tensor/indexed.h"

#define REAL double
#include "ops/tensor/scatter_formula.h"

static Status scatter_parse(ParseContext *ctx, void *attrs_) {
    static const char *const names[] = {"none", "add", "mul", "max", "min", NULL};
    ScatterAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", 0, &attrs->axis));
    return parse_enum(ctx, "reduction", names, REDUCTION_NONE, &attrs->reduction);
}

static Status infer_operands(InferContext *ctx) {
    const ScatterAttrs *attrs = infer_attrs(ctx);
    TRY(infer_require_dtype(ctx, SCATTER_INDICES, DTYPES_INDEX));
    if (attrs->reduction != REDUCTION_NONE)
        TRY(infer_require_dtype(ctx, SCATTER_DATA, DTYPES_ALL));
    TRY(infer_require_same_dtype(ctx, SCATTER_DATA, SCATTER_UPDATES));
    TRY(infer_require_rank(ctx, SCATTER_DATA, 1, -1));
    ctx->outputs[0] = ctx->inputs[SCATTER_DATA];
    return STRIDER_OK;
}

static Status check_dim(InferContext *ctx, int i, int64_t have, int64_t want) {
    if (have >= 0 && want >= 0 && have != want)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "dimension %d of updates is %" PRId64 ", must be %" PRId64,
                          i, have, want);
    return STRIDER_OK;
}

/* The bits of integers and bools. */
static uint64_t join_bits(Reduction reduction, bool is_signed, uint64_t old, uint64_t update) {
    const bool less = is_signed ? (int64_t)old < (int64_t)update : old < update;
    switch (reduction) {
    case REDUCTION_ADD:
        return wrap_add(old, update);
    case REDUCTION_MUL:
        return wrap_mul(old, update);
    case REDUCTION_MAX:
        return less ? update : old;
    case REDUCTION_MIN:
        return less ? old : update;
    case REDUCTION_NONE:
        break;
    }
    return update;
}

/* Elements [from, from + count) of the updates to [to, to + count) of the output. */
static void put(EvalContext *ctx, int64_t to, int64_t from, int64_t count) {
    const ScatterAttrs *attrs = eval_attrs(ctx);
    const Tensor *updates = ctx->inputs[SCATTER_UPDATES];
    Tensor *y = ctx->outputs[0];
    const size_t size = dtype_size(y->type.dtype);
    if (count && attrs->reduction == REDUCTION_NONE) {
        memcpy((char *)y->data + (size_t)to * size, (const char *)updates->data + (size_t)from * size,
               (size_t)count * size);
        return;
    }
    const Reduction reduction = (Reduction)attrs->reduction;
    for (int64_t i = 0; i < count; i++)
        if (dtype_is_float(y->type.dtype))
            tensor_set_f64(
                y, to + i,
                scatter_join(reduction, tensor_get_f64(y, to + i), tensor_get_f64(updates, from + i)));
        else
            tensor_set_bits(y, to + i,
                            join_bits(reduction, dtype_is_signed(y->type.dtype), tensor_get_bits(y, to + i),
                                      tensor_get_bits(updates, from + i)));
}

static Status scatter(EvalContext *ctx, const IndexedParts *parts) {
    const Tensor *y = ctx->outputs[0];
    const int64_t count = indexed_count(parts);
    IndexedWalk walk = indexed_walk(parts, ctx->inputs[SCATTER_INDICES]);
    if (y->size_bytes)
        memcpy(y->data, ctx->inputs[SCATTER_DATA]->data, y->size_bytes);
    for (int64_t i = 0; i < count; i++) {
        int64_t at;
        if (!indexed_next(&walk, &at))
            return indexed_fail(ctx, &walk);
        put(ctx, at, i * parts->part, parts->part);
    }
    return STRIDER_OK;
}

/* --- ScatterElements --- */

static Status scatter_elements_infer(InferContext *ctx) {
    const ScatterAttrs *attrs = infer_attrs(ctx);
    TRY(infer_operands(ctx));
    const Shape *x = &ctx->inputs[SCATTER_DATA].shape, *indices = &ctx->inputs[SCATTER_INDICES].shape,
                *updates = &ctx->inputs[SCATTER_UPDATES].shape;
    if (x->rank < 0)
        return STRIDER_OK;
    int axis;
    TRY(infer_axis(ctx, attrs->axis, x->rank, &axis));
    TRY(infer_require_rank(ctx, SCATTER_INDICES, x->rank, x->rank));
    TRY(infer_require_rank(ctx, SCATTER_UPDATES, x->rank, x->rank));
    for (int i = 0; i < x->rank && indices->rank >= 0; i++) {
        if (updates->rank >= 0)
            TRY(check_dim(ctx, i, updates->dims[i], indices->dims[i]));
        if (i != axis && x->dims[i] >= 0 && indices->dims[i] > x->dims[i])
            return infer_fail(ctx, STRIDER_BAD_MODEL, "the indices are larger than the data in dimension %d",
                              i);
    }
    return STRIDER_OK;
}

static Status scatter_elements_reference(EvalContext *ctx) {
    const ScatterAttrs *attrs = eval_attrs(ctx);
    const IndexedParts parts = indexed_elements(attrs->axis, &ctx->inputs[SCATTER_DATA]->type.shape,
                                                &ctx->inputs[SCATTER_INDICES]->type.shape);
    return scatter(ctx, &parts);
}

#define SCATTER_ELEMENTS(ROW, NAME, SINCE)                                                                   \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = SINCE,                                                                                      \
        .inputs = {3, 3},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(ScatterAttrs),                                                                  \
        .parse = scatter_parse,                                                                              \
        .infer = scatter_elements_infer,                                                                     \
        .reference = scatter_elements_reference,                                                             \
        .flags = OP_STRINGS,                                                                                 \
    };

SCATTER_ELEMENTS(op_scatter, Scatter, 9)
SCATTER_ELEMENTS(op_scatter_elements, ScatterElements, 11)

/* --- ScatterND: indices are tuples into the first dimensions, updates the rest of the data at each --- */

static Status scatter_nd_infer(InferContext *ctx) {
    TRY(infer_operands(ctx));
    TRY(infer_require_rank(ctx, SCATTER_INDICES, 1, -1));
    const Shape *x = &ctx->inputs[SCATTER_DATA].shape, *indices = &ctx->inputs[SCATTER_INDICES].shape,
                *updates = &ctx->inputs[SCATTER_UPDATES].shape;
    if (x->rank < 0 || indices->rank < 0 || indices->dims[indices->rank - 1] < 0)
        return STRIDER_OK;
    const int64_t depth = indices->dims[indices->rank - 1];
    if (depth < 1 || depth > x->rank)
        return infer_fail(ctx, STRIDER_BAD_MODEL, "tuples of %" PRId64 " indices do not fit data of rank %d",
                          depth, x->rank);
    const int tuples = indices->rank - 1, rank = tuples + x->rank - (int)depth;
    TRY(infer_require_rank(ctx, SCATTER_UPDATES, rank, rank));
    for (int i = 0; i < rank && updates->rank >= 0; i++)
        TRY(check_dim(ctx, i, updates->dims[i],
                      i < tuples ? indices->dims[i] : x->dims[i - tuples + (int)depth]));
    return STRIDER_OK;
}

static Status scatter_nd_reference(EvalContext *ctx) {
    const IndexedParts parts = indexed_by_tuples(0, &ctx->inputs[SCATTER_DATA]->type.shape,
                                                 &ctx->inputs[SCATTER_INDICES]->type.shape);
    return scatter(ctx, &parts);
}

const Op op_scatter_nd = {
    OP_NAMED(ScatterND),
    .since = 11,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(ScatterAttrs),
    .parse = scatter_parse,
    .infer = scatter_nd_infer,
    .reference = scatter_nd_reference,
    .flags = OP_STRINGS,
};
