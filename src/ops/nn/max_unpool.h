/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_MAX_UNPOOL_H
#define OPS_NN_MAX_UNPOOL_H

#include "ops/nn/window.h"

/* Attributes: WindowAttrs. */
enum { UNPOOL_X, UNPOOL_INDICES, UNPOOL_SHAPE };

/* The shape that the indices are over; dimensions that are not known stay so. */
Shape unpool_pooled_from(const WindowAttrs *attrs, const Shape *x);
/* The index in `to` of the element that has index `index` in `from`; both of one rank. */
int64_t unpool_move_index(const Shape *from, const Shape *to, int64_t index);

#endif
