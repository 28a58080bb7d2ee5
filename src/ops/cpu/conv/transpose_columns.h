/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution of few output channels: what its preparation (transpose_columns.c) hands to the
 * templates. */
#ifndef OPS_CPU_CONV_TRANSPOSE_COLUMNS_H
#define OPS_CPU_CONV_TRANSPOSE_COLUMNS_H

#include "ops/cpu/conv/transpose.h"

/* An output row of one channel, and the products that it sums. */
typedef struct ColumnsRow {
    const PhaseDim *x;
    const float *columns; /* [weight][pixel]: products */
    int64_t pixels;
    int64_t n_rows; /* of the kernel, that lie inside the input */
    int64_t first_pixel,
        pixels_step; /* where the first of them has its pixels among `columns`; to the next */
    int64_t first_weight, weights_step; /* the first of the row's weights, likewise */
    float bias;
    float *sums; /* memory for a phase */
    float *line; /* and for the row */
    float *out;
    const float *residual; /* NULL: none */
    const Epilogue *epilogue;
} ColumnsRow;

typedef struct TransposeColumnsTable {
    void (*run)(const ColumnsRow *row);
    /* to[l * step + p] = from[p * width + l], for `lanes` of a vector. */
    void (*spread)(const float *from, int64_t pixels, int64_t lanes, float *to, int64_t step);
} TransposeColumnsTable;

TARGET_TABLES(TransposeColumnsTable, transpose_columns)

#endif
