/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine can do. */
#ifndef STRIDER_MACHINE_H
#define STRIDER_MACHINE_H

#include "strider/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The instruction set that kernels use: "avx512", "avx2" or "generic"; the best of this CPU, or what the
 * environment variable STRIDER_ISA names.  Never NULL.  Thread-safe. */
STRIDER_API const char *strider_machine_isa(void);

/* CPUs that this process may use. */
STRIDER_API int strider_machine_cpus(void);

/* Measures the peak of single-precision multiply-adds with that instruction set on so many threads at once,
 * in GFLOP/s (two operations each): independent products in registers, the best of several rounds, about 50
 * ms. Other work on the machine lowers it.  Thread-safe. */
STRIDER_API double strider_machine_peak_gflops(int threads);

#ifdef __cplusplus
}
#endif
#endif
