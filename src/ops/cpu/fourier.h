/* SPDX-License-Identifier: Apache-2.0 */
/* DFT and STFT: what the preparation hands to the templates. */
#ifndef OPS_CPU_FOURIER_H
#define OPS_CPU_FOURIER_H

#include "ops/cpu/cpu.h"
#include "ops/math/fourier.h"

typedef struct FourierArgs {
    FourierLines lines;
    FftPlan plan;         /* of n; where lines are `paired` of n / 2 */
    bool paired;          /* real numbers, an even count of them, are taken for half as many complex ones */
    const Complex *turns; /* paired: e^(-2 pi i k / n) for k <= n / 2 */
    int64_t lanes;        /* lines that are transformed at a time: a vector of float64, or one */
    int64_t lines_a_task;
} FourierArgs;

typedef struct FourierTable {
    void (*run)(const KernelCall *call, int64_t task);
    int lanes; /* float64 in a vector */
} FourierTable;

TARGET_TABLES(FourierTable, fourier)

/* The numbers of each of the four planes in a thread's scratch memory. */
static inline int64_t fourier_plane(const FourierArgs *args) {
    return count_of(args->plan.stages.n + 1, args->lanes);
}

#endif
