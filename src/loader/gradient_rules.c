/* SPDX-License-Identifier: Apache-2.0 */
/* The derivative of each operator that has one here: what of its output's adjoint g each input gets.  Rules
 * use operators that have rules themselves, so that there are derivatives of derivatives. */
#include <math.h>

#include "loader/gradient_rules.h"
#include "ops/math/binary.h"
#include "ops/math/unary.h"
#include "ops/tensor/cast.h"

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
    TRY(derivative_multiply(d, y, y, slope));
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
    TRY(derivative_multiply(d, y, y, slope));
    return expansion_binary(d->e, "Sub", one, *slope, slope);
}

/* y (1 - y) */
static Status sigmoid_slope(const Derivative *d, Value *x, Value *y, Value **slope) {
    Value *one;
    (void)x;
    TRY(expansion_number_like(d->e, y, 1, &one));
    TRY(expansion_binary(d->e, "Sub", one, y, slope));
    return derivative_multiply(d, y, *slope, slope);
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
    TRY(derivative_multiply(d, x, x, slope));
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
    TRY(derivative_multiply(d, dx, half, &dx));
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

Status derivative_give_broadcast(Derivative *d, int port, Value *value) {
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
    TRY(derivative_give_broadcast(d, 0, d->g));
    return derivative_give_broadcast(d, 1, d->g);
}

static Status sub_rule(Derivative *d) {
    Value *db;
    TRY(check_broadcast(d));
    TRY(derivative_give_broadcast(d, 0, d->g));
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(expansion_unary(d->e, "Neg", d->g, &db));
    return derivative_give_broadcast(d, 1, db);
}

static Status mul_rule(Derivative *d) {
    Value *dx;
    TRY(check_broadcast(d));
    for (int port = 0; port < 2; port++) {
        if (!derivative_wants(d, port))
            continue;
        TRY(derivative_multiply(d, d->g, derivative_input(d, 1 - port), &dx));
        TRY(derivative_give_broadcast(d, port, dx));
    }
    return STRIDER_OK;
}

/* g / b, and -g / b * y */
static Status div_rule(Derivative *d) {
    Value *da, *db;
    TRY(check_broadcast(d));
    TRY(expansion_binary(d->e, "Div", d->g, derivative_input(d, 1), &da));
    TRY(derivative_give_broadcast(d, 0, da));
    if (!derivative_wants(d, 1))
        return STRIDER_OK;
    TRY(derivative_multiply(d, da, d->node->outputs[0], &db));
    TRY(expansion_unary(d->e, "Neg", db, &db));
    return derivative_give_broadcast(d, 1, db);
}

/* g * n * x^(n - 1), and 0 where n is 0; n may be an integer. */
static Status power_base(Derivative *d, Value *x, Value *n) {
    Value *one, *zero, *dx, *factor, *is_zero, *is_not_zero;
    TRY(expansion_number_like(d->e, n, 1, &one));
    TRY(expansion_number_like(d->e, n, 0, &zero));
    TRY(expansion_binary(d->e, "Sub", n, one, &dx));
    TRY(expansion_binary(d->e, "Pow", x, dx, &dx));
    TRY(expansion_binary(d->e, "CastLike", n, x, &factor));
    TRY(derivative_multiply(d, factor, dx, &dx));
    TRY(expansion_binary(d->e, "Equal", n, zero, &is_zero));
    TRY(expansion_unary(d->e, "Not", is_zero, &is_not_zero));
    TRY(mask(d, is_not_zero, dx, &dx));
    TRY(derivative_multiply(d, d->g, dx, &dx));
    return derivative_give_broadcast(d, 0, dx);
}

/* g * y * log(x), and 0 where x is 0 */
static Status power_exponent(Derivative *d, Value *x, Value *n) {
    Value *zero, *log, *dn, *is_zero, *is_not_zero;
    TRY(expansion_number_like(d->e, x, 0, &zero));
    TRY(expansion_unary(d->e, "Log", x, &log));
    TRY(expansion_binary(d->e, "Equal", x, zero, &is_zero));
    TRY(expansion_unary(d->e, "Not", is_zero, &is_not_zero));
    TRY(mask(d, is_not_zero, log, &log));
    TRY(derivative_multiply(d, d->node->outputs[0], log, &dn));
    TRY(derivative_multiply(d, d->g, dn, &dn));
    TRY(expansion_binary(d->e, "CastLike", dn, n, &dn));
    return derivative_give_broadcast(d, 1, dn);
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
        TRY(derivative_give_broadcast(d, port, d->g));
    return STRIDER_OK;
}

static Status where_rule(Derivative *d) {
    Value *condition = derivative_input(d, 0), *opposite, *dx;
    if (derivative_wants(d, 1)) {
        TRY(mask(d, condition, d->g, &dx));
        TRY(derivative_give_broadcast(d, 1, dx));
    }
    if (!derivative_wants(d, 2))
        return STRIDER_OK;
    TRY(expansion_unary(d->e, "Not", condition, &opposite));
    TRY(mask(d, opposite, d->g, &dx));
    return derivative_give_broadcast(d, 2, dx);
}

static Status expand_rule(Derivative *d) {
    Value *dx;
    TRY(sum_to_like(d->e, d->g, derivative_input(d, 0), &dx));
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
    {OP_Conv, conv_rule, NULL},
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
            TRY(derivative_multiply(d, d->g, slope, &dx));
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
