/* SPDX-License-Identifier: Apache-2.0 */
/* The activations' formulas in a type REAL, which the includer defines: double for the plain definition,
 * float for the kernels of other devices.  exp() and its like must be there for that type. */
#ifndef OPS_MATH_ACTIVATION_FORMULA_H
#define OPS_MATH_ACTIVATION_FORMULA_H

#include "ops/math/activation.h"
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

SHARED REAL activation_formula(Activation activation, REAL x) {
    const REAL alpha = (REAL)activation.alpha, beta = (REAL)activation.beta;
    switch (activation.kind) {
    case ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case ACTIVATION_CLIP:
        x = x < alpha ? alpha : x;
        return x > beta ? beta : x;
    case ACTIVATION_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case ACTIVATION_HARD_SIGMOID:
        return formula_clamp01(alpha * x + beta);
    case ACTIVATION_HARD_SWISH:
        return x * formula_clamp01(x / 6 + (REAL)0.5);
    case ACTIVATION_SIGMOID:
        return formula_sigmoid(x);
    case ACTIVATION_SILU:
        return x * formula_sigmoid(alpha * x);
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_ELU:
        return x < 0 ? alpha * expm1(x) : x;
    case ACTIVATION_SOFTPLUS:
        return x != x ? x : formula_softplus(x);
    case ACTIVATION_MISH:
        return x != x ? x : x * tanh(formula_softplus(x));
    case ACTIVATION_GELU:
        return x / 2 * (1 + erf(x * (REAL)0.70710678118654752440));
    case ACTIVATION_NONE:
    case ACTIVATION_COUNT:
        break;
    }
    return x;
}

#endif
