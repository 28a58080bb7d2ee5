/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_REDUCTION_REDUCE_KIND_H
#define OPS_REDUCTION_REDUCE_KIND_H

typedef enum ReduceKind {
    R_SUM,
    R_MEAN,
    R_MAX,
    R_MIN,
    R_PROD,
    R_L1,
    R_L2,
    R_LOG_SUM,
    R_LOG_SUM_EXP,
    R_SUM_SQUARE
} ReduceKind;

#endif
