/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_IS_NAN_H
#define OPS_TENSOR_IS_NAN_H

#include "ops/op.h"

typedef struct IsInfAttrs {
    bool negative, positive; /* which infinities count */
} IsInfAttrs;

#endif
