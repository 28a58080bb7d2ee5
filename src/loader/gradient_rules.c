/* SPDX-License-Identifier: Apache-2.0 */
/* The derivative of each operator that has one here: what of its output's adjoint g each input gets.  Rules
 * use operators that have rules themselves, so that there are derivatives of derivatives. */
#include <math.h>

#include "loader/gradient.h"
#include "ops/math/binary.h"
#include "ops/math/gemm.h"
#include "ops/math/softmax.h"
#include "ops/math/unary.h"
#include "ops/reduction/reduce.h"
#include "ops/tensor/cast.h"
#include "ops/tensor/concat.h"
#include "ops/tensor/transpose.h"

static Status multiply(const Derivative *d, Value *a, Value *b, Value **y) {
    return expansion_binary(d->e, "Mul", a, b, y);
}

/* condition ? a : 0 */
static Status mask(const Derivative *d, Value *condition, Value *a, Value **y) {
    Value *zero;
    TRY(expansion_number_like(d->e, a, 0, &zero));
    return expansion_apply(d->e, "Where", 9, NO_ATTRS, INPUTS(condition, a, zero), y);
}

static Status is_above_zero(const Derivative *d, Value *x, Value **y) {
    Value *zero;
    TRY(expansion_number_like(d->e, x, 0, &zero));
    return expansion_binary(d->e, "Greater", x, zero, y);
}

/* --- one input, element by element: g * slope(x), where y is the output --- */

typedef Status SlopeRule(const Derivative *d, Value *x, Value *y, Value **slope);

static Status exp_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)d;
    (void)x;
    *slope = y;
    return STRIDER_OK;
}

static Status log_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    return expansion_unary(d->e, "Reciprocal", x, slope);
}

/* 1 / (2 y) */
static Status sqrt_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)x;
    TRY(expansion_binary(d->e, "Add", y, y, slope));
    return expansion_unary(d->e, "Reciprocal", *slope, slope);
}

/* -y^2 */
static Status reciprocal_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)x;
    TRY(multiply(d, y, y, slope));
    return expansion_unary(d->e, "Neg", *slope, slope);
}

static Status abs_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    return expansion_unary(d->e, "Sign", x, slope);
}

static Status sin_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    return expansion_unary(d->e, "Cos", x, slope);
}

static Status cos_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    TRY(expansion_unary(d->e, "Sin", x, slope));
    return expansion_unary(d->e, "Neg", *slope, slope);
}

/* 1 - y^2 */
static Status tanh_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    Value *one;
    (void)x;
    TRY(expansion_number_like(d->e, y, 1, &one));
    TRY(multiply(d, y, y, slope));
    return expansion_binary(d->e, "Sub", one, *slope, slope);
}

/* y (1 - y) */
static Status sigmoid_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    Value *one;
    (void)x;
    TRY(expansion_number_like(d->e, y, 1, &one));
    TRY(expansion_binary(d->e, "Sub", one, y, slope));
    return multiply(d, y, *slope, slope);
}

/* 1 where x > 0, else alpha */
static Status leaky_relu_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    Value *condition, *one, *alpha;
    Unary unary;
    (void)y;
    if (!node_unary(d->node, &unary))
        return derivative_fail(d, "its slope is not known");
    TRY(is_above_zero(d, x, &condition));
    TRY(expansion_number_like(d->e, x, 1, &one));
    TRY(expansion_number_like(d->e, x, unary.alpha, &alpha));
    return expansion_apply(d->e, "Where", 9, NO_ATTRS, INPUTS(condition, one, alpha), slope);
}

static Status softplus_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    return expansion_unary(d->e, "Sigmoid", x, slope);
}

/* 2 / sqrt(pi) * exp(-x^2) */
static Status erf_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    (void)y;
    TRY(multiply(d, x, x, slope));
    TRY(expansion_unary(d->e, "Neg", *slope, slope));
    TRY(expansion_unary(d->e, "Exp", *slope, slope));
    return expansion_scale(d->e, (float)M_2_SQRTPI, slope);
}

