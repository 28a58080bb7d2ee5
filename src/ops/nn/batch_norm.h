/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_BATCH_NORM_H
#define OPS_NN_BATCH_NORM_H

#include "ops/op.h"

enum { BATCH_NORM_X, BATCH_NORM_SCALE, BATCH_NORM_B, BATCH_NORM_MEAN, BATCH_NORM_VAR };

typedef struct BatchNormAttrs {
    float epsilon;
    float momentum;      /* of training */
    bool training;       /* statistics of the batch, not of the inputs mean and var */
    bool per_activation; /* before opset 9, spatial=0: scale, B, mean and var are of shape X[1:], not [C] */
} BatchNormAttrs;

#endif
