/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_TENSOR_SCATTER_KIND_H
#define OPS_TENSOR_SCATTER_KIND_H

/* What an update does with the element that is there. */
typedef enum Reduction {
    REDUCTION_NONE,
    REDUCTION_ADD,
    REDUCTION_MUL,
    REDUCTION_MAX,
    REDUCTION_MIN
} Reduction;

#endif
