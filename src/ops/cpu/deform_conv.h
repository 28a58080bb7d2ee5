/* SPDX-License-Identifier: Apache-2.0 */
/* DeformConv: what the preparation hands to the template. */
#ifndef OPS_CPU_DEFORM_CONV_H
#define OPS_CPU_DEFORM_CONV_H

#include "ops/cpu/gemm.h"
#include "ops/nn/deform_conv.h"

typedef struct DeformConvTable {
    void (*sample)(const KernelCall *call, int64_t task); /* a panel of all groups */
} DeformConvTable;

TARGET_TABLES(DeformConvTable, deform_conv)

/* For each image and group a product of weights [channels, terms] by what the outputs read [terms, outputs].
 * The workspace has the weights as the product wants them, then panels of what is read. */
typedef struct DeformConvArgs {
    const DeformConvTable *table;
    const GemmTable *gemm_table;
    DeformGeometry geometry;
    GemmArgs gemm;         /* its batch is that of the groups */
    MatMulGeometry groups; /* which weights a product reads */
    const float *w;        /* a constant; NULL: the input */
    int64_t plane;         /* elements of a channel of X */
    int64_t terms;         /* of a product: channels of a group times taps */
    int64_t columns;       /* of a panel */
    int64_t panels;        /* of a product */
    int64_t image_tasks;   /* of products */
    int64_t weight_tasks;  /* of the prologue, that pack weights */
    int64_t weight_floats; /* of the workspace */
    bool has_mask, has_bias;
} DeformConvArgs;

/* Where a panel of the product of an image and a group begins. */
static inline float *deform_panel(const DeformConvArgs *args, const KernelCall *call, int64_t product,
                                  int64_t panel) {
    return (float *)call->workspace + args->weight_floats +
           (product * args->panels + panel) * args->terms * args->columns;
}

#endif
