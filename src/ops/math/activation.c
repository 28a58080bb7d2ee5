/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#define REAL double
#include "ops/math/activation_formula.h"

double activation_apply(Activation activation, double x) {
    return activation_formula(activation, x);
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
