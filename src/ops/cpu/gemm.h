/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: what the preparation hands to the templates. */
#ifndef OPS_CPU_GEMM_H
#define OPS_CPU_GEMM_H

#include "ops/cpu/cpu.h"
#include "ops/math/matmul.h"

enum {
    GEMM_SKINNY_ROWS = 4,   /* up to here B is read as it lies, once, which is bound by memory */
    GEMM_PANEL_VECTORS = 2, /* columns of a packed panel of B, in vectors */
};

/* y[m, n] = activation(alpha * sum of a[m, k] b[k, n] + beta * c[m, n] + residual), for each of a batch. */
typedef struct GemmArgs {
    int64_t batch, m, n, k;
    int64_t a_row, a_k, b_k, b_column, c_row, c_column; /* strides in elements */
    const MatMulGeometry *batches;                      /* NULL: one product */
    const float *b;                                     /* a constant, at any address; NULL: input 1 */
    int64_t b_offset;                                   /* in elements, where B begins there */
    const float *panels; /* of a constant B: [n / columns][k][columns], zeros after n; NULL: not packed */
    int c_port;          /* -1: none */
    float alpha, beta;
    bool only_bias; /* what is added to sums: at most a C of one row */
    Epilogue epilogue;
    /* The blocking.  Many rows: products go through `k_step` of k at a time, whose rows of A and panel of B
     * stay in the caches.  Sums of rows: a task adds `k_step` rows. */
    int64_t columns_a_task, rows_a_task, column_parts, row_parts, k_parts;
    int64_t k_step;
    bool packs_first; /* A goes to the workspace, packed, before; else each task packs its rows */
    bool is_phase;    /* of another kernel: has no phase before and no workspace */
} GemmArgs;

typedef struct GemmTable {
    int rows; /* of a register tile */
    void (*panels)(const KernelCall *call, int64_t task);
    /* packs rows_a_task rows of A into the workspace: the phase before `panels` */
    void (*pack)(const KernelCall *call, int64_t task);
} GemmTable;

/* Skinny: of few rows. */
typedef struct GemmSkinnyTable {
    void (*dots)(const KernelCall *call, int64_t task); /* b_k 1 */
    /* b_column 1: the phase before `join_sums`, in tasks of k_step rows of B and columns_a_task columns */
    void (*sums)(const KernelCall *call, int64_t task);
    void (*join_sums)(const KernelCall *call, int64_t task);
} GemmSkinnyTable;

/* For kernels that multiply by the transpose of input 1 in one of their phases: `instance` gets the tasks,
 * which take inputs 0 and 1 and output 0, and their scratch memory. */
Status gemm_prepare_phase(const KernelQuery *query, GemmArgs *args, PrepareContext *ctx,
                          KernelInstance *instance) MUST_CHECK;

TARGET_TABLES(GemmTable, gemm)

/* The division of products of many rows into tasks: sets the blocking in `args`, and the instance's tasks,
 * prologue and memory.  Where args->panels is set, to whatever address, no task packs B. */
void gemm_split_rows(GemmArgs *args, const GemmTable *table, int width, KernelInstance *instance);

TARGET_TABLES(GemmSkinnyTable, gemm_skinny)

#endif
