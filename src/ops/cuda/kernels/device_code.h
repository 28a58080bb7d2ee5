/* SPDX-License-Identifier: Apache-2.0 */
/* The language of the kernels: the part of CUDA that is C, without warp intrinsics, atomics and templates, so
 * that one source is compiled by nvcc for devices, and by the host's compiler for the tests (tests/cuda/).
 *
 * KERNEL(NAME, ARGS) { ... } defines a kernel over `const struct ARGS args`, TEAM_KERNEL one with barriers.
 * Sums have one order. */
#ifndef OPS_CUDA_KERNELS_DEVICE_CODE_H
#define OPS_CUDA_KERNELS_DEVICE_CODE_H

#define INDEX int
#define REAL float

#ifdef __CUDACC__
#define KERNEL(NAME, ARGS) extern "C" __global__ void NAME(const struct ARGS args)
#define TEAM_KERNEL KERNEL
#define BLOCK_SHARED __shared__
#define UNROLL _Pragma("unroll")
#else
#include <tgmath.h>

#include "virtual_kernel.h"
#define UNROLL
#endif

#include "ops/cuda/kernels/args.h"
#include "ops/reduction/reduce_formula.h"
#include "ops/shared_math.h"

SHARED int min_of(int a, int b) {
    return a < b ? a : b;
}

/* Index `number` of a tensor of these. */
SHARED long long index_at(const void *indices, bool are_i64, int number) {
    return are_i64 ? ((const long long *)indices)[number] : ((const int *)indices)[number];
}

/* An index in [0, size), which was stated as another one, perhaps; 0 for one that is not, of which the host
 * hears. */
SHARED int checked_index(KernelCheck check, long long stated, long long index, int size) {
    if (!check.fault || (index >= 0 && index < size))
        return (int)index;
    if (!check.fault->node) {
        check.fault->index = stated;
        check.fault->size = size;
        check.fault->what = check.what;
        check.fault->node = check.node;
    }
    return 0;
}

/* Where element i of a box lies.  Dimensions of one element cost nothing. */
SHARED int walk(const int *dims, const int *strides, int i) {
    int at = 0;
    UNROLL
    for (int d = KERNEL_DIMS - 1; d >= 0; d--) {
        if (dims[d] == 1)
            continue;
        at += i % dims[d] * strides[d];
        i /= dims[d];
    }
    return at;
}

/* What all threads' values are joined to, always in one order; for each of them.  To be called by all. */
SHARED float team_join(ReduceKind kind, float *parts, float value) {
    const int me = (int)threadIdx.x;
    __syncthreads(); /* the parts of the call before have been read */
    parts[me] = value;
    __syncthreads();
    for (int half = TEAM_THREADS / 2; half; half /= 2) {
        if (me < half)
            parts[me] = reduce_join(kind, parts[me], parts[me + half]);
        __syncthreads();
    }
    return parts[0];
}

#endif
