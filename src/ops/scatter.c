/* SPDX-License-Identifier: Apache-2.0 */
/* ScatterElements (ONNX 11; Scatter 9 is its old name), ScatterND (11): a copy of `data` in which the
 * elements at `indices` become those of `updates`; with a `reduction` (16: add, mul; 18: max, min) they are
 * joined with what is there.  Negative indices count from the end; one that is out of range is an error.  Of
 * updates to one place the last counts. */
#include <inttypes.h>
#include <string.h>

#include "ops/concat.h"

typedef enum Reduction {
    REDUCTION_NONE,
    REDUCTION_ADD,
    REDUCTION_MUL,
    REDUCTION_MAX,
    REDUCTION_MIN
} Reduction;

typedef struct ScatterAttrs {
    int64_t axis;  /* of ScatterElements */
    int reduction; /* a Reduction */
} ScatterAttrs;

enum { SCATTER_DATA, SCATTER_INDICES, SCATTER_UPDATES };

static Status scatter_parse(ParseContext *ctx, void *attrs_) {
    static const char *const names[] = {"none", "add", "mul", "max", "min", NULL};
    ScatterAttrs *attrs = attrs_;
    TRY(parse_int(ctx, "axis", 0, &attrs->axis));
    return parse_enum(ctx, "reduction", names, REDUCTION_NONE, &attrs->reduction);
}

static Status infer_operands(InferContext *ctx) {
    TRY(infer_require_dtype(ctx, SCATTER_INDICES, DTYPES_INDEX));
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

/* An index into a dimension. */
static Status get_index(EvalContext *ctx, int64_t i, int64_t dim, int64_t *index) {
    const int64_t stated = tensor_get_i64(ctx->inputs[SCATTER_INDICES], i);
    *index = stated < 0 ? stated + dim : stated;
    if (*index < 0 || *index >= dim)
        return eval_fail(ctx, STRIDER_BAD_MODEL, "index %" PRId64 " is outside a dimension of %" PRId64,
                         stated, dim);
    return STRIDER_OK;
}

static double join_floats(Reduction reduction, double old, double update) {
    switch (reduction) {
    case REDUCTION_ADD:
        return old + update;
    case REDUCTION_MUL:
        return old * update;
    case REDUCTION_MAX:
        return old > update || old != old ? old : update;
    case REDUCTION_MIN:
        return old < update || old != old ? old : update;
    case REDUCTION_NONE:
        break;
    }
    return update;
}

static int64_t join_integers(Reduction reduction, int64_t old, int64_t update) {
    switch (reduction) {
    case REDUCTION_ADD:
        return (int64_t)((uint64_t)old + (uint64_t)update);
    case REDUCTION_MUL:
        return (int64_t)((uint64_t)old * (uint64_t)update);
    case REDUCTION_MAX:
        return old > update ? old : update;
    case REDUCTION_MIN:
        return old < update ? old : update;
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
                join_floats(reduction, tensor_get_f64(y, to + i), tensor_get_f64(updates, from + i)));
        else
            tensor_set_i64(
                y, to + i,
                join_integers(reduction, tensor_get_i64(y, to + i), tensor_get_i64(updates, from + i)));
}

static void copy_data(EvalContext *ctx) {
    if (ctx->outputs[0]->size_bytes)
        memcpy(ctx->outputs[0]->data, ctx->inputs[SCATTER_DATA]->data, ctx->outputs[0]->size_bytes);
}

/* --- ScatterElements
 * ------------------------------------------------------------------------------------------- */

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
    const Shape *x = &ctx->inputs[SCATTER_DATA]->type.shape,
                *indices = &ctx->inputs[SCATTER_INDICES]->type.shape;
    const int axis = axis_resolve(attrs->axis, x->rank);
    int64_t strides[MAX_RANK], counters[MAX_RANK] = {0}, index;
    shape_strides(x, strides);
    copy_data(ctx);
    const int64_t count = tensor_elements(ctx->inputs[SCATTER_INDICES]);
    for (int64_t i = 0; i < count; i++) {
        TRY(get_index(ctx, i, x->dims[axis], &index));
        int64_t to = index * strides[axis];
        for (int d = 0; d < x->rank; d++)
            to += d == axis ? 0 : counters[d] * strides[d];
        put(ctx, to, i, 1);
        for (int d = x->rank - 1; d >= 0 && ++counters[d] == indices->dims[d]; d--)
            counters[d] = 0;
    }
    return STRIDER_OK;
}

#define SCATTER_ELEMENTS(ROW, NAME, SINCE)                                                                   \
    const Op ROW = {                                                                                         \
        .name = NAME,                                                                                        \
        .since = SINCE,                                                                                      \
        .inputs = {3, 3},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(ScatterAttrs),                                                                  \
        .parse = scatter_parse,                                                                              \
        .infer = scatter_elements_infer,                                                                     \
        .reference = scatter_elements_reference,                                                             \
    };

SCATTER_ELEMENTS(op_scatter, "Scatter", 9)
SCATTER_ELEMENTS(op_scatter_elements, "ScatterElements", 11)

/* --- ScatterND: indices are tuples into the first dimensions, updates the rest of the data at each
 * ------------------ */

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
    const Shape *x = &ctx->inputs[SCATTER_DATA]->type.shape,
                *indices = &ctx->inputs[SCATTER_INDICES]->type.shape;
    const int depth = (int)indices->dims[indices->rank - 1];
    const int64_t n = shape_size(indices, 0, indices->rank - 1), part = shape_size(x, depth, x->rank);
    int64_t strides[MAX_RANK], index;
    shape_strides(x, strides);
    copy_data(ctx);
    for (int64_t i = 0; i < n; i++) {
        int64_t to = 0;
        for (int d = 0; d < depth; d++) {
            TRY(get_index(ctx, i * depth + d, x->dims[d], &index));
            to += index * strides[d];
        }
        put(ctx, to, i * part, part);
    }
    return STRIDER_OK;
}

const Op op_scatter_nd = {
    .name = "ScatterND",
    .since = 11,
    .inputs = {3, 3},
    .outputs = {1, 1},
    .attrs_size = sizeof(ScatterAttrs),
    .parse = scatter_parse,
    .infer = scatter_nd_infer,
    .reference = scatter_nd_reference,
};
