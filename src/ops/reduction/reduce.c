/* SPDX-License-Identifier: Apache-2.0 */
/* ReduceSum, -Mean, -Max, -Min, -Prod, -L1, -L2, -LogSum, -LogSumExp, -SumSquare.  ONNX 1, 11 (negative
 * axes), 13 or 18 (axes as an input, noop_with_empty_axes), 20 (bool for Max and Min).  Floats are summed in
 * float64, integers exactly. */
#include "ops/reduction/reduce.h"

#include <math.h>
#include <string.h>

#include "base/wrap.h"

#define REAL double
#include "ops/reduction/reduce_formula.h"

static const int kinds[] = {OP_ReduceSum,       OP_ReduceMean,     OP_ReduceMax, OP_ReduceMin,
                            OP_ReduceProd,      OP_ReduceL1,       OP_ReduceL2,  OP_ReduceLogSum,
                            OP_ReduceLogSumExp, OP_ReduceSumSquare};

ReduceKind reduce_kind(const Node *node) {
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
        if (node->op->kind == kinds[i])
            return (ReduceKind)i;
    return R_SUM;
}

static Status reduce_parse(ParseContext *ctx, void *attrs_) {
    ReduceAttrs *attrs = attrs_;
    int count;
    TRY(parse_ints(ctx, "axes", attrs->axes, MAX_RANK, &count));
    attrs->axes_given = count >= 0;
    attrs->n_axes = count < 0 ? 0 : count;
    TRY(parse_bool(ctx, "keepdims", true, &attrs->keepdims));
    return parse_bool(ctx, "noop_with_empty_axes", false, &attrs->noop_with_empty_axes);
}

bool reduce_axes(const ReduceAttrs *attrs, const Tensor *axes, int rank, unsigned *mask) {
    int64_t n = axes ? tensor_elements(axes) : attrs->n_axes;
    *mask = 0;
    if (n == 0) {
        if (!attrs->noop_with_empty_axes)
            *mask = (1u << rank) - 1;
        return true;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t axis = axes ? tensor_get_i64(axes, i) : attrs->axes[i];
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank || (*mask >> axis & 1))
            return false;
        *mask |= 1u << axis;
    }
    return true;
}

static Shape reduced_shape(const Shape *x, unsigned mask, bool keepdims) {
    Shape y = {.rank = 0};
    for (int i = 0; i < x->rank; i++) {
        bool reduced = mask >> i & 1;
        if (!reduced || keepdims)
            y.dims[y.rank++] = reduced ? 1 : x->dims[i];
    }
    return y;
}

static Status reduce_infer(InferContext *ctx) {
    const ReduceAttrs *attrs = infer_attrs(ctx);
    ReduceKind kind = reduce_kind(ctx->node);
    TRY(infer_require_dtype(ctx, 0, kind == R_MAX || kind == R_MIN ? DTYPES_ALL : DTYPES_NUMERIC));
    TRY(infer_require_dtype(ctx, 1, DTYPES_INDEX));
    const Shape *x = &ctx->inputs[0].shape;
    Shape *y = &ctx->outputs[0].shape;
    ctx->outputs[0].dtype = ctx->inputs[0].dtype;
    if (x->rank < 0)
        return STRIDER_OK;
    const Tensor *axes = infer_has_input(ctx, 1) ? ctx->input_values[1] : NULL;
    if (infer_has_input(ctx, 1) && !axes) { /* which axes is not known yet */
        if (attrs->keepdims) {
            y->rank = x->rank;
            for (int i = 0; i < x->rank; i++)
                y->dims[i] = DIM_UNKNOWN;
        }
        return STRIDER_OK;
    }
    unsigned mask;
    if (!reduce_axes(attrs, axes, x->rank, &mask))
        return infer_fail(ctx, STRIDER_BAD_MODEL, "the axes are not distinct axes of an input of rank %d",
                          x->rank);
    *y = reduced_shape(x, mask, attrs->keepdims);
    return STRIDER_OK;
}

/* The elements that make one of the output, which lie at its first one's place plus the offsets of a box. */
typedef struct Group {
    int rank;
    int64_t dims[MAX_RANK], strides[MAX_RANK], count;
} Group;

/* *kept are the first elements of the groups, in the output's order. */
static void split(const Shape *x, unsigned mask, Group *kept, Group *reduced) {
    int64_t strides[MAX_RANK];
    shape_strides(x, strides);
    kept->count = reduced->count = 1;
    kept->rank = reduced->rank = 0;
    for (int d = 0; d < x->rank; d++) {
        Group *group = mask >> d & 1 ? reduced : kept;
        group->dims[group->rank] = x->dims[d];
        group->strides[group->rank++] = strides[d];
        group->count *= x->dims[d];
    }
}

static int64_t next_place(const Group *group, int64_t counters[MAX_RANK], int64_t at) {
    for (int d = group->rank - 1; d >= 0; d--) {
        at += group->strides[d];
        if (++counters[d] < group->dims[d])
            return at;
        at -= group->strides[d] * group->dims[d];
        counters[d] = 0;
    }
    return at;
}

/* Runs BODY for each of a group's elements; `place` is declared as its place in the input. */
#define FOR_EACH_PLACE(group, first, place, BODY)                                                            \
    do {                                                                                                     \
        int64_t counters_[MAX_RANK] = {0}, place = (first);                                                  \
        for (int64_t i_ = 0; i_ < (group)->count; i_++, place = next_place(group, counters_, place))         \
            BODY                                                                                             \
    } while (0)

