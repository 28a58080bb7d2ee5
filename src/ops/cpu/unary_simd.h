/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element on vectors, for templates. */
#ifndef OPS_CPU_UNARY_SIMD_H
#define OPS_CPU_UNARY_SIMD_H

#include "ops/cpu/power_simd.h"
#include "ops/math/unary_kind.h"

INLINE vf v_clamp01(vf x) {
    return v_min(v_set(1.0f), v_max(v_zero(), x));
}

/* e^x - 1 as tanh(x/2) (e^x + 1), which does not cancel near 0; for x up to 0. */
INLINE vf v_expm1(vf x) {
    return v_tanh(x * v_set(0.5f)) * (v_exp(x) + v_set(1.0f));
}

/* The nearest whole number, of two the even one; -0 stays. */
INLINE vf v_round_even(vf x) {
    const vi sign = (vi)x & v_set_int((int32_t)0x80000000u);
    const vf size = v_abs(x), magic = v_set(8388608.0f); /* 2^23, from where on all floats are whole */
    return v_select(size < magic, (vf)((vi)(size + magic - magic) | sign), x);
}

/* Of the kinds before UNARY_ACTIVATIONS: those of the rest would grow every place where the kind is no
 * constant. */
INLINE vf v_activate(Unary activation, vf x) {
    vf alpha = v_set(activation.alpha), beta = v_set(activation.beta);
    switch (activation.kind) {
    case UNARY_RELU:
        return v_max(v_zero(), x);
    case UNARY_CLIP:
        return v_min(beta, v_max(alpha, x));
    case UNARY_LEAKY_RELU:
        return v_select(x < v_zero(), alpha * x, x);
    case UNARY_HARD_SIGMOID:
        return v_clamp01(alpha * x + beta);
    case UNARY_HARD_SWISH:
        return x * v_clamp01(x * v_set(1.0f / 6) + v_set(0.5f));
    case UNARY_SIGMOID:
        return v_sigmoid(x);
    case UNARY_SWISH:
        return v_silu(x, alpha * x);
    case UNARY_TANH:
        return v_tanh(x);
    case UNARY_ELU:
        return v_select(x < v_zero(), alpha * v_expm1(x), x);
    case UNARY_SOFTPLUS:
        return v_softplus(x);
    case UNARY_MISH:
        return x * v_tanh(v_softplus(x));
    case UNARY_GELU:
        return v_gelu(x);
    default:
        return x;
    }
}

/* Of all kinds that have a vector form. */
INLINE vf v_unary(Unary unary, vf x) {
    const vf alpha = v_set(unary.alpha), beta = v_set(unary.beta);
    switch (unary.kind) {
    case UNARY_NEG:
        return -x;
    case UNARY_ABS:
        return v_abs(x);
    case UNARY_SQRT:
        return v_sqrt(x);
    case UNARY_EXP:
        return v_exp(x);
    case UNARY_RECIPROCAL:
        return v_set(1.0f) / x;
    case UNARY_ERF:
        return v_erf(x);
    case UNARY_LOG:
        return v_log(x);
    case UNARY_AFFINE:
        return alpha * x + beta;
    case UNARY_SCALED_TANH:
        return alpha * v_tanh(beta * x);
    case UNARY_SOFTSIGN:
        return x / (v_set(1.0f) + v_abs(x));
    case UNARY_THRESHOLDED_RELU:
        return v_select(x > alpha, x, v_zero());
    case UNARY_SELU:
        return v_set(unary.beta) * v_select(x > v_zero(), x, v_set(unary.alpha) * v_expm1(x));
    case UNARY_CELU:
        return v_select(x > v_zero(), x, v_set(unary.alpha) * v_expm1(x / v_set(unary.alpha)));
    case UNARY_SHRINK:
        return v_select(x < v_set(-unary.alpha), x + v_set(unary.beta),
                        (vf)((vi)(x - v_set(unary.beta)) & (x > v_set(unary.alpha))));
    case UNARY_ROUND:
        return v_round_even(x);
    case UNARY_FLOOR: {
        const vf near = v_round_even(x);
        return v_select(near > x, near - v_set(1.0f), near);
    }
    case UNARY_CEIL: { /* -0 above -1 */
        const vf near = v_round_even(x), above = near + v_set(1.0f);
        return v_select(near < x, (vf)((vi)above | ((vi)x & v_set_int((int32_t)0x80000000u))), near);
    }
    case UNARY_SIGN:
        return v_select(x > v_zero(), v_set(1.0f), v_select(x < v_zero(), v_set(-1.0f), x));
    case UNARY_GELU_TANH: {
        const vf inner = v_set(0.7978845608f) * (x + v_set(0.044715f) * x * x * x);
        return x * v_sigmoid(inner + inner);
    }
    case UNARY_SQUARE:
        return x * x;
    case UNARY_CUBE:
        return x * x * x;
    case UNARY_ROOT:
        return v_root(x);
    case UNARY_RECIPROCAL_ROOT:
        return v_set(1.0f) / v_root(x);
    default:
        return v_activate(unary, x);
    }
}

#endif
