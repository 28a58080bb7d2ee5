/* SPDX-License-Identifier: Apache-2.0 */
/* Elementwise arithmetic with broadcasting: what the preparation hands to the templates. */
#ifndef OPS_CPU_ELEMENTWISE_H
#define OPS_CPU_ELEMENTWISE_H

#include "ops/cpu/cpu.h"
#include "ops/math/binary_kind.h"
#include "ops/math/unary_kind.h"

/* How an operand goes along a row of the output. */
typedef enum RowMode {
    ROW_VECTORS, /* element by element */
    ROW_SAME,    /* one vector for the whole row: a scalar, or the channels of a block */
    ROW_PIXELS,  /* one float for each vector: an image of one channel against blocks */
    ROW_MODES
} RowMode;

/* One row: out[i] = f(a[i], b[i]).  `floats` need not be a multiple of the width unless lanes are masked. */
typedef struct Row {
    const float *a, *b;
    float *out;
    RowMode a_mode, b_mode;
    int64_t a_step, b_step; /* ROW_PIXELS: floats between pixels */
    int a_lanes, b_lanes;   /* ROW_SAME: floats to read; 1: a scalar for all lanes */
    int64_t floats;
    int lanes;         /* lanes after these are stored as zero */
    float alpha, beta; /* of a function of one element */
} Row;

typedef void (*RowFunction)(const Row *row);

typedef struct ElementwiseTable {
    RowFunction binary[BINARY_COUNT], unary[UNARY_COUNT]; /* NULL for kinds that have no vector form */
} ElementwiseTable;

TARGET_TABLES(ElementwiseTable, elementwise)

#endif
