/* SPDX-License-Identifier: Apache-2.0 */
/* Which plan of a convolution is the fastest: measured by the device's clock, on memory of its own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/cuda/conv_plan.h"

enum { MAX_PLANS = 16 /* of one candidate */, RUNS = 5, PATTERN = 1 << 18 };

typedef struct Tuner {
    CudaDevice *device;
    const KernelTimes *times;
    const DnnConv *conv; /* as the node has it */
    char layer[KERNEL_LAYER_TEXT];
    Error *err;
} Tuner;

/* --- measuring --- */

static size_t tensor_bytes(const CudaDevice *device, int rank, const int64_t *dims) {
    size_t size_bytes = sizeof(float);
    for (int i = 0; i < rank; i++)
        size_bytes *= (size_t)dims[i];
    return (size_bytes + device->device.alignment - 1) & ~(device->device.alignment - 1);
}

typedef struct Scratch {
    char *memory;
    size_t tensors_bytes;
    DnnData data;
} Scratch;

/* Small numbers: zeros could run faster than others, denormal numbers and NaN slower. */
static Status fill(CudaDevice *device, const Scratch *scratch, Error *err) {
    const size_t pattern_bytes = PATTERN * sizeof(float);
    float *pattern = memory_alloc(device->device.allocator, pattern_bytes);
    Status status = pattern ? STRIDER_OK : fail_memory(err, pattern_bytes, "measuring a plan");
    for (size_t i = 0; pattern && i < PATTERN; i++)
        pattern[i] = (float)(i % 13) * 0.125f - 0.75f;
    for (size_t done = 0; !status && done < scratch->tensors_bytes; done += pattern_bytes) {
        const size_t left = scratch->tensors_bytes - done;
        status = cuda_upload(&device->device, scratch->memory + done, pattern,
                             left < pattern_bytes ? left : pattern_bytes, err);
    }
    memory_free(device->device.allocator, pattern);
    return status;
}

static Status alloc_scratch(const Tuner *tuner, const ConvPlan *plan, Scratch *scratch, Error *err) {
    const DnnConv *conv = tuner->conv;
    CudaDevice *device = tuner->device;
    const size_t x = tensor_bytes(device, conv->rank, conv->x), w = tensor_bytes(device, conv->rank, conv->w),
                 y = tensor_bytes(device, conv->rank, conv->y), bias = tensor_bytes(device, 1, &conv->y[1]);
    void *memory;
    scratch->tensors_bytes = x + w + bias + y + y;
    TRY(device->device.reserve(&device->device, scratch->tensors_bytes + conv_plan_workspace(plan).n, &memory,
                               err));
    scratch->memory = memory;
    scratch->data = (DnnData){.x = scratch->memory,
                              .w = scratch->memory + x,
                              .bias = scratch->memory + x + w,
                              .residual = scratch->memory + x + w + bias,
                              .y = scratch->memory + x + w + bias + y,
                              .workspace = scratch->memory + scratch->tensors_bytes};
    return fill(device, scratch, err);
}

static Status run_once(CudaDevice *device, const ConvPlan *plan, const DnnData *data, double *time_ns,
                       Error *err) {
    uint64_t time = 0;
    TRY(cuda_mark(&device->device, 0, err));
    TRY(conv_plan_submit(device, plan, data, err));
    TRY(cuda_mark(&device->device, 1, err));
    TRY(cuda_elapsed(&device->device, &time, err));
    *time_ns = (double)time;
    return STRIDER_OK;
}

static Status measure(const Tuner *tuner, const ConvPlan *plan, double *time_ns, Error *err) {
    Device *device = &tuner->device->device;
    Scratch scratch = {0};
    double time = 0;
    Status status = alloc_scratch(tuner, plan, &scratch, err);
    for (int i = 0; i < RUNS && !status; i++) {
        status = run_once(tuner->device, plan, &scratch.data, &time, err);
        /* The first loads what is loaded at first use. */
        *time_ns = i < 2 || time < *time_ns ? time : *time_ns;
    }
    device->release(device, scratch.memory);
    device->was_full = false; /* nothing but the measurement lacked it */
    return status;
}

/* --- what is known --- */

