/* SPDX-License-Identifier: Apache-2.0 */
/* The language of the kernels: the part of CUDA that is C, without warp intrinsics, atomics and templates, so
 * that one source is compiled by nvcc for devices, and by the host's compiler for the tests (tests/cuda/).
 *
 * KERNEL(NAME, ARGS) { ... } defines a kernel over `const struct ARGS args`, TEAM_KERNEL one with barriers.
 * Sums have one order. */
#ifndef OPS_CUDA_DEVICE_CODE_H
#define OPS_CUDA_DEVICE_CODE_H

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
#include "ops/shared_math.h"

#endif
