/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of functions of one element in a type REAL, which the includer defines: double for the plain
 * definition, float for the kernels of other devices.  exp() and its like must be there for that type. */
#ifndef OPS_MATH_UNARY_FORMULA_H
#define OPS_MATH_UNARY_FORMULA_H

#include "ops/math/unary_kind.h"
#include "ops/shared_math.h"

SHARED REAL formula_sigmoid(REAL x) {
    return 1 / (1 + exp(-x));
}

/* ln(1 + e^x) without overflow. */
SHARED REAL formula_softplus(REAL x) {
    return (x > 0 ? x : 0) + log1p(exp(x > 0 ? -x : x));
}

SHARED REAL formula_clamp01(REAL x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* Of the kinds before UNARY_ACTIVATIONS. */
SHARED REAL activation_formula(Unary activation, REAL x) {
    const REAL alpha = (REAL)activation.alpha, beta = (REAL)activation.beta;
    switch (activation.kind) {
    case UNARY_RELU:
        return x < 0 ? 0 : x;
    case UNARY_CLIP:
        x = x < alpha ? alpha : x;
        return x > beta ? beta : x;
    case UNARY_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case UNARY_HARD_SIGMOID:
        return formula_clamp01(alpha * x + beta);
    case UNARY_HARD_SWISH:
        return x * formula_clamp01(x / 6 + (REAL)0.5);
    case UNARY_SIGMOID:
        return formula_sigmoid(x);
    case UNARY_SWISH:
        return x * formula_sigmoid(alpha * x);
    case UNARY_TANH:
        return tanh(x);
    case UNARY_ELU:
        return x < 0 ? alpha * expm1(x) : x;
    case UNARY_SOFTPLUS:
        return x != x ? x : formula_softplus(x);
    case UNARY_MISH:
        return x != x ? x : x * tanh(formula_softplus(x));
    case UNARY_GELU:
        return x / 2 * (1 + erf(x * (REAL)0.70710678118654752440));
    default:
        return x;
    }
}

/* Where the includer has others. */
#ifndef FORMULA_SIN
#define FORMULA_SIN sin
#define FORMULA_COS cos
#endif

/* With a sqrt(2 / pi) written out. */
SHARED REAL formula_gelu_tanh(REAL x) {
    return x / 2 * (1 + tanh((REAL)0.79788456080286535588 * (x + (REAL)0.044715 * x * x * x)));
}

SHARED REAL unary_formula(Unary unary, REAL x) {
    const REAL alpha = (REAL)unary.alpha, beta = (REAL)unary.beta;
    switch (unary.kind) {
    case UNARY_SELU:
        return beta * (x > 0 ? x : alpha * expm1(x));
    case UNARY_CELU:
        return x > 0 ? x : alpha * expm1(x / alpha);
    case UNARY_SOFTSIGN:
        return x / (1 + fabs(x));
    case UNARY_THRESHOLDED_RELU:
        return x > alpha ? x : 0;
    case UNARY_SHRINK:
        return x < -alpha ? x + beta : x > alpha ? x - beta : 0;
    case UNARY_GELU_TANH:
        return formula_gelu_tanh(x);
    case UNARY_AFFINE:
        return alpha * x + beta;
    case UNARY_SCALED_TANH:
        return alpha * tanh(beta * x);
    case UNARY_ABS:
        return fabs(x);
    case UNARY_NEG:
        return -x;
    case UNARY_CEIL:
        return ceil(x);
    case UNARY_FLOOR:
        return floor(x);
    case UNARY_ROUND: /* to even, in the default rounding mode */
        return nearbyint(x);
    case UNARY_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case UNARY_EXP:
        return exp(x);
    case UNARY_LOG:
        return log(x);
    case UNARY_SQRT:
        return sqrt(x);
    case UNARY_RECIPROCAL:
        return 1 / x;
    case UNARY_ERF:
        return erf(x);
    case UNARY_SIN:
        return FORMULA_SIN(x);
    case UNARY_COS:
        return FORMULA_COS(x);
    case UNARY_TAN:
        return FORMULA_SIN(x) / FORMULA_COS(x);
    case UNARY_ASIN:
        return asin(x);
    case UNARY_ACOS:
        return acos(x);
    case UNARY_ATAN:
        return atan(x);
    case UNARY_SINH:
        return sinh(x);
    case UNARY_COSH:
        return cosh(x);
    case UNARY_ASINH:
        return asinh(x);
    case UNARY_ACOSH:
        return acosh(x);
    case UNARY_ATANH:
        return atanh(x);
    case UNARY_NOT:
        return x == 0;
    case UNARY_IS_NAN:
        return x != x;
    case UNARY_IS_INF:
        return (x == (REAL)INFINITY && alpha != 0) || (x == -(REAL)INFINITY && beta != 0);
    default:
        return activation_formula(unary, x);
    }
}

#endif
