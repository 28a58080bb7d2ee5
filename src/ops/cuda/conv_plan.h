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

enum { CONV_MAX_WAYS = 2 };

/* Ways to compute a convolution, the best first, without plans yet; how many. */
int conv_plan_ways(const DnnConv *conv, ConvPlan ways[CONV_MAX_WAYS]);
/* A plan for one way, without the first `offered` engines that cuDNN names. */
void conv_plan_next(const CudaDevice *device, const ConvPlan *way, int offered, ConvPlan *plan);
Bytes conv_plan_workspace(const ConvPlan *plan);
/* Hands it to the device; data->workspace as large as conv_plan_workspace() says. */
Status conv_plan_submit(CudaDevice *device, const ConvPlan *plan, const DnnData *data, Error *err) MUST_CHECK;

/* tune.c: among all plans of all ways the one that is fastest by measured times: those that are known, else
 * new ones, which become known.  A plan that cannot be measured is taken only where none can. */
Status conv_plan_fastest(CudaDevice *device, const KernelTimes *times, const ConvPlan *ways, int n_ways,
                         ConvPlan *best, Error *err) MUST_CHECK;

#endif
