/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_PAD_SOURCE_H
#define OPS_TENSOR_PAD_SOURCE_H

#include "ops/shared_math.h"

typedef enum PadMode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP } PadMode;

/* The input index that output index `at` (counted from the input's first element, so it may be outside)
 * shows; -1 where it is the constant.  `dim` > 0. */
SHARED INDEX pad_source(PadMode mode, INDEX at, INDEX dim) {
    if (at >= 0 && at < dim)
        return at;
    switch (mode) {
    case PAD_EDGE:
        return at < 0 ? 0 : dim - 1;
    case PAD_WRAP:
        return (at % dim + dim) % dim;
    case PAD_REFLECT: {
        const INDEX period = 2 * (dim - 1), inside = dim == 1 ? 0 : (at % period + period) % period;
        return inside < dim ? inside : period - inside;
    }
    case PAD_CONSTANT:
        break;
    }
    return -1;
}

#endif
