/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_ONE_HOT_H
#define OPS_TENSOR_ONE_HOT_H

#include "ops/op.h"

enum { ONE_HOT_INDICES, ONE_HOT_DEPTH, ONE_HOT_VALUES };

/* The output's dimension that the node adds, to indices of a known rank. */
int one_hot_axis(const Node *node, const Shape *indices);
/* Whether negative indices count from the end. */
bool one_hot_counts_from_end(const Node *node);

#endif
