/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_SWIGLU_H
#define OPS_MATH_SWIGLU_H

#include "ops/op.h"

typedef struct SwigluAttrs {
    float alpha; /* of the argument of the sigmoid */
} SwigluAttrs;

#endif
