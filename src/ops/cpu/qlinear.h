/* SPDX-License-Identifier: Apache-2.0 */
/* QLinearAdd and QLinearMul: what the preparation hands to the templates. */
#ifndef OPS_CPU_QLINEAR_H
#define OPS_CPU_QLINEAR_H

#include "ops/cpu/cpu.h"
#include "ops/quantization/qlinear.h"

/* One row: y[i] = a[i * a_step] with b[i * b_step], where steps are 0 or 1. */
typedef struct QLinearRow {
    const uint8_t *a, *b;
    uint8_t *y;
    int64_t a_step, b_step, count;
    QLinear of_a, of_b, of_y;
    bool is_signed;
    IntegerRange range;
} QLinearRow;

typedef struct QLinearTable {
    void (*add)(const QLinearRow *row);
    void (*mul)(const QLinearRow *row);
} QLinearTable;

TARGET_TABLES(QLinearTable, qlinear)

#endif
