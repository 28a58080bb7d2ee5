/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/peak.h"
#include "ops/cpu/simd.h"

/* Twelve sums: more than the products in flight of any core, fewer than its registers. */
enum { SUMS = 12 };

static double multiply_add(int64_t rounds) {
    vf sums[SUMS];
    vf factor = v_set(0.999999f), addend = v_set(1e-6f);
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++)
        sums[i] = v_set((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < SUMS; i++)
            sums[i] = sums[i] * factor + addend;
    }
    double total = 0;
#pragma GCC unroll 12
    for (int i = 0; i < SUMS; i++)
        total += (double)sums[i][0];
    return total;
}

const PeakLoop TARGET(peak_loop) = {.run = multiply_add, .flops_a_round = 2.0 * SUMS * VW};
