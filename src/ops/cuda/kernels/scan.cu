/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

SHARED float cumulated(const struct CumulateArgs *args, float a, float b) {
    return args->is_product ? a * b : a + b;
}

/* Each thread joins a stretch of the line, and then begins with what those before it came to. */
TEAM_KERNEL(k_cumulate, CumulateArgs) {
    BLOCK_SHARED float parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, line = (int)blockIdx.x;
    const int each = shared_ceil_div(args.count, TEAM_THREADS), first = me * each,
              end = first + each < args.count ? first + each : args.count;
    const int begin = line / args.inner * args.count * args.inner + line % args.inner +
                      (args.reverse ? (args.count - 1) * args.inner : 0),
              stride = args.reverse ? -args.inner : args.inner;
    const float *x = args.data.in[0] + begin;
    float *out = args.data.out + begin;
    float sum = args.is_product;
    for (int i = first; i < end; i++)
        sum = cumulated(&args, sum, x[(long long)i * stride]);
    parts[me] = sum;
    __syncthreads();
    sum = args.is_product;
    for (int i = 0; i < me; i++)
        sum = cumulated(&args, sum, parts[i]);
    for (int i = first; i < end; i++) {
        const float before = sum;
        sum = cumulated(&args, sum, x[(long long)i * stride]);
        out[(long long)i * stride] = args.exclusive ? before : sum;
    }
}

/* NaN is larger than everything; of equals the first comes first. */
SHARED bool is_before(bool largest, float a, int at_a, float b, int at_b) {
    const bool a_is_nan = a != a, b_is_nan = b != b;
    if (a_is_nan != b_is_nan)
        return largest ? a_is_nan : b_is_nan;
    if (!a_is_nan && a != b)
        return largest ? a > b : a < b;
    return at_a < at_b;
}

/* A thread for each element: as many as stand before it in its line say where it goes. */
KERNEL(k_topk, TopKArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int lane = i % args.inner, at = i / args.inner % args.line, outer = i / args.inner / args.line;
    const float *x = args.data.in[0] + (long long)outer * args.line * args.inner + lane;
    const float value = x[(long long)at * args.inner];
    int rank = 0;
    for (int k = 0; k < args.line; k++)
        rank += is_before(args.largest, x[(long long)k * args.inner], k, value, at);
    if (rank >= args.k)
        return;
    const int to = (outer * args.k + rank) * args.inner + lane;
    if (args.data.out)
        args.data.out[to] = value;
    if (args.data.indices)
        args.data.indices[to] = at;
}
