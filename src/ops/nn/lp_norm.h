/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_LP_NORM_H
#define OPS_NN_LP_NORM_H

#include "ops/op.h"

typedef struct LpNormAttrs {
    int64_t axis, p; /* p: 1 or 2 */
} LpNormAttrs;

#endif
