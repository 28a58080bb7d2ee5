/* SPDX-License-Identifier: Apache-2.0 */
/* The reductions' formulas in a type REAL, which the includer defines, as for unary_formula.h: the terms
 * of the elements are joined, from reduce_start() on, and what they make is finished by reduce_result(). */
#ifndef OPS_REDUCTION_REDUCE_FORMULA_H
#define OPS_REDUCTION_REDUCE_FORMULA_H

#include <stdbool.h>

#include "ops/reduction/reduce_kind.h"
#include "ops/shared_math.h"

SHARED REAL reduce_start(ReduceKind kind) {
    return kind == R_PROD ? 1 : kind == R_MAX ? -(REAL)INFINITY : kind == R_MIN ? (REAL)INFINITY : 0;
}

/* Whether a length is counted in peaks: not needed where REAL has a wider range than the elements. */
SHARED bool reduce_is_scaled(REAL peak) {
    return peak > 0 && peak < (REAL)INFINITY;
}

/* `peak`, for the logarithm of a sum of exponentials: the largest element.  exp of what is left below it
 * cannot overflow.  For a length: the largest magnitude, or 0. */
SHARED REAL reduce_term(ReduceKind kind, REAL x, REAL peak) {
    switch (kind) {
    case R_L1:
        return fabs(x);
    case R_L2:
        x = reduce_is_scaled(peak) ? x / peak : x;
        return x * x;
    case R_SUM_SQUARE:
        return x * x;
    case R_LOG_SUM_EXP:
        return peak == (REAL)INFINITY || peak == -(REAL)INFINITY ? (REAL)(x == peak) : exp(x - peak);
    default:
        return x;
    }
}

/* The largest and the smallest are NaN where an element is. */
SHARED REAL reduce_join(ReduceKind kind, REAL a, REAL b) {
    switch (kind) {
    case R_MAX:
        return a != a || a > b ? a : b;
    case R_MIN:
        return a != a || a < b ? a : b;
    case R_PROD:
        return a * b;
    default:
        return a + b;
    }
}

/* A product in `value` times 2^`exponent`: what it is made of may be larger or smaller than any REAL, in
 * whatever order, and so becomes neither infinite nor 0 on the way. */
typedef struct Product {
    REAL value;
    long long exponent;
} Product;

SHARED Product product_of(REAL value, long long exponent) {
    Product product;
    int more = 0;
    product.value = value != 0 && value - value == 0 ? frexp(value, &more) : value;
    product.exponent = exponent + more;
    return product;
}

SHARED Product product_join(Product a, Product b) {
    return product_of(a.value * b.value, a.exponent + b.exponent);
}

SHARED REAL product_result(Product product) {
    const long long largest = 10000; /* beyond every REAL's */
    const long long exponent = product.exponent;
    return ldexp(product.value, (int)(exponent > largest    ? largest
                                      : exponent < -largest ? -largest
                                                            : exponent));
}

SHARED REAL reduce_result(ReduceKind kind, REAL sum, REAL peak, REAL count) {
    switch (kind) {
    case R_MEAN:
        return sum / count;
    case R_L2:
        return sqrt(sum) * (reduce_is_scaled(peak) ? peak : 1);
    case R_LOG_SUM:
        return log(sum);
    case R_LOG_SUM_EXP:
        return log(sum) + (sum > 0 ? peak : 0);
    default:
        return sum;
    }
}

#endif
