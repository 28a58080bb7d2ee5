/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_EINSUM_H
#define OPS_MATH_EINSUM_H

#include "ops/op.h"

enum { EINSUM_LABELS = 52 + MAX_RANK }; /* letters, then dimensions of the ellipsis */

/* The label, below EINSUM_LABELS, of each dimension of an input, or with `port` n_inputs of the output; false
 * where the equation has another rank. */
bool einsum_labels(const Node *node, int port, int rank, uint8_t labels[MAX_RANK]);

#endif