static Status identity_rule(Derivative *d) {
    return derivative_give(d, 0, d->g);
}

static Status neg_rule(Derivative *d) {
    Value *dx;
    TRY(expansion_unary(d->e, "Neg", d->g, &dx));
    return derivative_give(d, 0, dx);
}

/* No product: g may be infinite. */
static Status relu_rule(Derivative *d) {
    Value *condition, *dx;
    TRY(is_above_zero(d, derivative_input(d, 0), &condition));
    TRY(mask(d, condition, d->g, &dx));
    return derivative_give(d, 0, dx);
}

/* To a float: see derivative_rule(). */
static Status cast_rule(Derivative *d) {
    Value *dx;
    TRY(expansion_binary(d->e, "CastLike", d->g, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* Nothing where the output is an integer: 1/2 of its type is 0 then. */
static Status cast_like_rule(Derivative *d) {
    Value *x = derivative_input(d, 0), *half, *dx;
    TRY(expansion_number_like(d->e, d->node->outputs[0], 0.5f, &half));
    TRY(expansion_binary(d->e, "CastLike", half, x, &half));
    TRY(expansion_scale(d->e, 2, &half));
    TRY(expansion_binary(d->e, "CastLike", d->g, x, &dx));
    TRY(multiply(d, dx, half, &dx));
    return derivative_give(d, 0, dx);
}

/* --- operators that broadcast --- */

/* False where an input surely has the output's shape; of many inputs that is not asked. */
static bool may_repeat(const Derivative *d, const Value *x) {
    enum { FEW = 3 };
    for (int i = 0; i < d->node->n_inputs && d->node->n_inputs <= FEW; i++) {
        const Value *other = d->node->inputs[i];
        if (other && other != x && !(other->constant && other->constant->type.shape.rank == 0))
            return true;
    }
    return d->node->n_inputs > FEW;
}

/* Gives the sum over what broadcasting repeated of an input. */
static Status give_broadcast(Derivative *d, int port, Value *value) {
    Value *x = derivative_input(d, port);
    if (!derivative_wants(d, port))
        return STRIDER_OK;
    if (may_repeat(d, x))
        TRY(sum_to_like(d->e, value, x, &value));
    return derivative_give(d, port, value);
}

/* Before opset 7 the second input may stand anywhere. */
static Status check_broadcast(const Derivative *d) {
    const BinaryAttrs *attrs = d->node->attrs;
    return attrs->legacy_broadcast && attrs->axis != -1
               ? derivative_fail(d, "its derivative with a broadcast along an axis is not supported")
               : STRIDER_OK;
}

static Status add_rule(Derivative *d) {
    TRY(check_broadcast(d));
    TRY(give_broadcast(d, 0, d->g));
    return give_broadcast(d, 1, d->g);
}

static Status sub_rule(Derivative *d) {
    Value *db;
    TRY(check_broadcast(d));
    TRY(give_broadcast(d, 0, d->g));
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(expansion_unary(d->e, "Neg", d->g, &db));
    return give_broadcast(d, 1, db);
}

static Status mul_rule(Derivative *d) {
    Value *dx;
    TRY(check_broadcast(d));
    for (int port = 0; port < 2; port++) {
        if (!derivative_wants(d, port))
            continue;
        TRY(multiply(d, d->g, derivative_input(d, 1 - port), &dx));
        TRY(give_broadcast(d, port, dx));
    }
    return STRIDER_OK;
}

/* g / b, and -g / b * y */
static Status div_rule(Derivative *d) {
    Value *da, *db;
    TRY(check_broadcast(d));
    TRY(expansion_binary(d->e, "Div", d->g, derivative_input(d, 1), &da));
    TRY(give_broadcast(d, 0, da));
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(multiply(d, da, d->node->outputs[0], &db));
    TRY(expansion_unary(d->e, "Neg", db, &db));
    return give_broadcast(d, 1, db);
}

/* g * n * x^(n - 1), and 0 where n is 0; n may be an integer. */
static Status power_base(Derivative *d, Value *x, Value *n) {
    Value *one, *zero, *dx, *factor, *is_zero, *is_not_zero;
    TRY(expansion_number_like(d->e, n, 1, &one));
    TRY(expansion_number_like(d->e, n, 0, &zero));
    TRY(expansion_binary(d->e, "Sub", n, one, &dx));
    TRY(expansion_binary(d->e, "Pow", x, dx, &dx));
    TRY(expansion_binary(d->e, "CastLike", n, x, &factor));
    TRY(multiply(d, factor, dx, &dx));
    TRY(expansion_binary(d->e, "Equal", n, zero, &is_zero));
    TRY(expansion_unary(d->e, "Not", is_zero, &is_not_zero));
    TRY(mask(d, is_not_zero, dx, &dx));
    TRY(multiply(d, d->g, dx, &dx));
    return give_broadcast(d, 0, dx);
}

/* g * y * log(x), and 0 where x is 0 */
static Status power_exponent(Derivative *d, Value *x, Value *n) {
    Value *zero, *log, *dn, *is_zero, *is_not_zero;
    TRY(expansion_number_like(d->e, x, 0, &zero));
    TRY(expansion_unary(d->e, "Log", x, &log));
    TRY(expansion_binary(d->e, "Equal", x, zero, &is_zero));
    TRY(expansion_unary(d->e, "Not", is_zero, &is_not_zero));
    TRY(mask(d, is_not_zero, log, &log));
    TRY(multiply(d, d->node->outputs[0], log, &dn));
    TRY(multiply(d, d->g, dn, &dn));
    TRY(expansion_binary(d->e, "CastLike", dn, n, &dn));
    return give_broadcast(d, 1, dn);
}

static Status pow_rule(Derivative *d) {
    Value *x = derivative_input(d, 0), *n = derivative_input(d, 1);
    TRY(check_broadcast(d));
    if (derivative_wants(d, 0))
        TRY(power_base(d, x, n));
    return derivative_wants(d, 1) ? power_exponent(d, x, n) : STRIDER_OK;
}

static Status sum_rule(Derivative *d) {
    for (int port = 0; port < d->node->n_inputs; port++)
        TRY(give_broadcast(d, port, d->g));
    return STRIDER_OK;
}

static Status where_rule(Derivative *d) {
    Value *condition = derivative_input(d, 0), *opposite, *dx;
    if (derivative_wants(d, 1)) {
        TRY(mask(d, condition, d->g, &dx));
        TRY(give_broadcast(d, 1, dx));
    }
    if (!derivative_wants(d, 2))
        return STRIDER_OK;
    TRY(expansion_unary(d->e, "Not", condition, &opposite));
    TRY(mask(d, opposite, d->g, &dx));
    return give_broadcast(d, 2, dx);
}

static Status expand_rule(Derivative *d) {
    Value *dx;
    TRY(sum_to_like(d->e, d->g, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* --- products of matrices --- */

static Status transpose_matrix(const Derivative *d, Value *x, Value **y) {
    Node *node;
    TRY(expansion_add(
        d->e, &(NewNode){.type = "Transpose", .opset = 13, .n_inputs = 1, .n_outputs = 1, .inputs = &x}, y,
        &node));
    ((TransposeAttrs *)node->attrs)->form = TRANSPOSE_MATRIX;
    return STRIDER_OK;
}

/* A list of one number: how many dimensions a vector lacks to be a matrix. */
static Status count_missing(const Derivative *d, Value *shape, Value **count) {
    Value *rank, *two, *zero;
    TRY(shape_value(d->e, shape, &rank));
    TRY(expansion_ints(d->e, 1, &(int64_t){2}, &two));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_binary(d->e, "Sub", two, rank, count));
    return expansion_binary(d->e, "Max", *count, zero, count);
}

static Status slice_list(const Derivative *d, Value *list, Value *start, Value *end, Value **part) {
    return expansion_apply(d->e, "Slice", 13, NO_ATTRS, INPUTS(list, start, end), part);
}

/* The factors as matrices: a vector becomes a row on the left, a column on the right; g has that dimension
 * then. */
typedef struct Matrices {
    Value *a, *b, *g;
} Matrices;

static Status adjoint_matrix(const Derivative *d, Value *row, Value *column, Value *column_missing,
                             Value **g) {
    Value *shape, *rank, *zero, *one, *at, *head, *tail;
    TRY(shape_value(d->e, d->g, &shape));
    TRY(shape_value(d->e, shape, &rank));
    TRY(expansion_ints(d->e, 1, &(int64_t){0}, &zero));
    TRY(expansion_ints(d->e, 1, &(int64_t){1}, &one));
    /* The columns' dimension is the last one, unless it is missing; the missing row comes before it. */
    TRY(expansion_binary(d->e, "Sub", rank, one, &at));
    TRY(expansion_binary(d->e, "Add", at, column_missing, &at));
    TRY(slice_list(d, shape, zero, at, &head));
    TRY(slice_list(d, shape, at, rank, &tail));
    TRY(join_shapes(d->e, 4, (Value *[]){head, row, tail, column}, &shape));
    return expansion_binary(d->e, "Reshape", d->g, shape, g);
}

static Status make_matrices(const Derivative *d, Matrices *m) {
    Value *a = derivative_input(d, 0), *b = derivative_input(d, 1);
    Value *a_shape, *b_shape, *a_missing, *b_missing, *row, *column;
    TRY(shape_value(d->e, a, &a_shape));
    TRY(shape_value(d->e, b, &b_shape));
    TRY(count_missing(d, a_shape, &a_missing));
    TRY(count_missing(d, b_shape, &b_missing));
    TRY(ones_value(d->e, a_missing, &row));
    TRY(ones_value(d->e, b_missing, &column));
    TRY(join_shapes(d->e, 2, (Value *[]){row, a_shape}, &a_shape));
    TRY(join_shapes(d->e, 2, (Value *[]){b_shape, column}, &b_shape));
    TRY(expansion_binary(d->e, "Reshape", a, a_shape, &m->a));
    TRY(expansion_binary(d->e, "Reshape", b, b_shape, &m->b));
    return adjoint_matrix(d, row, column, b_missing, &m->g);
}

/* The product of two matrices, as one factor's adjoint. */
static Status give_product(Derivative *d, int port, Value *left, Value *right, Value *like) {
    Value *dx;
    TRY(expansion_binary(d->e, "MatMul", left, right, &dx));
    TRY(sum_to_like(d->e, dx, like, &dx));
    TRY(reshape_like(d->e, dx, derivative_input(d, port), &dx));
    return derivative_give(d, port, dx);
}

/* g B^T and A^T g, summed over batches that were broadcast */
static Status matmul_rule(Derivative *d) {
    Matrices m;
    Value *transposed;
    TRY(make_matrices(d, &m));
    if (derivative_wants(d, 0)) {
        TRY(transpose_matrix(d, m.b, &transposed));
        TRY(give_product(d, 0, m.g, transposed, m.a));
    }
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(transpose_matrix(d, m.a, &transposed));
    return give_product(d, 1, transposed, m.g, m.b);
}

static Status give_gemm(Derivative *d, int port, Value *a, Value *b, bool trans_a, bool trans_b) {
    const GemmAttrs *attrs = d->node->attrs;
    Value *dx;
    TRY(expansion_apply(d->e, "Gemm", 13,
                        ATTRS(expansion_float_attr("alpha", attrs->alpha),
                              expansion_int_attr("transA", trans_a), expansion_int_attr("transB", trans_b)),
                        INPUTS(a, b), &dx));
    return derivative_give(d, port, dx);
}

/* Y = alpha A' B' + beta C */
static Status gemm_rule(Derivative *d) {
    const GemmAttrs attrs = *(const GemmAttrs *)d->node->attrs;
    Value *a = derivative_input(d, GEMM_A), *b = derivative_input(d, GEMM_B), *dc = d->g;
    if (derivative_wants(d, GEMM_A))
        TRY(attrs.trans_a ? give_gemm(d, GEMM_A, b, d->g, attrs.trans_b, true)
                          : give_gemm(d, GEMM_A, d->g, b, false, !attrs.trans_b));
    if (derivative_wants(d, GEMM_B))
        TRY(attrs.trans_b ? give_gemm(d, GEMM_B, d->g, a, true, attrs.trans_a)
                          : give_gemm(d, GEMM_B, a, d->g, !attrs.trans_a, false));
    if (!derivative_wants(d, GEMM_C))
        return STRIDER_OK;
    TRY(expansion_scale(d->e, attrs.beta, &dc));
    return give_broadcast(d, GEMM_C, dc);
}

/* --- reductions --- */

/* The axes as a value; NULL: all. */
static Status reduced_axes(const Derivative *d, Value **axes) {
    const ReduceAttrs *attrs = d->node->attrs;
    *axes = derivative_input(d, 1);
    return attrs->axes_given ? expansion_ints(d->e, attrs->n_axes, attrs->axes, axes) : STRIDER_OK;
}

/* x, which lacks the reduced axes unless they were kept, as large as the operator's input */
static Status spread(const Derivative *d, Value *x, Value **y) {
    const ReduceAttrs *attrs = d->node->attrs;
    Value *axes;
    TRY(reduced_axes(d, &axes));
    if (axes && !attrs->keepdims)
        TRY(expansion_binary(d->e, "Unsqueeze", x, axes, &x));
    return expand_like(d->e, x, derivative_input(d, 0), y);
}

static Status reduce_sum_rule(Derivative *d) {
    Value *dx;
    TRY(spread(d, d->g, &dx));
    return derivative_give(d, 0, dx);
}

/* x / how many elements each of the output was made of */
static Status divide_by_count(const Derivative *d, Value *x, Value **y) {
    Value *in, *out;
    TRY(expansion_unary(d->e, "Size", derivative_input(d, 0), &in));
    TRY(expansion_unary(d->e, "Size", d->node->outputs[0], &out));
    TRY(expansion_binary(d->e, "CastLike", in, x, &in));
    TRY(expansion_binary(d->e, "CastLike", out, x, &out));
    TRY(expansion_binary(d->e, "Div", out, in, &out));
    return multiply(d, x, out, y);
}

static Status reduce_mean_rule(Derivative *d) {
    Value *dx;
    TRY(divide_by_count(d, d->g, &dx));
    TRY(spread(d, dx, &dx));
    return derivative_give(d, 0, dx);
}

static Status global_average_pool_rule(Derivative *d) {
    Value *dx;
    TRY(divide_by_count(d, d->g, &dx));
    TRY(expand_like(d->e, dx, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* The sum along the axis, which stays. */
static Status sum_along(const Derivative *d, Value *x, int64_t axis, Value **y) {
    Value *axes;
    TRY(expansion_ints(d->e, 1, &axis, &axes));
    return expansion_binary(d->e, "ReduceSum", x, axes, y);
}

/* As matrices where the operator takes all dimensions from the axis on for one. */
static Status softmax_operands(const Derivative *d, Value **g, Value **y, int64_t *axis) {
    const SoftmaxAttrs *attrs = d->node->attrs;
    const Attr from = expansion_int_attr("axis", attrs->axis);
    *g = d->g;
    *y = d->node->outputs[0];
    *axis = attrs->flatten ? 1 : attrs->axis;
    if (!attrs->flatten)
        return STRIDER_OK;
    TRY(expansion_apply(d->e, "Flatten", 13, ATTRS(from), INPUTS(*g), g));
    return expansion_apply(d->e, "Flatten", 13, ATTRS(from), INPUTS(*y), y);
}

static Status give_reshaped(Derivative *d, Value *dx) {
    TRY(reshape_like(d->e, dx, derivative_input(d, 0), &dx));
    return derivative_give(d, 0, dx);
}

/* y (g - sum(g y)) */
static Status softmax_rule(Derivative *d) {
    Value *g, *y, *sum, *dx;
    int64_t axis;
    TRY(softmax_operands(d, &g, &y, &axis));
    TRY(multiply(d, g, y, &sum));
    TRY(sum_along(d, sum, axis, &sum));
    TRY(expansion_binary(d->e, "Sub", g, sum, &dx));
    TRY(multiply(d, y, dx, &dx));
    return give_reshaped(d, dx);
}

/* g - exp(y) sum(g) */
static Status log_softmax_rule(Derivative *d) {
    Value *g, *y, *sum, *dx;
    int64_t axis;
    TRY(softmax_operands(d, &g, &y, &axis));
    TRY(sum_along(d, g, axis, &sum));
    TRY(expansion_unary(d->e, "Exp", y, &dx));
    TRY(multiply(d, dx, sum, &dx));
    TRY(expansion_binary(d->e, "Sub", g, dx, &dx));
    return give_reshaped(d, dx);
}

/* --- movements --- */

static Status reshape_rule(Derivative *d) {
    return give_reshaped(d, d->g);
}

static Status transpose_rule(Derivative *d) {
    const TransposeAttrs *attrs = d->node->attrs;
    int64_t perm[MAX_RANK];
    Value *dx;
    if (attrs->form == TRANSPOSE_MATRIX) {
        TRY(transpose_matrix(d, d->g, &dx));
        return derivative_give(d, 0, dx);
    }
    if (attrs->form != TRANSPOSE_BY_PERM)
        return derivative_fail(d, "its derivative is not supported where the batch is transposed");
    for (int i = 0; i < attrs->n_perm; i++)
        perm[i] = 0;
    for (int i = 0; i < attrs->n_perm; i++)
        if (attrs->perm[i] >= 0 && attrs->perm[i] < attrs->n_perm)
            perm[attrs->perm[i]] = i;
    const Attr attr = expansion_ints_attr("perm", perm, attrs->n_perm < 0 ? 0 : (size_t)attrs->n_perm);
    TRY(expansion_apply(d->e, "Transpose", 13, attrs->n_perm < 0 ? NO_ATTRS : ATTRS(attr), INPUTS(d->g),
                        &dx));
    return derivative_give(d, 0, dx);
}

/* The sizes of all inputs along the axis. */
static Status joined_sizes(const Derivative *d, int64_t axis, Value **sizes) {
    const int n = d->node->n_inputs;
    Value **each = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *at, *shape;
    if (!each)
        return no_memory(d->e->loading);
    TRY(expansion_ints(d->e, 1, &axis, &at));
    for (int i = 0; i < n; i++) {
        TRY(shape_value(d->e, derivative_input(d, i), &shape));
        TRY(expansion_binary(d->e, "Gather", shape, at, &each[i]));
    }
    return join_shapes(d->e, n, each, sizes);
}

static Status concat_rule(Derivative *d) {
    const int64_t axis = ((const ConcatAttrs *)d->node->attrs)->axis;
    const int n = d->node->n_inputs;
    Value **parts = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *sizes;
    Node *node;
    if (!parts)
        return no_memory(d->e->loading);
    TRY(joined_sizes(d, axis, &sizes));
    const NewNode split = {.type = "Split",
                           .opset = 13,
                           .attrs = ATTRS(expansion_int_attr("axis", axis)),
                           .n_inputs = 2,
                           .n_outputs = n,
                           .inputs = (Value *[]){d->g, sizes}};
    TRY(expansion_add(d->e, &split, parts, &node));
    for (int i = 0; i < n; i++)
        TRY(derivative_give(d, i, parts[i]));
    return STRIDER_OK;
}

static Status split_rule(Derivative *d) {
    const int64_t axis = ((const SplitAttrs *)d->node->attrs)->axis;
    const int n = d->node->n_outputs;
    Value **parts = region_alloc_array(&d->e->loading->parsed, (size_t)n, sizeof(Value *)), *dx;
    if (!parts)
        return no_memory(d->e->loading);
    for (int i = 0; i < n; i++)
        TRY(derivative_of_output(d, i, &parts[i]));
    TRY(expansion_apply(d->e, "Concat", 13, ATTRS(expansion_int_attr("axis", axis)), n, parts, &dx));
    return derivative_give(d, 0, dx);
}

/* --- the table --- */

Status derivative_is_zero(Derivative *d) {
    (void)d;
    return STRIDER_OK;
}

static const struct {
    OpKind kind;
    DerivativeRule *rule; /* NULL: it has a slope */
    SlopeRule *slope;
} table[] = {
    {OP_Abs, NULL, abs_slope},
    {OP_Add, add_rule, NULL},
    {OP_Cast, cast_rule, NULL},
    {OP_CastLike, cast_like_rule, NULL},
    {OP_Concat, concat_rule, NULL},
    {OP_Cos, NULL, cos_slope},
    {OP_Div, div_rule, NULL},
    {OP_Erf, NULL, erf_slope},
    {OP_Exp, NULL, exp_slope},
    {OP_Expand, expand_rule, NULL},
    {OP_Flatten, reshape_rule, NULL},
    {OP_Gemm, gemm_rule, NULL},
    {OP_GlobalAveragePool, global_average_pool_rule, NULL},
    {OP_Identity, identity_rule, NULL},
    {OP_LeakyRelu, NULL, leaky_relu_slope},
    {OP_Log, NULL, log_slope},
    {OP_LogSoftmax, log_softmax_rule, NULL},
    {OP_MatMul, matmul_rule, NULL},
    {OP_Mul, mul_rule, NULL},
    {OP_Neg, neg_rule, NULL},
    {OP_Pow, pow_rule, NULL},
    {OP_Reciprocal, NULL, reciprocal_slope},
    {OP_ReduceMean, reduce_mean_rule, NULL},
    {OP_ReduceSum, reduce_sum_rule, NULL},
    {OP_Relu, relu_rule, NULL},
    {OP_Reshape, reshape_rule, NULL},
    {OP_Sigmoid, NULL, sigmoid_slope},
    {OP_Sin, NULL, sin_slope},
    {OP_Softmax, softmax_rule, NULL},
    {OP_Softplus, NULL, softplus_slope},
    {OP_Split, split_rule, NULL},
    {OP_Sqrt, NULL, sqrt_slope},
    {OP_Squeeze, reshape_rule, NULL},
    {OP_Sub, sub_rule, NULL},
    {OP_Sum, sum_rule, NULL},
    {OP_Tanh, NULL, tanh_slope},
    {OP_Transpose, transpose_rule, NULL},
    {OP_Unsqueeze, reshape_rule, NULL},
    {OP_Where, where_rule, NULL},
};

/* What is constant between jumps, or reads nothing of its input but its shape. */
static const OpKind steps[] = {
    OP_And,   OP_ArgMax, OP_ArgMin,      OP_Ceil,           OP_ConstantOfShape,
    OP_Equal, OP_Floor,  OP_Greater,     OP_GreaterOrEqual, OP_IsInf,
    OP_IsNaN, OP_Less,   OP_LessOrEqual, OP_NonZero,        OP_Not,
    OP_Or,    OP_Round,  OP_Shape,       OP_Sign,           OP_Size,
    OP_Xor,
};

static Status slope_rule(Derivative *d) {
    Value *slope, *dx;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((int)table[i].kind == d->node->op->kind) {
            TRY(table[i].slope(d, derivative_input(d, 0), d->node->outputs[0], &slope));
            TRY(multiply(d, d->g, slope, &dx));
            return derivative_give(d, 0, dx);
        }
    return derivative_fail(d, "it has no derivative");
}

/* What becomes an integer or a boolean is constant between jumps. */
static bool is_rounded(const Node *node) {
    return node->op->kind == OP_Cast && !dtype_is_float(((const CastAttrs *)node->attrs)->to);
}

DerivativeRule *derivative_rule(const Node *node) {
    if (is_rounded(node))
        return derivative_is_zero;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((int)table[i].kind == node->op->kind)
            return table[i].rule ? table[i].rule : slope_rule;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if ((int)steps[i] == node->op->kind)
            return derivative_is_zero;
    return NULL;
}
