/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

TEAM_KERNEL(k_softmax, SoftmaxArgs) {
    BLOCK_SHARED float parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, group = (int)blockIdx.x;
    const long long base = (long long)(group / args.inner) * args.count * args.inner + group % args.inner;
    const float *x = args.data.in[0] + base;
    float *out = args.data.out + base;
    float max = -INFINITY, sum = 0;
    for (int i = me; i < args.count; i += TEAM_THREADS)
        max = x[(long long)i * args.inner] > max ? x[(long long)i * args.inner] : max;
    parts[me] = max;
    __syncthreads();
    for (int half = TEAM_THREADS / 2; half; half /= 2) {
        if (me < half && parts[me + half] > parts[me])
            parts[me] = parts[me + half];
        __syncthreads();
    }
    max = parts[0];
    __syncthreads();
    for (int i = me; i < args.count; i += TEAM_THREADS)
        sum += exp(x[(long long)i * args.inner] - max);
    parts[me] = sum;
    __syncthreads();
    for (int half = TEAM_THREADS / 2; half; half /= 2) {
        if (me < half)
            parts[me] += parts[me + half];
        __syncthreads();
    }
    sum = args.is_log ? log(parts[0]) : parts[0];
    for (int i = me; i < args.count; i += TEAM_THREADS) {
        const float value = x[(long long)i * args.inner] - max;
        out[(long long)i * args.inner] = args.is_log ? value - sum : exp(value) / sum;
    }
}

/* 1 at the first maximum. */
KERNEL(k_hardmax, HardmaxArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.groups)
        return;
    const long long base = (long long)(i / args.inner) * args.count * args.inner + i % args.inner;
    const float *x = args.data.in[0] + base;
    int best = 0;
    for (int k = 1; k < args.count; k++)
        if (x[(long long)k * args.inner] > x[(long long)best * args.inner])
            best = k;
    for (int k = 0; k < args.count; k++)
        args.data.out[base + (long long)k * args.inner] = k == best;
}
