/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_REDUCTION_ARG_REDUCE_H
#define OPS_REDUCTION_ARG_REDUCE_H

#include "ops/op.h"

typedef struct ArgReduceAttrs {
    int64_t axis; /* may be negative */
    bool keepdims, select_last_index;
} ArgReduceAttrs;

#endif
