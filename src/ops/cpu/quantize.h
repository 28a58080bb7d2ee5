/* SPDX-License-Identifier: Apache-2.0 */
/* QuantizeLinear and DequantizeLinear of float32: what the preparation hands to the templates. */
#ifndef OPS_CPU_QUANTIZE_H
#define OPS_CPU_QUANTIZE_H

#include "ops/cpu/cpu.h"

/* Integers of up to 16 bits in memory, of which the low bits count; or of 32. */
typedef struct IntegerForm {
    int size;          /* bytes: 1, 2 or 4 */
    int32_t mask;      /* of the bits that count */
    int32_t sign;      /* the sign's bit; 0: unsigned */
    int32_t low, high; /* the least and the largest */
} IntegerForm;

/* One row: elements that lie together. */
typedef struct QuantizeRow {
    const void *x;
    void *y;
    const float *scales;
    const void *zeros; /* of the integers' type; NULL: 0 */
    bool has_lists;    /* each element has a scale and zero point of its own, one after the other; else one */
    int64_t count;
    int lanes;           /* of each vector; those after are stored as zero */
    IntegerForm integer; /* of y, or x */
} QuantizeRow;

typedef void (*QuantizeRun)(const QuantizeRow *row);

typedef struct QuantizeTable {
    QuantizeRun quantize, dequantize;
    /* The least and the largest of numbers and 0, without NaN. */
    void (*range)(const float *x, int64_t count, float *low, float *high);
} QuantizeTable;

TARGET_TABLES(QuantizeTable, quantize)

#endif
