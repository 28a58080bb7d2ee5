/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_EINSUM_H
#define OPS_MATH_EINSUM_H

#include "ops/op.h"

enum { EINSUM_MAX_LABELS = 52 + MAX_RANK };

/* The label of each dimension of input `port`, of the output for port -1, where it has `rank` of them: a
 * number below EINSUM_MAX_LABELS.  False where the rank does not fit the equation. */
bool einsum_labels(const Node *node, int port, int rank, uint8_t labels[MAX_RANK]);

#endif
