/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

#include "ops/math/unary_formula.h"

KERNEL(k_batch_norm, BatchNormArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int column = i / args.plane % args.columns;
    const float *const *in = args.data.in;
    const float factor = in[1][column] / sqrt(in[4][column] + args.epsilon);
    args.data.out[i] =
        activation_formula(args.activation, (in[0][i] - in[3][column]) * factor + in[2][column]);
}

TEAM_KERNEL(k_normalize, NormalizeArgs) {
    BLOCK_SHARED float parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, first = (int)blockIdx.x * args.count;
    const float *x = args.data.in[0] + first, *scale = args.data.in[1];
    const float *b = args.b_port < 0 ? NULL : args.data.in[args.b_port];
    const float *residual = args.residual_port < 0 ? NULL : args.data.in[args.residual_port] + first;
    float *out = args.data.out + first;
    float sum = 0, squares = 0, mean = 0;
    for (int i = me; args.is_centred && i < args.count; i += TEAM_THREADS)
        sum += x[i];
    if (args.is_centred)
        mean = team_join(R_SUM, parts, sum) / (float)args.count;
    for (int i = me; i < args.count; i += TEAM_THREADS)
        squares += (x[i] - mean) * (x[i] - mean);
    squares = team_join(R_SUM, parts, squares);
    const float divisor = sqrt(squares / (float)args.count + args.epsilon);
    for (int i = me; i < args.count; i += TEAM_THREADS) {
        const float added = residual ? residual[i] : 0;
        float value = (x[i] - mean) / divisor * scale[walk(args.dims, args.strides[0], first + i)];
        if (b)
            value += b[walk(args.dims, args.strides[1], first + i)];
        if (residual && !args.residual_last)
            value += added;
        value = activation_formula(args.activation, value);
        out[i] = residual && args.residual_last ? value + added : value;
    }
}

KERNEL(k_lrn, LrnArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.count)
        return;
    const int channel = i / args.plane % args.channels, end = lrn_end(args.size, channel, args.channels);
    const float *x = args.data.in[0] + i;
    float sum = 0;
    for (int c = lrn_first(args.size, channel); c < end; c++) {
        const float value = x[(long long)(c - channel) * args.plane];
        sum += value * value;
    }
    args.data.out[i] = *x / pow(args.bias + args.alpha * sum, args.beta);
}

/* The norm as a reduction computes it; 0 where that is 0. */
TEAM_KERNEL(k_lp_norm, LpNormArgs) {
    BLOCK_SHARED float parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, group = (int)blockIdx.x;
    const long long first = (long long)(group / args.inner) * args.count * args.inner + group % args.inner;
    const float *x = args.data.in[0] + first;
    float peak = 0, sum = 0;
    for (int i = me; i < args.count; i += TEAM_THREADS)
        peak = reduce_join(R_MAX, peak, fabs(x[(long long)i * args.inner]));
    peak = team_join(R_MAX, parts, peak);
    for (int i = me; i < args.count; i += TEAM_THREADS)
        sum += reduce_term(args.kind, x[(long long)i * args.inner], peak);
    const float norm = reduce_result(args.kind, team_join(R_SUM, parts, sum), peak, (float)args.count);
    for (int i = me; i < args.count; i += TEAM_THREADS) {
        const long long at = first + (long long)i * args.inner;
        args.data.out[at] = norm == 0 ? 0 : args.data.in[0][at] / norm;
    }
}
