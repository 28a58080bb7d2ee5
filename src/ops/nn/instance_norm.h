/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_INSTANCE_NORM_H
#define OPS_NN_INSTANCE_NORM_H

#include "ops/op.h"

enum { INSTANCE_NORM_X, INSTANCE_NORM_SCALE, INSTANCE_NORM_B };

/* Of InstanceNormalization and GroupNormalization. */
typedef struct InstanceNormAttrs {
    float epsilon;
    int64_t groups;   /* GroupNormalization: of neighbouring channels; 0: each channel is one */
    bool group_scale; /* GroupNormalization-18: scale and bias are [groups], not [C] */
} InstanceNormAttrs;

/* Of MeanVarianceNormalization. */
typedef struct MvnAttrs {
    int n_axes;
    int64_t axes[MAX_RANK]; /* may be negative */
} MvnAttrs;

#endif
