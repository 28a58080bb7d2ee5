/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_FUNCTION_KIND_H
#define OPS_MATH_FUNCTION_KIND_H

/* Functions of one element that are no activations; ops/math/function_formula.h says what they are. */
typedef enum FunctionKind {
    FUNCTION_SELU,
    FUNCTION_CELU,
    FUNCTION_SOFTSIGN,
    FUNCTION_THRESHOLDED_RELU,
    FUNCTION_SHRINK,
    FUNCTION_GELU_TANH,
    FUNCTION_ABS,
    FUNCTION_NEG,
    FUNCTION_CEIL,
    FUNCTION_FLOOR,
    FUNCTION_ROUND,
    FUNCTION_SIGN,
    FUNCTION_EXP,
    FUNCTION_LOG,
    FUNCTION_SQRT,
    FUNCTION_RECIPROCAL,
    FUNCTION_ERF,
    FUNCTION_SIN,
    FUNCTION_COS,
    FUNCTION_TAN,
    FUNCTION_ASIN,
    FUNCTION_ACOS,
    FUNCTION_ATAN,
    FUNCTION_SINH,
    FUNCTION_COSH,
    FUNCTION_ASINH,
    FUNCTION_ACOSH,
    FUNCTION_ATANH,
    FUNCTION_NOT,
    FUNCTION_IS_NAN,
    FUNCTION_IS_INF /* positive ones where alpha is not 0, negative ones where beta is not */
} FunctionKind;

typedef struct Function {
    FunctionKind kind;
    float alpha, beta; /* as each operator names its numbers: gamma, lambd and bias too */
} Function;

#endif
