/* SPDX-License-Identifier: Apache-2.0 */
/* What the CPU's kernels share. */
#ifndef OPS_CPU_CPU_H
#define OPS_CPU_CPU_H

#include "ops/kernel.h"

/* The constant at an input, or NULL where the input is absent. */
const Tensor *cpu_input_constant(const KernelQuery *query, int port);
/* Whether the input is absent or a constant. */
bool cpu_optional_constant(const KernelQuery *query, int port);

/* A vector of `channels` floats, zeros behind up to a multiple of `width`, from the constant at an input; all
 * zeros where it is absent.  Lives with the plan. */
Status cpu_pack_bias(const KernelQuery *query, int port, int64_t channels, int width, PrepareContext *ctx,
                     const float **bias) MUST_CHECK;

#endif
