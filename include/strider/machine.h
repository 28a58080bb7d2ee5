/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine can do. */
#ifndef STRIDER_MACHINE_H
#define STRIDER_MACHINE_H

#include "strider/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Measures the peak of single-precision multiply-adds, with the instruction set that
 * kernels use, on so many threads at once,
 * in GFLOP/s (two operations each): independent products in registers, the best of several rounds, about 50
 * ms. Other work on the machine lowers it.  Thread-safe. */
STRIDER_API double strider_machine_peak_gflops(int threads);

#ifdef __cplusplus
}
#endif
#endif
