/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions over any axes: what the preparation hands to the templates. */
#ifndef OPS_CPU_REDUCE_AXES_H
#define OPS_CPU_REDUCE_AXES_H

#include "ops/cpu/cpu.h"

/* What is made of each element, and how it is joined with the others. */
typedef enum ReduceTerm {
    TERM_SUM,
    TERM_MAGNITUDES,
    TERM_SQUARES,
    TERM_MAX,
    TERM_MIN,
    TERM_PRODUCT,
    TERM_EXPONENTIALS, /* of what an element lies below a peak */
    TERM_COUNT
} ReduceTerm;

/* What elements are computed in: float32 and float64 are joined in float64, 64-bit integers wrap around. */
typedef enum ReduceType { REDUCE_F32, REDUCE_F64, REDUCE_I64, REDUCE_TYPES } ReduceType;

typedef union ReduceSum {
    double real;
    int64_t integer;
} ReduceSum;

/* Joins elements to sums: rows [0, rows) of elements [0, count), `stride` elements apart. */
typedef struct ReduceRows {
    const void *x;
    int64_t stride, rows, count;
    ReduceSum *sums;     /* of by_rows one for each row, of by_columns for each column */
    const double *peaks; /* likewise, of TERM_EXPONENTIALS */
    int64_t *exponents;  /* likewise, of products of reals, which are their sums times 2^exponent */
} ReduceRows;

typedef void (*ReduceFunction)(const ReduceRows *rows);

typedef struct ReduceTable {
    ReduceFunction by_rows[TERM_COUNT][REDUCE_TYPES], by_columns[TERM_COUNT][REDUCE_TYPES]; /* NULL: none */
} ReduceTable;

TARGET_TABLES(ReduceTable, reduce_axes)

#endif
