/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/cpu/conv/winograd_rows.h"

#include "ops/cpu/conv/winograd_simd.h"

INLINE void transform_input(const int n, const float *matrix, const float *const *columns, int64_t count,
                            float *to, int64_t stride) {
    for (int64_t i = 0; i < count; i += VW) {
        vf d[ROWS_MAX_N];
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
    for (int known = ROWS_OUT; known <= ROWS_MAX_N; known++)
        if (n == known)
            transform_input(known, matrix, columns, count, to, stride);
}

/* The pixels of a tile are even and odd sums of a pair times even and odd powers of its point. */
INLINE const float *add_phase(const RowsOutput *phase, const float *sums, int64_t stride,
                              vf pixels[ROWS_OUT]) {
    if (phase->pairs == 0) {
#pragma GCC unroll 4
        for (int k = 0; k < ROWS_OUT; k++, sums += stride)
            pixels[k] += v_load(sums);
        return sums;
    }
    for (int i = 0; i < phase->pairs; i++, sums += 2 * stride) {
        const vf plus = v_load(sums), minus = v_load(sums + stride);
        const vf even = plus + minus, odd = plus - minus;
        pixels[0] += even;
#pragma GCC unroll 4
        for (int k = 1; k < ROWS_OUT; k++)
            pixels[k] += (k % 2 ? odd : even) * phase->powers[i][k];
    }
    if (phase->zero) {
        pixels[0] += v_load(sums);
        sums += stride;
    }
    pixels[ROWS_OUT - 1] += v_load(sums);
    return sums + stride;
}

static void output(const RowsOutput *phases, int n_phases, const float *sums, int64_t stride, int64_t pixels,
                   const WinogradStore *store) {
    const StoreEnd end = store_end(store);
    WinogradStore at = *store;
    for (; pixels > 0; pixels -= ROWS_OUT, sums += VW) {
        vf tile[ROWS_OUT] = {v_zero(), v_zero(), v_zero(), v_zero()};
        const float *of_phase = sums;
        for (int p = 0; p < n_phases; p++)
            of_phase = add_phase(&phases[p], of_phase, stride, tile);
        at.rows = pixels < ROWS_OUT ? (int)pixels : ROWS_OUT;
        finish_column(ROWS_OUT, &at, &end, 0, tile);
        at.out += ROWS_OUT * VW;
        at.residual = at.residual ? at.residual + ROWS_OUT * VW : NULL;
    }
}

const WinogradRows TARGET(winograd_rows) = {input, output};
