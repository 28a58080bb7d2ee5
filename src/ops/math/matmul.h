/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_MATH_MATMUL_H
#define OPS_MATH_MATMUL_H

#include "ops/op.h"

enum { MATMUL_A, MATMUL_B, MATMUL_INPUTS };

/* `batch` products of [m, k] by [k, n], the results one after the other. */
typedef struct MatMulGeometry {
    int64_t batch, m, n, k;
    int batch_rank;
    int64_t batch_dims[MAX_RANK], a_strides[MAX_RANK],
        b_strides[MAX_RANK]; /* in matrices, 0 where broadcast */
} MatMulGeometry;

/* The output's shape, from those of the inputs at these ports. */
Status matmul_infer_shape(InferContext *ctx, int port_a, int port_b) MUST_CHECK;
/* From known shapes that infer() has accepted. */
MatMulGeometry matmul_geometry(const Shape *a, const Shape *b);
/* The matrices that product `index` reads. */
void matmul_operands(const MatMulGeometry *geometry, int64_t index, int64_t *a, int64_t *b);

#endif
