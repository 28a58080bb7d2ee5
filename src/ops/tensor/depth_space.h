/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_DEPTH_SPACE_H
#define OPS_TENSOR_DEPTH_SPACE_H

#include "ops/op.h"

typedef struct DepthSpaceAttrs {
    int64_t block; /* pixels of a square's side, which become channels or come from them */
    int mode;      /* index into DCR, CRD: whether a pixel's place in its square counts before the channel */
    bool to_depth; /* SpaceToDepth */
} DepthSpaceAttrs;

enum { DEPTH_SPACE_DIMS = 6 };

/* The output as six dimensions in row-major order, and the input's strides along these, in elements, for a
 * shape that infer() has accepted. */
typedef struct DepthSpaceGeometry {
    int64_t dims[DEPTH_SPACE_DIMS], in_strides[DEPTH_SPACE_DIMS];
} DepthSpaceGeometry;

DepthSpaceGeometry depth_space_geometry(const DepthSpaceAttrs *attrs, const Shape *x);

#endif
