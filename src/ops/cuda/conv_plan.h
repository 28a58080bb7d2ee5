/* SPDX-License-Identifier: Apache-2.0 */
/* How cuDNN computes a convolution: as it is described, or after a k_pad that makes its pads even. */
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

enum { CONV_MAX_CANDIDATES = 2 };

/* Candidates for a convolution, the best first, without plans yet; how many. */
int conv_plan_candidates(const DnnConv *conv, ConvPlan candidates[CONV_MAX_CANDIDATES]);
/* A plan for one candidate, without the first `offered` engines that cuDNN names. */
void conv_plan_next(const CudaDevice *device, const ConvPlan *candidate, int offered, ConvPlan *plan);
Bytes conv_plan_workspace(const ConvPlan *plan);
/* Hands it to the device; data->workspace as large as conv_plan_workspace() says. */
Status conv_plan_submit(CudaDevice *device, const ConvPlan *plan, const DnnData *data, Error *err) MUST_CHECK;

/* tune.c: among all plans of all candidates the one that is fastest by measured times: those that are known,
 * else new ones, which become known.  A plan that cannot be measured is taken only where none can. */
Status conv_plan_fastest(CudaDevice *device, const KernelTimes *times, const ConvPlan *candidates,
                         int n_candidates, ConvPlan *best, Error *err) MUST_CHECK;

#endif
