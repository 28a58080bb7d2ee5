/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_SCATTER_H
#define OPS_TENSOR_SCATTER_H

#include "ops/op.h"
#include "ops/tensor/scatter_kind.h"

enum { SCATTER_DATA, SCATTER_INDICES, SCATTER_UPDATES };

typedef struct ScatterAttrs {
    int64_t axis;  /* of ScatterElements */
    int reduction; /* a Reduction */
} ScatterAttrs;

#endif
