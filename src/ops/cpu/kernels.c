/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/kernel.h"

#define KERNEL(row) extern const Kernel row;
#include "ops/cpu/kernel_list.inc"
#undef KERNEL

static const Kernel *const kernels[] = {
#define KERNEL(row) &row,
#include "ops/cpu/kernel_list.inc"
#undef KERNEL
    NULL,
};

const Kernel *const *cpu_kernels(size_t *count) {
    *count = sizeof kernels / sizeof *kernels - 1;
    return kernels;
}
