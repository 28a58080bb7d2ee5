/* SPDX-License-Identifier: Apache-2.0 */
/* How cuDNN computes a convolution: as it is described, or behind a k_pad that makes its pads even. */
#ifndef OPS_CUDA_CONV_PLAN_H
#define OPS_CUDA_CONV_PLAN_H

#include "ops/cuda/cuda.h"
#include "ops/cuda/dnn.h"

typedef struct ConvPlan {
    DnnConv conv;        /* that cuDNN computes */
    DnnPlan dnn;         /* dnn.plan is NULL where there is none */
    size_t padded_bytes; /* of the padded input, in front of cuDNN's workspace; 0: it is not padded */
    Launch pad;
    struct PadArgs pad_args;
} ConvPlan;

enum { CONV_MOST_WAYS = 2 };

/* Ways to compute a convolution, the best first, without plans yet; how many. */
int conv_plan_ways(const DnnConv *conv, ConvPlan ways[CONV_MOST_WAYS]);
/* A plan for one way, without the first `offered` engines that cuDNN names. */
void conv_plan_next(const CudaDevice *device, const ConvPlan *way, int offered, ConvPlan *plan);
size_t conv_plan_workspace(const ConvPlan *plan);
/* Hands it to the device; data->workspace as large as conv_plan_workspace() says. */
Status conv_plan_submit(CudaDevice *device, const ConvPlan *plan, const DnnData *data, Error *err) MUST_CHECK;

/* tune.c: a plan for the first way that cuDNN has one for; where times are to be measured, the fastest of
 * all. */
Status conv_plan_make(PrepareContext *ctx, const ConvPlan *ways, int n_ways, ConvPlan *plan) MUST_CHECK;

#endif
