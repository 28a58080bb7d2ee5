/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_SLICE_H
#define OPS_TENSOR_SLICE_H

#include "ops/op.h"

typedef struct SliceAttrs {
    int n_starts, n_ends, n_axes; /* Slice-1; -1 where absent */
    int64_t starts[MAX_RANK], ends[MAX_RANK], axes[MAX_RANK];
} SliceAttrs;

/* A slice with everything resolved: element i of dimension d is input element begin[d] + i * step[d]. */
typedef struct SliceBounds {
    int64_t begin[MAX_RANK], step[MAX_RANK], count[MAX_RANK];
} SliceBounds;

/* From a known shape and the node's constants (`inputs` as for infer() or reference(): starts, ends, axes,
 * steps at 1 to 4, NULL where absent).  Returns NULL, or what is wrong. */
const char *slice_resolve(const SliceAttrs *attrs, const Shape *x, int n_inputs, const Tensor *const *inputs,
                          SliceBounds *bounds);

#endif
