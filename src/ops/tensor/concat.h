/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_CONCAT_H
#define OPS_TENSOR_CONCAT_H

#include "ops/op.h"

typedef struct AxisAttrs {
    int64_t axis; /* may count from the end */
} AxisAttrs;

static inline int axis_resolve(int64_t axis, int rank) {
    return (int)(axis < 0 ? axis + rank : axis);
}

/* Concat. */
typedef struct ConcatAttrs {
    int64_t axis;
    /* What a pass may add: element i of the result along the axis is element order[i] of what is joined, so
     * that groups may be shuffled, and elements left out.  NULL: all, as they stand. */
    const int64_t *order;
    int64_t n_order;
} ConcatAttrs;

/* The output's shape of joining inputs `first`, `first + step`, ...; *axis is -1 where no rank is known. */
Status concat_infer_shape(InferContext *ctx, int64_t stated_axis, int first, int step, int *axis) MUST_CHECK;

/* Split: the sizes along the axis. */
typedef struct SplitAttrs {
    int64_t axis;
    int n_split; /* -1 where absent */
    const int64_t *split;
    int64_t num_outputs; /* 0 where absent */
} SplitAttrs;

#endif
