/* SPDX-License-Identifier: Apache-2.0 */
/* The formulas of operators on one element in a type REAL, as in activation_formula.h. */
#ifndef OPS_MATH_FUNCTION_FORMULA_H
#define OPS_MATH_FUNCTION_FORMULA_H

#include "ops/math/function_kind.h"
#include "ops/shared_math.h"

/* Where the includer has others. */
#ifndef FORMULA_SIN
#define FORMULA_SIN sin
#define FORMULA_COS cos
#endif

/* With a sqrt(2 / pi) written out. */
SHARED REAL formula_gelu_tanh(REAL x) {
    return x / 2 * (1 + tanh((REAL)0.79788456080286535588 * (x + (REAL)0.044715 * x * x * x)));
}

SHARED REAL function_formula(Function function, REAL x) {
    const REAL alpha = (REAL)function.alpha, beta = (REAL)function.beta;
    switch (function.kind) {
    case FUNCTION_SELU:
        return beta * (x > 0 ? x : alpha * expm1(x));
    case FUNCTION_CELU:
        return x > 0 ? x : alpha * expm1(x / alpha);
    case FUNCTION_SOFTSIGN:
        return x / (1 + fabs(x));
    case FUNCTION_THRESHOLDED_RELU:
        return x > alpha ? x : 0;
    case FUNCTION_SHRINK:
        return x < -alpha ? x + beta : x > alpha ? x - beta : 0;
    case FUNCTION_GELU_TANH:
        return formula_gelu_tanh(x);
    case FUNCTION_ABS:
        return fabs(x);
    case FUNCTION_NEG:
        return -x;
    case FUNCTION_CEIL:
        return ceil(x);
    case FUNCTION_FLOOR:
        return floor(x);
    case FUNCTION_ROUND: /* to even, in the default rounding mode */
        return nearbyint(x);
    case FUNCTION_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case FUNCTION_EXP:
        return exp(x);
    case FUNCTION_LOG:
        return log(x);
    case FUNCTION_SQRT:
        return sqrt(x);
    case FUNCTION_RECIPROCAL:
        return 1 / x;
    case FUNCTION_ERF:
        return erf(x);
    case FUNCTION_SIN:
        return FORMULA_SIN(x);
    case FUNCTION_COS:
        return FORMULA_COS(x);
    case FUNCTION_TAN:
        return FORMULA_SIN(x) / FORMULA_COS(x);
    case FUNCTION_ASIN:
        return asin(x);
    case FUNCTION_ACOS:
        return acos(x);
    case FUNCTION_ATAN:
        return atan(x);
    case FUNCTION_SINH:
        return sinh(x);
    case FUNCTION_COSH:
        return cosh(x);
    case FUNCTION_ASINH:
        return asinh(x);
    case FUNCTION_ACOSH:
        return acosh(x);
    case FUNCTION_ATANH:
        return atanh(x);
    case FUNCTION_NOT:
        return x == 0;
    case FUNCTION_IS_NAN:
        return x != x;
    case FUNCTION_IS_INF:
        return (x == (REAL)INFINITY && alpha != 0) || (x == -(REAL)INFINITY && beta != 0);
    }
    return x;
}

#endif
