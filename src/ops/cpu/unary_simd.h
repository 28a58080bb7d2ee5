/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one element on vectors, for templates. */
#ifndef OPS_CPU_UNARY_SIMD_H
#define OPS_CPU_UNARY_SIMD_H

#include "ops/cpu/power_simd.h"
#include "ops/math/unary_kind.h"

INLINE vf v_clamp01(vf x) {
    return v_min(v_set(1.0f), v_max(v_zero(), x));
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
        /* e^x - 1 as tanh(x/2) (e^x + 1), which does not cancel near 0. */
        return v_select(x < v_zero(), alpha * v_tanh(x * v_set(0.5f)) * (v_exp(x) + v_set(1.0f)), x);
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
        return v_select(x <= alpha, v_zero(), x);
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
