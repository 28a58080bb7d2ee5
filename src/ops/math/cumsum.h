/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_CUMSUM_H
#define OPS_MATH_CUMSUM_H

#include "ops/op.h"

/* Inputs: x, the axis. */
typedef struct CumulateAttrs {
    bool exclusive, reverse;
} CumulateAttrs;

#endif
