/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_TRILU_H
#define OPS_TENSOR_TRILU_H

#include "ops/op.h"

typedef struct TriluAttrs {
    bool upper;
} TriluAttrs;

#endif
