/* SPDX-License-Identifier: Apache-2.0 */
/* The loop that measures the peak of multiply-adds. */
#ifndef OPS_CPU_PEAK_H
#define OPS_CPU_PEAK_H

#include "ops/cpu/cpu.h"

typedef struct PeakLoop {
    double (*run)(int64_t rounds); /* the result is of no use but to keep the work */
    double flops_a_round;
} PeakLoop;

TARGET_TABLES(PeakLoop, peak_loop)

#endif
