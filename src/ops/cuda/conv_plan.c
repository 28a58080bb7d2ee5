/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/conv_plan.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "ops/cuda/kernels.h"

/* --- ways --- */

/* What k_pad adds in front of and behind a dimension, so that pads of the same size on both sides are left;
 * negative: it takes away. */
static void uneven_pads(const DnnConv *conv, int dim, int64_t *begin, int64_t *end) {
    const int64_t least = i64_min(conv->pad_begin[dim], conv->pad_end[dim]), even = i64_max(least, 0);
    *begin = conv->pad_begin[dim] - even;
    *end = conv->pad_end[dim] - even;
}

static void describe_pad(const DnnConv *conv, const DnnConv *padded, int64_t count, ConvPlan *way) {
    const int spatial = conv->rank - 2, first = KERNEL_DIMS - spatial;
    struct PadArgs *args = &way->pad_args;
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
    way->pad = launch_each((const void *)k_pad, count);
}

/* False where the pads are even, or the padded input is too large. */
static bool padded_way(const DnnConv *conv, ConvPlan *way) {
    int64_t count = conv->x[0] * conv->x[1];
    bool is_uneven = false;
    *way = (ConvPlan){.conv = *conv};
    for (int d = 0; d < conv->rank - 2; d++) {
        int64_t begin, end;
        uneven_pads(conv, d, &begin, &end);
        is_uneven = is_uneven || begin || end;
        way->conv.x[2 + d] += begin + end;
        way->conv.pad_begin[d] -= begin;
        way->conv.pad_end[d] -= end;
        if (conv->x[2 + d] > INT_MAX / 4 || way->conv.x[2 + d] > INT_MAX / 4 || way->conv.x[2 + d] < 1 ||
            !i64_mul(count, way->conv.x[2 + d], &count))
            return false;
    }
    if (!is_uneven || conv->transposed || count > INT_MAX - LONE_THREADS)
        return false;
    describe_pad(conv, &way->conv, count, way);
    return size_align(bytes_of(sizeof(float), count).n, 256, &way->padded_bytes);
}

int conv_plan_ways(const DnnConv *conv, ConvPlan ways[CONV_MAX_WAYS]) {
    ways[0] = (ConvPlan){.conv = *conv};
    return padded_way(conv, &ways[1]) ? 2 : 1;
}

/* --- plans --- */

void conv_plan_next(const CudaDevice *device, const ConvPlan *way, int offered, ConvPlan *plan) {
    const uint64_t most = device->device.max_workspace_bytes;
    const DnnTarget target = {.properties = device->properties,
                              .allow_tf32 = device->options.allow_tf32,
                              .allow_nondeterministic = device->options.allow_nondeterministic,
                              .max_workspace_bytes = most - way->padded_bytes};
    *plan = *way;
    plan->dnn = (DnnPlan){0};
    if (way->padded_bytes > most)
        return;
    dnn_plan_next(&way->conv, &target, offered, &plan->dnn);
    if (way->padded_bytes && plan->dnn.plan) {
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
