/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' language for the host's compiler; see ops/cuda/kernels/device_code.h.  The threads of a block
 * run one after another up to the next barrier, in an order that changes. */
#ifndef CUDA_VIRTUAL_KERNEL_H
#define CUDA_VIRTUAL_KERNEL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct VirtualIndex {
    unsigned x, y, z;
} VirtualIndex;

extern VirtualIndex threadIdx, blockIdx, blockDim, gridDim;
void virtual_barrier(void);

typedef struct VirtualKernelRow {
    const char *name;
    size_t args_bytes;
    void (*run)(const void *args);
    bool is_team; /* its threads meet at barriers */
    struct VirtualKernelRow *next;
} VirtualKernelRow;
void virtual_kernel_add(VirtualKernelRow *row);

#define __syncthreads virtual_barrier
/* Blocks run one after another, so that one copy serves them all; it is full of NaN when a block begins. */
#define BLOCK_SHARED static __attribute__((section("block_shared")))
#define KERNEL(NAME, ARGS) VIRTUAL_KERNEL(NAME, ARGS, false)
#define TEAM_KERNEL(NAME, ARGS) VIRTUAL_KERNEL(NAME, ARGS, true)
#define VIRTUAL_KERNEL(NAME, ARGS, IS_TEAM)                                                                  \
    static void NAME(const struct ARGS args);                                                                \
    static void NAME##_run(const void *args) {                                                               \
        NAME(*(const struct ARGS *)args);                                                                    \
    }                                                                                                        \
    __attribute__((constructor)) static void NAME##_add(void) {                                              \
        static VirtualKernelRow row = {#NAME, sizeof(struct ARGS), NAME##_run, IS_TEAM, NULL};               \
        virtual_kernel_add(&row);                                                                            \
    }                                                                                                        \
    static void NAME(const struct ARGS args)

#endif
