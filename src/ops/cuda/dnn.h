/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions through cuDNN's graph API: described by a graph of operations, for which cuDNN offers engines.
 */
#ifndef OPS_CUDA_DNN_H
#define OPS_CUDA_DNN_H

#include <cudnn.h>

#include "base/size.h"
#include "ops/nn/window.h"

enum { DNN_MAX_RANK = 2 + MAX_SPATIAL, DNN_TEXT = 96 };

/* In bytes, of all that cuDNN and cuBLASLt are given: parts of other tensors lie so, too. */
enum { TENSOR_ALIGNMENT = 16 };

/* Of so many floats in a workspace whose parts all lie so. */
static inline Bytes workspace_part(int64_t floats) {
    const int64_t each = TENSOR_ALIGNMENT / (int64_t)sizeof(float);
    return bytes_of(sizeof(float), ceil_div(floats, each), each);
}

/* y = relu(x * w + residual + bias), each of the last three optional, in the order that cuDNN has engines
 * for. Transposed: the gradient of the convolution that maps y to x. */
typedef struct DnnConv {
    int rank; /* of the tensors, which are dense and row-major */
    bool transposed, has_residual, has_bias, has_relu;
    int64_t x[DNN_MAX_RANK], w[DNN_MAX_RANK], y[DNN_MAX_RANK];
    int64_t pad_begin[MAX_SPATIAL], pad_end[MAX_SPATIAL], strides[MAX_SPATIAL], dilations[MAX_SPATIAL];
} DnnConv;

/* What plans are made for. */
typedef struct DnnTarget {
    cudnnBackendDescriptor_t properties; /* of the device: from a handle, or from a description in JSON */
    bool allow_tf32, allow_nondeterministic;
    uint64_t max_workspace_bytes;
} DnnTarget;

enum { DNN_MAX_DESCRIPTORS = 24 };

typedef struct DnnPlan {
    cudnnBackendDescriptor_t plan;                      /* NULL: cuDNN has none for this target */
    cudnnBackendDescriptor_t kept[DNN_MAX_DESCRIPTORS]; /* what it was made of, which it may refer to */
    int n_kept;
    int64_t workspace_bytes;
    int offered;         /* engines that cuDNN named, up to this one */
    char text[DNN_TEXT]; /* "cudnn engine 38 + bias + relu", or why there is none */
} DnnPlan;

/* What a plan reads and writes, on the device. */
typedef struct DnnData {
    const void *x, *w, *residual, *bias;
    void *y, *workspace;
} DnnData;

/* Makes the plan that cuDNN thinks fastest among those that the target allows, without the first `offered`
 * engines that it names; plan->plan is NULL where there is none. */
void dnn_plan_next(const DnnConv *conv, const DnnTarget *target, int offered, DnnPlan *plan);
void dnn_plan_free(DnnPlan *plan);
cudnnStatus_t dnn_execute(cudnnHandle_t handle, const DnnConv *conv, const DnnPlan *plan,
                          const DnnData *data);

#endif
