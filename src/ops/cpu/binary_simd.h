/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of two elements on vectors, for templates. */
#ifndef OPS_CPU_BINARY_SIMD_H
#define OPS_CPU_BINARY_SIMD_H

#include "ops/cpu/power_simd.h"
#include "ops/math/binary_kind.h"

/* Of the kinds that are FAST_BINARY; `kind` is a constant wherever this is inlined. */
INLINE vf v_binary(const BinaryKind kind, vf a, vf b) {
    switch (kind) {
    case BINARY_ADD:
    case BINARY_SUM:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_POW:
        return v_pow(a, b);
    case BINARY_PRELU:
        return v_select(a < v_zero(), a * b, a);
    case BINARY_MIN: /* NaN in either comes out */
        return v_select((a < b) | v_is_nan(a), a, b);
    case BINARY_MAX:
        return v_select((a > b) | v_is_nan(a), a, b);
    default:
        return v_zero();
    }
}

#endif
