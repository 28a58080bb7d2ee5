/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/activation.h"

#include <math.h>

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* ln(1 + e^x) without overflow. */
static double softplus(double x) {
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double clamp01(double x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

double activation_apply(Activation activation, double x) {
    double alpha = (double)activation.alpha, beta = (double)activation.beta;
    switch (activation.kind) {
    case ACTIVATION_RELU:
        return x < 0 ? 0 : x;
    case ACTIVATION_CLIP:
        x = x < alpha ? alpha : x;
        return x > beta ? beta : x;
    case ACTIVATION_LEAKY_RELU:
        return x < 0 ? alpha * x : x;
    case ACTIVATION_HARD_SIGMOID:
        return clamp01(alpha * x + beta);
    case ACTIVATION_HARD_SWISH:
        return x * clamp01(x / 6 + 0.5);
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    case ACTIVATION_SILU:
        return x * sigmoid(alpha * x);
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_ELU:
        return x < 0 ? alpha * expm1(x) : x;
    case ACTIVATION_SOFTPLUS:
        return isnan(x) ? x : softplus(x);
    case ACTIVATION_MISH:
        return isnan(x) ? x : x * tanh(softplus(x));
    case ACTIVATION_GELU:
        return x / 2 * (1 + erf(x / sqrt(2.0)));
    case ACTIVATION_NONE:
    case ACTIVATION_COUNT:
        break;
    }
    return x;
}

double epilogue_apply(const Epilogue *epilogue, double value, double residual) {
    if (!epilogue->has_residual)
        return activation_apply(epilogue->activation, value);
    return epilogue->residual_last ? activation_apply(epilogue->activation, value) + residual
                                   : activation_apply(epilogue->activation, value + residual);
}

const char *activation_name(ActivationKind kind) {
    static const char *const names[ACTIVATION_COUNT] = {
        "",      "Relu", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Sigmoid",
        "Swish", "Tanh", "Elu",  "Softplus",  "Mish",        "Gelu",
    };
    return (unsigned)kind < ACTIVATION_COUNT ? names[kind] : "";
}
