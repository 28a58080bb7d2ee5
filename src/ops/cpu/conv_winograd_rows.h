/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of Winograd's convolution along rows only (conv_winograd_rows.c). */
#ifndef OPS_CPU_CONV_WINOGRAD_ROWS_H
#define OPS_CPU_CONV_WINOGRAD_ROWS_H

#include "ops/cpu/conv_winograd.h"

enum {
    ROWS_OUT = 4,                                /* pixels of a tile */
    ROWS_MOST_TAPS = 4,                          /* of a phase */
    ROWS_MOST_N = ROWS_OUT + ROWS_MOST_TAPS - 1, /* frequencies of a phase */
    ROWS_MOST_PHASES = 4,
    ROWS_MOST_FREQUENCIES = ROWS_MOST_PHASES * ROWS_MOST_N,
};

typedef struct WinogradRows {
    /* to[f * stride + i] = sum over e of matrix[f * n + e] * columns[e][i], for i in [0, count), a multiple
     * of the vector's width. */
    void (*input)(const float *matrix, int n, const float *const *columns, int64_t count, float *to,
                  int64_t stride);
    /* Pixel k of a tile: sum over f of matrix[k * frequencies + f] * sums[f * stride], vectors of channels.
     * The pixels are `store`'s only column. */
    void (*output)(const float *matrix, int frequencies, const float *sums, int64_t stride,
                   const WinogradStore *store);
} WinogradRows;

ISA_TABLES(WinogradRows, winograd_rows)

#endif
