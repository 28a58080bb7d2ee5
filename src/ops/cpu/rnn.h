/* SPDX-License-Identifier: Apache-2.0 */
/* Recurrent layers: what the preparation hands to the templates. */
#ifndef OPS_CPU_RNN_H
#define OPS_CPU_RNN_H

#include "ops/cpu/gemm.h"
#include "ops/rnn/recurrent.h"

enum { RNN_MAX_GATES = 4, RNN_MAX_PRODUCTS = 2 };

/* Gates whose sums are made together, of h and R or of x and W: these lie packed by vector of units, as
 * [k][gates][vector], zeros after the last unit. */
typedef struct RnnProduct {
    int first, gates;
    int64_t k, at; /* `at` in floats among the panels of a direction */
} RnnProduct;

/* A first phase multiplies x of all steps by W, into the workspace, and packs what varies.  Then a task takes
 * some rows of the batch through all steps of a direction. */
typedef struct RnnArgs {
    const Node *node;
    RecurrentGeometry g;
    RecurrentAttrs attrs;
    int n_inputs, n_outputs;
    bool is_usual;                         /* the default activations without a clip */
    int64_t padded;                        /* hidden, in whole vectors */
    int64_t projected_step, projected_row; /* in rows of what is projected */
    RnnProduct products[RNN_MAX_PRODUCTS];
    int n_products;
    bool quantises; /* what products take: x as a whole, h of all rows in each step */
    /* Then panels hold whole numbers, which sums are exact of, and these are what a sum of W and of R is
     * scaled by, as [direction][vector of units][gate][vector]. */
    const float *w_scales, *r_scales;
    /* Of x and W: by panels of the same kind, all packed before, where there are few rows or what they take
     * is quantised, else by gemm. */
    RnnProduct projection;
    const float *w_panels; /* of each direction; NULL: gemm */
    GemmArgs projections[MAX_DIRECTIONS];
    void (*project)(const KernelCall *call, int64_t task);
    int64_t project_tasks;                /* of a direction */
    const float *panels;                  /* of R, of each direction; NULL: in the workspace */
    int64_t chunks;                       /* vectors of units */
    int64_t panel_floats, w_panel_floats; /* of a direction */
    int64_t parameters_at, panels_at;     /* in the workspace, in floats */
    int64_t row_parts, rows_a_task;
} RnnArgs;

typedef struct RnnTable {
    int rows;           /* of a register tile */
    int parameter_rows; /* vectors of a gate among the parameters */
    /* Packs a product's panel of a vector of units, from one direction's R or W at any address. */
    void (*pack)(const RnnArgs *args, const RnnProduct *product, const float *from, int64_t chunk,
                 float *panels);
    void (*prologue)(const KernelCall *call, int64_t task);
    void (*lstm)(const KernelCall *call, int64_t task);
    void (*gru)(const KernelCall *call, int64_t task);
    void (*rnn)(const KernelCall *call, int64_t task);
} RnnTable;

TARGET_TABLES(RnnTable, rnn)

#endif
