/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_QUANTIZATION_QLINEAR_POOL_H
#define OPS_QUANTIZATION_QLINEAR_POOL_H

#include "ops/nn/pool.h"

enum { QPOOL_X, QPOOL_X_SCALE, QPOOL_X_ZERO, QPOOL_Y_SCALE, QPOOL_Y_ZERO, QPOOL_INPUTS };

typedef struct QLinearPoolAttrs {
    PoolAttrs pool; /* not of QLinearGlobalAveragePool */
    bool channels_last;
} QLinearPoolAttrs;

/* An input's or output's shape as [N, C, D...]. */
Shape qlinear_pool_shape(const QLinearPoolAttrs *attrs, const Shape *shape);

#endif
