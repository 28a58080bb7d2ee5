/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_TRANSPOSE_H
#define OPS_TENSOR_TRANSPOSE_H

#include "ops/op.h"

typedef struct TransposeAttrs {
    int n_perm; /* -1: reversed */
    int64_t perm[MAX_RANK];
} TransposeAttrs;

/* Output dimension i is input dimension perm[i]. */
void transpose_perm(const TransposeAttrs *attrs, int rank, int perm[MAX_RANK]);

#endif
