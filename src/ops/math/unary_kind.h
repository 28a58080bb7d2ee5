/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_UNARY_KIND_H
#define OPS_MATH_UNARY_KIND_H

/* The functions of one element; unary_formula.h says what they are.  First those that can be the activation
 * of another node. */
typedef enum UnaryKind {
    UNARY_NONE,
    UNARY_CLIP, /* an operator of its own: clip.c */
#define ACTIVATION(KIND, ...) UNARY_##KIND,
#define UNARY(...)
#include "ops/math/unary_list.inc"
    UNARY_ACTIVATIONS, /* how many these are */
#define ACTIVATION(...)
#define UNARY(KIND, ...) UNARY_##KIND,
#include "ops/math/unary_list.inc"
    UNARY_GELU_TANH,   /* Gelu's other form */
    UNARY_AFFINE,      /* alpha x + beta: this and the next are activations of recurrent layers */
    UNARY_SCALED_TANH, /* alpha tanh(beta x) */
    UNARY_SQUARE,      /* in vector form alone: Pow by 2, and by 3, 1/2 and -1/2 */
    UNARY_CUBE,
    UNARY_ROOT,
    UNARY_RECIPROCAL_ROOT,
    UNARY_NOT,         /* logic.c */
    UNARY_BITWISE_NOT, /* of integers only */
    UNARY_IS_NAN,
    UNARY_IS_INF, /* positive ones where alpha is not 0, negative ones where beta is not */
    UNARY_COUNT
} UnaryKind;

typedef struct Unary {
    UnaryKind kind;
    float alpha, beta; /* as each operator names its numbers: gamma, lambd and bias too */
} Unary;

#endif
