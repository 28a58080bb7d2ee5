/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv_winograd_rows.h"

#include "ops/cpu/conv_winograd_simd.h"

INLINE void transform_input(const int n, const float *matrix, const float *const *columns, int64_t count,
                            float *to, int64_t stride) {
    for (int64_t i = 0; i < count; i += VW) {
        vf d[ROWS_MOST_N];
#pragma GCC unroll 7
        for (int e = 0; e < n; e++)
            d[e] = v_load(columns[e] + i);
#pragma GCC unroll 7
        for (int f = 0; f < n; f++) {
            vf sum = d[0] * matrix[f * n];
#pragma GCC unroll 7
            for (int e = 1; e < n; e++)
                sum += d[e] * matrix[f * n + e];
            v_store(to + f * stride + i, sum);
        }
    }
}

/* A phase of one tap has four frequencies, each a pixel. */
static void input(const float *matrix, int n, const float *const *columns, int64_t count, float *to,
                  int64_t stride) {
#pragma GCC unroll 4
    for (int known = ROWS_OUT; known <= ROWS_MOST_N; known++)
        if (n == known)
            transform_input(known, matrix, columns, count, to, stride);
}

static void output(const float *matrix, int frequencies, const float *sums, int64_t stride,
                   const WinogradStore *store) {
    vf pixels[ROWS_OUT] = {v_zero(), v_zero(), v_zero(), v_zero()};
    for (int f = 0; f < frequencies; f++) {
        const vf sum = v_load(sums + f * stride);
#pragma GCC unroll 4
        for (int k = 0; k < ROWS_OUT; k++)
            pixels[k] += sum * matrix[k * frequencies + f];
    }
    const StoreBounds bounds = store_bounds(store);
    finish_column(ROWS_OUT, store, &bounds, 0, pixels);
}

const WinogradRows ISA(winograd_rows) = {input, output};
