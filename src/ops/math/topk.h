/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_TOPK_H
#define OPS_MATH_TOPK_H

#include "ops/op.h"

typedef struct TopKAttrs {
    int64_t axis, k; /* k: before opset 10 */
    bool largest;
} TopKAttrs;

#endif
