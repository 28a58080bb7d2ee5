/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_GATHER_H
#define OPS_TENSOR_GATHER_H

#include "ops/op.h"

/* Gather and GatherElements have AxisAttrs (concat.h). */
typedef struct GatherNdAttrs {
    int64_t batch_dims;
} GatherNdAttrs;

#endif