static void append(char text[KERNEL_LAYER_TEXT], size_t *used, const char *name, int count,
                   const int64_t *numbers) {
    *used += (size_t)snprintf(text + *used, KERNEL_LAYER_TEXT - *used, " %s", name);
    for (int i = 0; i < count && *used < KERNEL_LAYER_TEXT; i++)
        *used += (size_t)snprintf(text + *used, KERNEL_LAYER_TEXT - *used, "%s%lld", i ? "x" : " ",
                                  (long long)numbers[i]);
}

/* All that a time depends on, and what the offers' numbers do: other versions offer other engines. */
static bool describe_layer(Tuner *tuner) {
    const DnnConv *conv = tuner->conv;
    const int spatial = conv->rank - 2;
    size_t used = (size_t)snprintf(
        tuner->layer, KERNEL_LAYER_TEXT, "%s, cuDNN %zu:%s%s%s%s", tuner->device->product, cudnnGetVersion(),
        conv->transposed ? " transposed" : "", conv->has_residual ? " residual" : "",
        conv->has_bias ? " bias" : "", conv->has_relu ? " relu" : "");
    const struct {
        const char *name;
        int count;
        const int64_t *numbers;
    } parts[] = {{"x", conv->rank, conv->x},
                 {"w", conv->rank, conv->w},
                 {"y", conv->rank, conv->y},
                 {"pads", spatial, conv->pad_begin},
                 {"to", spatial, conv->pad_end},
                 {"strides", spatial, conv->strides},
                 {"dilations", spatial, conv->dilations}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && used < KERNEL_LAYER_TEXT; i++)
        append(tuner->layer, &used, parts[i].name, parts[i].count, parts[i].numbers);
    return used < KERNEL_LAYER_TEXT;
}

/* Infinite where the plan cannot be measured: it fails, or there is no room for its data twice. */
static Status time_of(const Tuner *tuner, const ConvPlan *plan, double *time_ns) {
    const KernelTimes *times = tuner->times;
    char kernel[DNN_TEXT + 20];
    Error ignored;
    snprintf(kernel, sizeof kernel, "offer %d %s", plan->dnn.offered, plan->dnn.text);
    for (char *at = kernel; *at; at++)
        if (*at == ' ')
            *at = '_';
    if (times->find(times->context, "cuda", kernel, tuner->layer, time_ns))
        return STRIDER_OK;
    if (measure(tuner, plan, time_ns, &ignored)) {
        *time_ns = INFINITY;
        return STRIDER_OK;
    }
    return times->add(times->context, "cuda", kernel, tuner->layer, *time_ns, tuner->err);
}

/* --- the choice --- */

static Status tune_candidate(const Tuner *tuner, const ConvPlan *candidate, ConvPlan *best,
                             double *best_time) {
    int offered = 0;
    for (int i = 0; i < MAX_PLANS; i++) {
        ConvPlan next;
        double time = 0;
        conv_plan_next(tuner->device, candidate, offered, &next);
        if (!next.dnn.plan)
            break;
        offered = next.dnn.offered;
        const Status status = time_of(tuner, &next, &time);
        if (status) {
            dnn_plan_free(&next.dnn);
            return status;
        }
        const bool is_better = !best->dnn.plan || time < *best_time;
        dnn_plan_free(is_better ? &best->dnn : &next.dnn);
        if (is_better) {
            *best = next;
            *best_time = time;
        }
    }
    return STRIDER_OK;
}

Status conv_plan_fastest(CudaDevice *device, const KernelTimes *times, const ConvPlan *candidates,
                         int n_candidates, ConvPlan *best, Error *err) {
    Tuner tuner = {.device = device, .times = times, .conv = &candidates[0].conv, .err = err};
    double best_time = INFINITY;
    Status status = STRIDER_OK;
    *best = candidates[0];
    /* Without words for it there is nothing to remember a time by. */
    if (!describe_layer(&tuner)) {
        conv_plan_next(device, &candidates[0], 0, best);
        return STRIDER_OK;
    }
    for (int i = 0; i < n_candidates && !status; i++)
        status = tune_candidate(&tuner, &candidates[i], best, &best_time);
    if (status)
        dnn_plan_free(&best->dnn);
    return status;
}
