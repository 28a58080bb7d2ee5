/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_TRANSPOSE_H
#define OPS_TENSOR_TRANSPOSE_H

#include "ops/op.h"

/* What an operator that transposes a matrix on its way asks for, whatever the rank is. */
typedef enum TransposeForm {
    TRANSPOSE_BY_PERM,
    TRANSPOSE_MATRIX,           /* the last two dimensions */
    TRANSPOSE_BATCH,            /* the first dimension goes before the last one */
    TRANSPOSE_BATCH_AND_MATRIX, /* the first dimension goes after the last one */
} TransposeForm;

typedef struct TransposeAttrs {
    TransposeForm form;
    int n_perm; /* -1: reversed */
    int64_t perm[MAX_RANK];
} TransposeAttrs;

/* Output dimension i is input dimension perm[i]. */
void transpose_perm(const TransposeAttrs *attrs, int rank, int perm[MAX_RANK]);

#endif
