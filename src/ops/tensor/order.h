/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_ORDER_H
#define OPS_TENSOR_ORDER_H

#include "ops/op.h"

/* Unsigned numbers that stand in the order of the elements, whatever their type: equal for equals (0 and -0,
 * all NaN), NaN the largest. */
uint64_t tensor_order_key(const Tensor *x, int64_t index);

#endif
