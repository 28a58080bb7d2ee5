/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_CAST_H
#define OPS_TENSOR_CAST_H

#include "ops/op.h"
#include "tensor/narrow.h"

typedef struct CastAttrs {
    DType to;               /* not of CastLike */
    bool saturate;          /* to floats of 8 bits: what is too large becomes the largest number */
    PowerRounding rounding; /* to f8e8m0 */
} CastAttrs;

#endif
