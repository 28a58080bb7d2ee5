/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_GEMM_H
#define OPS_MATH_GEMM_H

#include "ops/op.h"

/* Inputs: A, B, optional C. */
enum { GEMM_A, GEMM_B, GEMM_C, GEMM_INPUTS };

typedef struct GemmAttrs {
    float alpha, beta; /* 1 where absent; C is not looked at where beta is 0 */
    bool trans_a, trans_b;
} GemmAttrs;

/* Y[m, n] = alpha * sum over k of A'[m, k] B'[k, n] + beta * C[m * c_row + n * c_column] */
typedef struct GemmGeometry {
    int64_t m, n, k;
    int64_t c_row, c_column; /* strides in elements, 0 where C is broadcast */
} GemmGeometry;

/* Of A' and B' in elements. */
typedef struct GemmStrides {
    int64_t a_row, a_column, b_row, b_column;
} GemmStrides;
GemmStrides gemm_strides(const GemmAttrs *attrs, const GemmGeometry *geometry);

/* The output's shape, from those of the inputs at these ports; the node's attributes are GemmAttrs. */
Status gemm_infer_shape(InferContext *ctx, int port_a, int port_b, int port_c) MUST_CHECK;
/* From known shapes that infer() has accepted; `c` is NULL where C is absent. */
GemmGeometry gemm_geometry(const GemmAttrs *attrs, const Shape *a, const Shape *b, const Shape *c);

#endif