static double reduce_group(const Tensor *x, ReduceKind kind, const Group *group, int64_t first) {
    double sum = reduce_start(kind), peak = 0;
    if (kind == R_LOG_SUM_EXP) {
        peak = reduce_start(R_MAX);
        FOR_EACH_PLACE(group, first, at, { peak = reduce_join(R_MAX, peak, tensor_get_f64(x, at)); });
    }
    FOR_EACH_PLACE(group, first, at,
                   { sum = reduce_join(kind, sum, reduce_term(kind, tensor_get_f64(x, at), peak)); });
    return reduce_result(kind, sum, peak, (double)group->count);
}

static double multiply_group(const Tensor *x, const Group *group, int64_t first) {
    Product product = product_of(1, 0);
    FOR_EACH_PLACE(group, first, at,
                   { product = product_join(product, product_of(tensor_get_f64(x, at), 0)); });
    return product_result(product);
}

/* What no element changes. */
static uint64_t integer_start(ReduceKind kind, DType dtype) {
    uint64_t top = (uint64_t)1 << (8 * dtype_size(dtype) - 1);
    if (kind == R_MAX)
        return dtype_is_signed(dtype) ? wrap_sub(0, top) : 0;
    if (kind == R_MIN && dtype != STRIDER_BOOL)
        return dtype_is_signed(dtype) ? top - 1 : top | (top - 1);
    return kind == R_PROD || kind == R_MIN;
}

static uint64_t integer_step(ReduceKind kind, bool is_signed, uint64_t sum, uint64_t x) {
    bool less = is_signed ? (int64_t)sum < (int64_t)x : sum < x;
    switch (kind) {
    case R_MAX:
        return less ? x : sum;
    case R_MIN:
        return less ? sum : x;
    case R_PROD:
        return wrap_mul(sum, x);
    case R_L1:
        return wrap_add(sum, is_signed ? wrap_magnitude((int64_t)x) : x);
    case R_SUM_SQUARE:
        return wrap_add(sum, wrap_mul(x, x));
    default:
        return wrap_add(sum, x);
    }
}

/* Sum, Max, Min, Prod, L1 and SumSquare of integers and bools: exact in 64 bits, then cut to the type, which
 * is wrapping around. */
static uint64_t reduce_integer_group(const Tensor *x, ReduceKind kind, const Group *group, int64_t first) {
    const DType dtype = x->type.dtype;
    uint64_t sum = integer_start(kind, dtype);
    FOR_EACH_PLACE(group, first, at,
                   { sum = integer_step(kind, dtype_is_signed(dtype), sum, tensor_get_bits(x, at)); });
    return sum;
}

static Status reduce_reference(EvalContext *ctx) {
    const ReduceAttrs *attrs = eval_attrs(ctx);
    ReduceKind kind = reduce_kind(ctx->node);
    unsigned mask;
    const Type *x = &ctx->inputs[0]->type;
    int rank = x->shape.rank;
    if (!reduce_axes(attrs, eval_input(ctx, 1), rank, &mask))
        return eval_fail(ctx, STRIDER_BAD_MODEL, "the axes are not distinct axes of an input of rank %d",
                         rank);
    Shape out = reduced_shape(&x->shape, mask, attrs->keepdims);
    TRY(eval_set_output_shape(ctx, 0, x->dtype, &out));
    if (!mask && attrs->noop_with_empty_axes && kind != R_L1 && kind != R_L2 && kind != R_LOG_SUM &&
        kind != R_SUM_SQUARE && kind != R_LOG_SUM_EXP) {
        memcpy(ctx->outputs[0]->data, ctx->inputs[0]->data, ctx->inputs[0]->size_bytes);
        return STRIDER_OK;
    }
    bool exact = kind == R_SUM || kind == R_MAX || kind == R_MIN || kind == R_PROD || kind == R_L1 ||
                 kind == R_SUM_SQUARE;
    Group kept, reduced;
    split(&x->shape, mask, &kept, &reduced);
    int64_t to = 0;
    FOR_EACH_PLACE(&kept, 0, first, {
        if (!dtype_is_float(x->dtype) && exact)
            tensor_set_bits(ctx->outputs[0], to++,
                            reduce_integer_group(ctx->inputs[0], kind, &reduced, first));
        else if (kind == R_PROD)
            tensor_set_f64(ctx->outputs[0], to++, multiply_group(ctx->inputs[0], &reduced, first));
        else
            tensor_set_f64(ctx->outputs[0], to++, reduce_group(ctx->inputs[0], kind, &reduced, first));
    });
    return STRIDER_OK;
}

#define REDUCE(ROW, NAME)                                                                                    \
    const Op ROW = {                                                                                         \
        OP_NAMED(NAME),                                                                                      \
        .since = 1,                                                                                          \
        .inputs = {1, 2},                                                                                    \
        .outputs = {1, 1},                                                                                   \
        .attrs_size = sizeof(ReduceAttrs),                                                                   \
        .parse = reduce_parse,                                                                               \
        .infer = reduce_infer,                                                                               \
        .reads = 1u << 1,                                                                                    \
        .shaped_by = 1u << 1,                                                                                \
        .reference = reduce_reference,                                                                       \
    };

REDUCE(op_reduce_sum, ReduceSum)
REDUCE(op_reduce_mean, ReduceMean)
REDUCE(op_reduce_max, ReduceMax)
REDUCE(op_reduce_min, ReduceMin)
REDUCE(op_reduce_prod, ReduceProd)
REDUCE(op_reduce_l1, ReduceL1)
REDUCE(op_reduce_l2, ReduceL2)
REDUCE(op_reduce_log_sum, ReduceLogSum)
REDUCE(op_reduce_log_sum_exp, ReduceLogSumExp)
REDUCE(op_reduce_sum_square, ReduceSumSquare)
