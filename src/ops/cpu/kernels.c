/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/kernel.h"

static const Kernel *const kernels[] = {NULL};

const Kernel *const *cpu_kernels(size_t *count) {
    *count = sizeof kernels / sizeof *kernels - 1;
    return kernels;
}
