/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_LOGICAL_LOGIC_H
#define OPS_LOGICAL_LOGIC_H

#include "ops/op.h"

typedef struct IsInfAttrs {
    bool negative, positive; /* which infinities count */
} IsInfAttrs;

#endif
