/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/conv_plan.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/kernels.h"

/* --- candidates --- */

/* What k_pad adds before and after a dimension, so that pads of the same size on both sides are left;
 * negative: it takes away. */
static void uneven_pads(const DnnConv *conv, int dim, int64_t *begin, int64_t *end) {
    const int64_t smaller = i64_min(conv->pad_begin[dim], conv->pad_end[dim]), even = i64_max(smaller, 0);
    *begin = conv->pad_begin[dim] - even;
    *end = conv->pad_end[dim] - even;
}

static void describe_pad(const DnnConv *conv, const DnnConv *padded, int64_t count, ConvPlan *candidate) {
    const int spatial = conv->rank - 2, first = KERNEL_DIMS - spatial;
    struct PadArgs *args = &candidate->pad_args;
    *args = (struct PadArgs){.count = (int)count, .mode = PAD_CONSTANT};
    for (int d = 0; d < first; d++)
        args->in_dims[d] = args->out_dims[d] = 1;
    int stride = 1;
    for (int d = spatial - 1; d >= 0; d--) {
        int64_t begin, end;
        uneven_pads(conv, d, &begin, &end);
        args->in_dims[first + d] = (int)conv->x[2 + d];
        args->out_dims[first + d] = (int)padded->x[2 + d];
        args->in_strides[first + d] = stride;
        args->begins[first + d] = (int)begin;
        stride *= (int)conv->x[2 + d];
    }
    args->in_dims[first - 1] = args->out_dims[first - 1] = (int)(conv->x[0] * conv->x[1]);
    args->in_strides[first - 1] = stride;
    candidate->pad = launch_each((const void *)k_pad, count);
}

/* False where the pads are even, or the padded input is too large. */
static bool padded_candidate(const DnnConv *conv, ConvPlan *candidate) {
    int64_t count = conv->x[0] * conv->x[1];
    bool is_uneven = false;
    *candidate = (ConvPlan){.conv = *conv};
    for (int d = 0; d < conv->rank - 2; d++) {
        int64_t begin, end;
        uneven_pads(conv, d, &begin, &end);
        is_uneven = is_uneven || begin || end;
        candidate->conv.x[2 + d] += begin + end;
        candidate->conv.pad_begin[d] -= begin;
        candidate->conv.pad_end[d] -= end;
        if (conv->x[2 + d] > INT_MAX / 4 || candidate->conv.x[2 + d] > INT_MAX / 4 ||
            candidate->conv.x[2 + d] < 1 || !i64_mul(count, candidate->conv.x[2 + d], &count))
            return false;
    }
    if (!is_uneven || conv->transposed || count > INT_MAX - LONE_THREADS)
        return false;
    describe_pad(conv, &candidate->conv, count, candidate);
    return size_align(bytes_of(sizeof(float), count).n, 256, &candidate->padded_bytes);
}

int conv_plan_candidates(const DnnConv *conv, ConvPlan candidates[CONV_MAX_CANDIDATES]) {
    candidates[0] = (ConvPlan){.conv = *conv};
    return padded_candidate(conv, &candidates[1]) ? 2 : 1;
}

/* --- plans --- */

void conv_plan_next(const CudaDevice *device, const ConvPlan *candidate, int offered, ConvPlan *plan) {
    const uint64_t max_bytes = device->device.max_workspace_bytes;
    const DnnTarget target = {.properties = device->properties,
                              .allow_tf32 = device->options.allow_tf32,
                              .allow_nondeterministic = device->options.allow_nondeterministic,
                              .max_workspace_bytes = max_bytes - candidate->padded_bytes};
    *plan = *candidate;
    plan->dnn = (DnnPlan){0};
    if (candidate->padded_bytes > max_bytes)
        return;
    dnn_plan_next(&candidate->conv, &target, offered, &plan->dnn);
    if (candidate->padded_bytes && plan->dnn.plan) {
        char text[DNN_TEXT];
        snprintf(text, sizeof text, "pad + %.*s", DNN_TEXT - 8, plan->dnn.text);
        memcpy(plan->dnn.text, text, sizeof text);
    }
}

Bytes conv_plan_workspace(const ConvPlan *plan) {
    return plan->dnn.plan
               ? bytes_sum(bytes_of(1, (int64_t)plan->padded_bytes), bytes_of(1, plan->dnn.workspace_bytes))
               : (Bytes){0};
}

Status conv_plan_submit(CudaDevice *device, const ConvPlan *plan, const DnnData *data, Error *err) {
    DnnData used = *data;
    if (plan->padded_bytes) {
        struct PadArgs args = plan->pad_args;
        args.data = (KernelData){.in = {data->x}, .out = data->workspace};
        TRY(cuda_launch(device, &plan->pad, &args, err));
        used.x = data->workspace;
        used.workspace = (char *)data->workspace + plan->padded_bytes;
    }
    TRY(cuda_use(device, err));
    const cudnnStatus_t status = dnn_execute(device->dnn, &plan->conv, &plan->dnn, &used);
    return status ? cudnn_fail(device, status, "cudnnBackendExecute", err) : STRIDER_OK;
}
