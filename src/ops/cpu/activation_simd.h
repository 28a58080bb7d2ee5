/* SPDX-License-Identifier: Apache-2.0 */
/* Activations on vectors, for templates. */
#ifndef OPS_CPU_ACTIVATION_SIMD_H
#define OPS_CPU_ACTIVATION_SIMD_H

#include <math.h>

#include "ops/cpu/simd.h"
#include "ops/math/activation.h"

/* None, Relu and Clip are all min(high, max(low, x)); NaN stays. */
INLINE int activation_is_clamp(Activation activation) {
    return activation.kind <= ACTIVATION_CLIP;
}

INLINE void activation_bounds(Activation activation, vf *low, vf *high) {
    *low = v_set(activation.kind == ACTIVATION_RELU   ? 0
                 : activation.kind == ACTIVATION_CLIP ? activation.alpha
                                                      : -INFINITY);
    *high = v_set(activation.kind == ACTIVATION_CLIP ? activation.beta : INFINITY);
}

INLINE vf v_clamp01(vf x) {
    return v_min(v_set(1.0f), v_max(v_zero(), x));
}

INLINE vf v_activate(Activation activation, vf x) {
    vf alpha = v_set(activation.alpha), beta = v_set(activation.beta);
    switch (activation.kind) {
    case ACTIVATION_RELU:
        return v_max(v_zero(), x);
    case ACTIVATION_CLIP:
        return v_min(beta, v_max(alpha, x));
    case ACTIVATION_LEAKY_RELU:
        return v_select(x < v_zero(), alpha * x, x);
    case ACTIVATION_HARD_SIGMOID:
        return v_clamp01(alpha * x + beta);
    case ACTIVATION_HARD_SWISH:
        return x * v_clamp01(x * v_set(1.0f / 6) + v_set(0.5f));
    case ACTIVATION_SIGMOID:
        return v_sigmoid(x);
    case ACTIVATION_SILU:
        return v_silu(x, alpha * x);
    case ACTIVATION_TANH:
        return v_tanh(x);
    case ACTIVATION_ELU:
        /* e^x - 1 as tanh(x/2) (e^x + 1), which does not cancel near 0. */
        return v_select(x < v_zero(), alpha * v_tanh(x * v_set(0.5f)) * (v_exp(x) + v_set(1.0f)), x);
    case ACTIVATION_SOFTPLUS:
        return v_softplus(x);
    case ACTIVATION_MISH:
        return x * v_tanh(v_softplus(x));
    case ACTIVATION_GELU:
        return v_gelu(x);
    case ACTIVATION_NONE:
    case ACTIVATION_COUNT:
        break;
    }
    return x;
}

#endif
