/* SPDX-License-Identifier: Apache-2.0 */
/* Logarithms and powers on vectors, for templates. */
#ifndef OPS_CPU_POWER_SIMD_H
#define OPS_CPU_POWER_SIMD_H

#include <math.h>

#include "ops/cpu/simd.h"

/* ln x to within 2 ULP (1e-7 absolute near 1): -infinity for 0, NaN below. */
INLINE vf v_log(vf x) {
    const vi tiny = x < v_set(1.17549435e-38f); /* denormal numbers are brought into the normal ones first */
    const vi bits = (vi)v_abs(v_select(tiny, x * v_set(8388608.0f), x));
    /* x = 2^n m with m between the roots of 1/2 and 2 */
    const vi root = v_set_int(0x3f3504f3), beyond = bits - root, n = beyond >> 23;
    const vf m = (vf)(root + (beyond & v_set_int(0x7fffff)));
    const vf exponent = __builtin_convertvector(n - (tiny & v_set_int(23)), vf);
    /* ln m = 2 atanh z = 2 (z + z^3 / 3 + ...) with z = (m - 1) / (m + 1), |z| < 0.172, of which 2 z is taken
     * as (m - 1) less z (m - 1), as m - 1 is exact */
    const vf f = m - v_set(1.0f), z = f / (m + v_set(1.0f)), square = z * z;
    vf p = v_set(0.18181818f);
    p = p * square + v_set(0.22222222f);
    p = p * square + v_set(0.28571429f);
    p = p * square + v_set(0.4f);
    p = p * square + v_set(0.66666667f);
    /* ln 2 in two parts, the first with few bits, so that n times it is exact */
    const vf rest = exponent * v_set(1.42860677e-6f) - z * (f - square * p);
    vf result = exponent * v_set(0.693145752f) + (f + rest);
    result = v_select(x == v_set(INFINITY), x, result);
    result = v_select(x == v_zero(), v_set(-INFINITY), result);
    return v_select((x < v_zero()) | v_is_nan(x), v_set(NAN), result);
}

/* The nearest whole number. */
INLINE vf v_round(vf x) {
    const vf magic = v_set(12582912.0f); /* 1.5 * 2^23 */
    return v_select(v_abs(x) < v_set(4194304.0f), x + magic - magic, x);
}

/* x^y as e^(y ln x), to within 3e-7 (1 + |y ln x|) of itself; C's pow for zeros, infinities, NaN and negative
 * x. */
INLINE vf v_pow(vf x, vf y) {
    const vf one = v_set(1.0f), half = y * v_set(0.5f);
    const vi negative = (vi)x >> 31, whole = (y == v_round(y)) | (v_abs(y) >= v_set(4194304.0f));
    const vi odd = whole & (half != v_round(half)) & (v_abs(y) < v_set(16777216.0f));
    vf result = v_exp(y * v_log(v_abs(x)));
    result = (vf)((vi)result ^ (negative & odd & v_set_int((int32_t)0x80000000u)));
    result = v_select((x < v_zero()) & ~whole & (v_abs(x) < v_set(INFINITY)), v_set(NAN), result);
    result = v_select((x == v_set(-1.0f)) & (v_abs(y) == v_set(INFINITY)), one, result);
    return v_select((y == v_zero()) | (x == one), one, result);
}

/* Powers that need no logarithm. */
INLINE vf v_root(vf x) {
    return v_select(x == v_set(-INFINITY), v_set(INFINITY), v_sqrt(x + v_zero())); /* as pow(-0, 1/2) is 0 */
}

#endif
