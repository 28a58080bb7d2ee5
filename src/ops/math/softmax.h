/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_SOFTMAX_H
#define OPS_MATH_SOFTMAX_H

#include "ops/op.h"

typedef struct SoftmaxAttrs {
    int64_t axis; /* may be negative */
    bool flatten; /* before opset 13: over all dimensions from `axis` on */
} SoftmaxAttrs;

/* outer * count * inner elements: element i of a group lies i*inner after its first. */
typedef struct SoftmaxGeometry {
    int64_t outer, count, inner;
} SoftmaxGeometry;

/* From a known shape that infer() has accepted. */
SoftmaxGeometry softmax_geometry(const SoftmaxAttrs *attrs, const Shape *x);

#endif
