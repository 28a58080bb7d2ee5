/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products of float64 and of integers that wrap around. */
#ifndef OPS_CPU_PLAIN_PRODUCT_H
#define OPS_CPU_PLAIN_PRODUCT_H

#include "ops/cpu/cpu.h"

/* Columns of y that a panel of B has, as many bytes as two vectors of the widest target. */
enum { PLAIN_PANEL_BYTES = 128 };

/* Some rows of y = alpha a b + beta c, and the columns of a panel.  Strides are in elements; alpha and beta
 * are 1 for integers. */
typedef struct PlainProduct {
    int64_t rows, columns, k;
    const void *a, *b;
    void *y, *panel; /* k rows of PLAIN_PANEL_BYTES */
    const void *c;   /* NULL: none */
    int64_t a_row, a_column, b_row, b_column, c_row, c_column, y_row;
    double alpha, beta;
} PlainProduct;

typedef struct PlainProducts {
    void (*f64)(const PlainProduct *product);
    void (*u32)(const PlainProduct *product); /* and int32 */
    void (*u64)(const PlainProduct *product);
} PlainProducts;

TARGET_TABLES(PlainProducts, plain_products)

#endif
