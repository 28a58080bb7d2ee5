/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that can stand alone as a node or at the end of another node's arithmetic. */
#ifndef OPS_MATH_ACTIVATION_H
#define OPS_MATH_ACTIVATION_H

#include <stdbool.h>

typedef enum ActivationKind {
    ACTIVATION_NONE,
    ACTIVATION_RELU,         /* max(x, 0) */
    ACTIVATION_CLIP,         /* min(max(x, alpha), beta); NaN stays NaN */
    ACTIVATION_LEAKY_RELU,   /* x < 0 ? alpha x : x */
    ACTIVATION_HARD_SIGMOID, /* max(0, min(1, alpha x + beta)) */
    ACTIVATION_HARD_SWISH,   /* x max(0, min(1, x / 6 + 1/2)) */
    ACTIVATION_SIGMOID,      /* 1 / (1 + e^-x) */
    ACTIVATION_SILU,         /* x sigmoid(alpha x): alpha 1 is SiLU */
    ACTIVATION_TANH,
    ACTIVATION_ELU,      /* x < 0 ? alpha (e^x - 1) : x */
    ACTIVATION_SOFTPLUS, /* ln(1 + e^x) */
    ACTIVATION_MISH,     /* x tanh(softplus(x)) */
    ACTIVATION_GELU,     /* x/2 (1 + erf(x / sqrt 2)) */
    ACTIVATION_COUNT
} ActivationKind;

typedef struct Activation {
    ActivationKind kind;
    float alpha, beta;
} Activation;

/* The plain definition, in float64: what every fast version is tested against. */
double activation_apply(Activation activation, double x);
const char *activation_name(ActivationKind kind); /* "Relu", ONNX's spelling; "" for none */

/* What a pass may add behind the arithmetic of Conv, ConvTranspose, Gemm and MatMul, in this order unless
 * `residual_last`: y = activation(product + bias + residual).  The residual is one more input of the node, of
 * the output's shape. */
typedef struct Epilogue {
    Activation activation;
    bool has_residual;  /* the node's last input */
    bool residual_last; /* y = activation(product + bias) + residual */
} Epilogue;

/* The plain definition; `residual` is not looked at where there is none. */
double epilogue_apply(const Epilogue *epilogue, double value, double residual);

#endif
