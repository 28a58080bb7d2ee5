/* SPDX-License-Identifier: Apache-2.0 */
/* What operators of two inputs compute of floats, in a type REAL, as in unary_formula.h. */
#ifndef OPS_MATH_BINARY_FORMULA_H
#define OPS_MATH_BINARY_FORMULA_H

#include "ops/math/binary_kind.h"
#include "ops/shared_math.h"

/* The remainder, also where it is zero, has the sign of the divisor, or with `is_fmod` the dividend's. */
SHARED REAL formula_mod(REAL a, REAL b, bool is_fmod) {
    const REAL rest = fmod(a, b);
    if (is_fmod || isnan(rest))
        return rest;
    if (rest == 0)
        return copysign(rest, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

/* What compares gives 1 or 0; logic takes these. */
SHARED REAL binary_formula(BinaryKind kind, bool is_fmod, REAL a, REAL b) {
    switch (kind) {
    case BINARY_ADD:
    case BINARY_SUM:
    case BINARY_MEAN: /* divided by the number of inputs at last */
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_POW:
        return pow(a, b);
    case BINARY_MOD:
        return formula_mod(a, b, is_fmod);
    case BINARY_MIN: /* NaN where either is */
        return a != a || a < b ? a : b;
    case BINARY_MAX:
        return a != a || a > b ? a : b;
    case BINARY_PRELU:
        return a < 0 ? a * b : a;
    case BINARY_AND:
        return a != 0 && b != 0;
    case BINARY_OR:
        return a != 0 || b != 0;
    case BINARY_XOR:
        return (a != 0) != (b != 0);
    case BINARY_EQUAL:
        return a == b;
    case BINARY_GREATER:
        return a > b;
    case BINARY_GREATER_OR_EQUAL:
        return a >= b;
    case BINARY_LESS:
        return a < b;
    case BINARY_LESS_OR_EQUAL:
        return a <= b;
    default: /* of integers only */
        return 0;
    }
}

#endif
