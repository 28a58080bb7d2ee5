/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_SCATTER_KIND_H
#define OPS_SCATTER_KIND_H

/* What an update does with the element that is there. */
typedef enum Reduction {
    REDUCTION_NONE,
    REDUCTION_ADD,
    REDUCTION_MUL,
    REDUCTION_MAX,
    REDUCTION_MIN
} Reduction;

#endif
