/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_AFFINE_GRID_H
#define OPS_TENSOR_AFFINE_GRID_H

#include "ops/op.h"

enum { AFFINE_THETA, AFFINE_SIZE, AFFINE_INPUTS };

typedef struct AffineGridAttrs {
    bool align_corners;
} AffineGridAttrs;

/* Where element `index` of `length` lies in [-1, 1]. */
double affine_coordinate(bool align_corners, int64_t index, int64_t length);

#endif
