/* SPDX-License-Identifier: Apache-2.0 */
/* What operators of two inputs compute of floats, in a type REAL, as in activation_formula.h. */
#ifndef OPS_MATH_PAIR_FORMULA_H
#define OPS_MATH_PAIR_FORMULA_H

#include "ops/math/pair_kind.h"
#include "ops/shared_math.h"

/* The remainder has the sign of the divisor, or with `is_fmod` the dividend's. */
SHARED REAL formula_mod(REAL a, REAL b, bool is_fmod) {
    const REAL rest = fmod(a, b);
    return !is_fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

/* What compares gives 1 or 0; logic takes these. */
SHARED REAL pair_formula(PairKind kind, bool is_fmod, REAL a, REAL b) {
    switch (kind) {
    case PAIR_ADD:
    case PAIR_SUM:
    case PAIR_MEAN: /* divided by the number of inputs at last */
        return a + b;
    case PAIR_SUB:
        return a - b;
    case PAIR_MUL:
        return a * b;
    case PAIR_DIV:
        return a / b;
    case PAIR_POW:
        return pow(a, b);
    case PAIR_MOD:
        return formula_mod(a, b, is_fmod);
    case PAIR_MIN: /* NaN where either is */
        return a != a || a < b ? a : b;
    case PAIR_MAX:
        return a != a || a > b ? a : b;
    case PAIR_PRELU:
        return a < 0 ? a * b : a;
    case PAIR_AND:
        return a != 0 && b != 0;
    case PAIR_OR:
        return a != 0 || b != 0;
    case PAIR_XOR:
        return (a != 0) != (b != 0);
    case PAIR_EQUAL:
        return a == b;
    case PAIR_GREATER:
        return a > b;
    case PAIR_GREATER_OR_EQUAL:
        return a >= b;
    case PAIR_LESS:
        return a < b;
    case PAIR_LESS_OR_EQUAL:
        return a <= b;
    case PAIR_BIT_SHIFT: /* of integers only, as those that follow */
    case PAIR_BITWISE_AND:
    case PAIR_BITWISE_OR:
    case PAIR_BITWISE_XOR:
        break;
    }
    return 0;
}

#endif
