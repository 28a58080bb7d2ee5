/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cuda/kernels/device_code.h"

/* The terms of kind `term`, joined as those of `kind` are: every `step`-th element of those that begin at
 * `base`, from `first` on. */
SHARED float reduce_part(const struct ReduceArgs *args, ReduceKind kind, ReduceKind term, float peak,
                         int base, int first, int step) {
    const float *x = args->data.in[0] + base;
    float sum = reduce_start(kind);
    for (int i = first; i < args->count; i += step)
        sum = reduce_join(kind, sum, reduce_term(term, x[walk(args->dims, args->strides, i)], peak));
    return sum;
}

SHARED bool has_peak(ReduceKind kind) {
    return kind == R_LOG_SUM_EXP || kind == R_L2;
}

/* The largest element, or magnitude for a length. */
SHARED float peak_part(const struct ReduceArgs *args, int base, int first, int step) {
    return reduce_part(args, R_MAX, args->kind == R_L2 ? R_L1 : R_MAX, 0, base, first, step);
}

/* A thread for each output. */
KERNEL(k_reduce, ReduceArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i >= args.outputs)
        return;
    const int base = walk(args.kept_dims, args.kept_strides, i);
    const float peak = has_peak(args.kind) ? peak_part(&args, base, 0, 1) : 0;
    const float sum = reduce_part(&args, args.kind, args.kind, peak, base, 0, 1);
    args.data.out[i] = reduce_result(args.kind, sum, peak, (float)args.count);
}

/* A block for each output. */
TEAM_KERNEL(k_reduce_team, ReduceArgs) {
    BLOCK_SHARED float parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, output = (int)blockIdx.x;
    const int base = walk(args.kept_dims, args.kept_strides, output);
    float peak = 0;
    if (has_peak(args.kind))
        peak = team_join(R_MAX, parts, peak_part(&args, base, me, TEAM_THREADS));
    const float sum = reduce_part(&args, args.kind, args.kind, peak, base, me, TEAM_THREADS);
    const float whole = team_join(args.kind, parts, sum);
    if (me == 0)
        args.data.out[output] = reduce_result(args.kind, whole, peak, (float)args.count);
}

/* Every `step`-th element of those that begin at `base`, from `first` on. */
SHARED Product product_part(const struct ReduceArgs *args, int base, int first, int step) {
    const float *x = args->data.in[0] + base;
    Product product = product_of(1, 0);
    for (int i = first; i < args->count; i += step)
        product = product_join(product, product_of(x[walk(args->dims, args->strides, i)], 0));
    return product;
}

/* A thread for each output. */
KERNEL(k_product, ReduceArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < args.outputs)
        args.data.out[i] =
            product_result(product_part(&args, walk(args.kept_dims, args.kept_strides, i), 0, 1));
}

/* A block for each output. */
TEAM_KERNEL(k_product_team, ReduceArgs) {
    BLOCK_SHARED Product parts[TEAM_THREADS];
    const int me = (int)threadIdx.x, output = (int)blockIdx.x;
    parts[me] = product_part(&args, walk(args.kept_dims, args.kept_strides, output), me, TEAM_THREADS);
    __syncthreads();
    for (int half = TEAM_THREADS / 2; half; half /= 2) {
        if (me < half)
            parts[me] = product_join(parts[me], parts[me + half]);
        __syncthreads();
    }
    if (me == 0)
        args.data.out[output] = product_result(parts[0]);
}

/* Whether element `a` is taken rather than `b`: NaN before everything. */
SHARED bool goes_before(const struct ArgReduceArgs *args, float a, int at_a, float b, int at_b) {
    const bool a_is_nan = a != a, b_is_nan = b != b;
    if (a_is_nan != b_is_nan)
        return a_is_nan;
    if (!a_is_nan && a != b)
        return args->is_min ? a < b : a > b;
    return args->takes_last ? at_a > at_b : at_a < at_b;
}

/* Of every `step`-th element from `first` on, which must be there. */
SHARED int arg_part(const struct ArgReduceArgs *args, const float *x, int first, int step) {
    float best = x[(long long)first * args->inner];
    int at = first;
    for (int i = first + step; i < args->count; i += step) {
        const float value = x[(long long)i * args->inner];
        if (goes_before(args, value, i, best, at)) {
            best = value;
            at = i;
        }
    }
    return at;
}

SHARED const float *arg_group(const struct ArgReduceArgs *args, int group) {
    return args->data.in[0] + (long long)(group / args->inner) * args->count * args->inner +
           group % args->inner;
}

/* A thread for each output. */
KERNEL(k_arg_reduce, ArgReduceArgs) {
    const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < args.groups)
        ((long long *)args.data.out)[i] = arg_part(&args, arg_group(&args, i), 0, 1);
}

/* A block for each output. */
TEAM_KERNEL(k_arg_reduce_team, ArgReduceArgs) {
    BLOCK_SHARED int parts[TEAM_THREADS];
    const int me = (int)threadIdx.x;
    const float *x = arg_group(&args, (int)blockIdx.x);
    parts[me] = me < args.count ? arg_part(&args, x, me, TEAM_THREADS) : -1;
    __syncthreads();
    for (int half = TEAM_THREADS / 2; half; half /= 2) {
        if (me < half && parts[me + half] >= 0) {
            const int a = parts[me + half], b = parts[me]; /* b is there where a is */
            if (goes_before(&args, x[(long long)a * args.inner], a, x[(long long)b * args.inner], b))
                parts[me] = a;
        }
        __syncthreads();
    }
    if (me == 0)
        ((long long *)args.data.out)[blockIdx.x] = parts[0];
}
