/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_REDUCTION_REDUCE_H
#define OPS_REDUCTION_REDUCE_H

#include "ops/op.h"
#include "ops/reduction/reduce_kind.h"

typedef struct ReduceAttrs {
    bool axes_given; /* as an attribute */
    int n_axes;
    int64_t axes[MAX_RANK];
    bool keepdims, noop_with_empty_axes;
} ReduceAttrs;

ReduceKind reduce_kind(const Node *node);

/* Which axes of a tensor of known rank are reduced: a bit set.  `axes` is the second input's contents where
 * there is one, else NULL.  False where an axis is out of range or given twice. */
bool reduce_axes(const ReduceAttrs *attrs, const Tensor *axes, int rank, unsigned *mask);

#endif
