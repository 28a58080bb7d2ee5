/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of Winograd's convolution along rows only (winograd_rows.c). */
#ifndef OPS_CPU_CONV_WINOGRAD_ROWS_H
#define OPS_CPU_CONV_WINOGRAD_ROWS_H

#include <stdbool.h>

#include "ops/cpu/conv/winograd.h"

enum {
    ROWS_OUT = 4,                              /* pixels of a tile */
    ROWS_MAX_TAPS = 4,                         /* of a phase */
    ROWS_MAX_N = ROWS_OUT + ROWS_MAX_TAPS - 1, /* frequencies of a phase */
    ROWS_MAX_PHASES = 4,
    ROWS_MAX_PAIRS = (ROWS_MAX_N - 1) / 2,
};

/* A column of A' for each of a phase's frequencies: pairs of points a and -a; then 0, where it is one; then
 * infinity.  Where there are no pairs, the frequencies are the pixels. */
typedef struct RowsOutput {
    int pairs;
    bool zero;
    float powers[ROWS_MAX_PAIRS][ROWS_OUT]; /* of a: 1, a, ... */
} RowsOutput;

typedef struct WinogradRows {
    /* to[f * stride + i] = sum over e of matrix[f * n + e] * columns[e][i], for i in [0, count), a multiple
     * of the vector's width. */
    void (*input)(const float *matrix, int n, const float *const *columns, int64_t count, float *to,
                  int64_t stride);
    /* `pixels` of a row of the output, whose tiles' sums lie a vector apart; those of the phases' frequencies
     * `stride` floats apart.  `store` is where the first tile goes: its pixels are the only column. */
    void (*output)(const RowsOutput *phases, int n_phases, const float *sums, int64_t stride, int64_t pixels,
                   const WinogradStore *store);
} WinogradRows;

TARGET_TABLES(WinogradRows, winograd_rows)

#endif
