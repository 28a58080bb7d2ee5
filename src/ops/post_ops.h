/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_POST_OPS_H
#define OPS_POST_OPS_H

#include <stdbool.h>

#include "ops/math/unary_kind.h"

/* What a pass may add after the arithmetic of Conv, ConvTranspose, Gemm and MatMul, in this order unless
 * `residual_last`: y = activation(product + bias + residual).  The residual is one more input of the node, of
 * the output's shape. */
typedef struct Epilogue {
    Unary activation;
    bool has_residual;  /* the node's last input */
    bool residual_last; /* y = activation(product + bias) + residual */
} Epilogue;

/* The plain definition; `residual` is not looked at where there is none. */
double epilogue_apply(const Epilogue *epilogue, double value, double residual);

#endif
