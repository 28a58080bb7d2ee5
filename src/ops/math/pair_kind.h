/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_PAIR_KIND_H
#define OPS_MATH_PAIR_KIND_H

#include <stdbool.h>

/* The operators of two inputs, or any number. */
typedef enum PairKind {
    PAIR_ADD,
    PAIR_SUB,
    PAIR_MUL,
    PAIR_DIV,
    PAIR_POW,
    PAIR_MOD,
    PAIR_MIN,
    PAIR_MAX,
    PAIR_SUM,
    PAIR_MEAN,
    PAIR_PRELU,
    PAIR_BIT_SHIFT,
    PAIR_BITWISE_AND,
    PAIR_BITWISE_OR,
    PAIR_BITWISE_XOR,
    PAIR_AND,
    PAIR_OR,
    PAIR_XOR,
    PAIR_EQUAL,
    PAIR_GREATER,
    PAIR_GREATER_OR_EQUAL,
    PAIR_LESS,
    PAIR_LESS_OR_EQUAL
} PairKind;

#endif
