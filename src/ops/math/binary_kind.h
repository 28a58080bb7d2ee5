/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_BINARY_KIND_H
#define OPS_MATH_BINARY_KIND_H

#include <stdbool.h>

/* The functions of two elements; binary_formula.h says what they are. */
typedef enum BinaryKind {
#define BINARY(KIND, ...) BINARY_##KIND,
#include "ops/math/binary_list.inc"
    BINARY_COUNT
} BinaryKind;

#endif
