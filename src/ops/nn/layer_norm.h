/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_LAYER_NORM_H
#define OPS_NN_LAYER_NORM_H

#include "ops/op.h"

enum { LAYER_NORM_X, LAYER_NORM_SCALE, LAYER_NORM_B };

/* Of LayerNormalization and RMSNormalization. */
typedef struct LayerNormAttrs {
    int64_t axis;  /* normalises over the dimensions from here on; may be negative */
    float epsilon; /* added to the variance or the mean square */
    DType stash;   /* of the outputs Mean and InvStdDev; the arithmetic here is float64 */
} LayerNormAttrs;

/* `groups` runs of `count` neighbouring elements, for a known shape that infer() has accepted. */
void layer_norm_geometry(const LayerNormAttrs *attrs, const Shape *x, int64_t *groups, int64_t *count);

#endif
