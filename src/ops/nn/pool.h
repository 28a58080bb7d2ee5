/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPS_NN_POOL_H
#define OPS_NN_POOL_H

#include "ops/nn/window.h"

typedef struct PoolAttrs {
    WindowAttrs window;
    bool count_include_pad; /* AveragePool */
    bool counts_beyond; /* QLinearAveragePool: count_include_pad counts what lies beyond the padding, too */
    bool column_major;  /* MaxPool: storage_order, of its Indices */
    int64_t p;          /* LpPool */
} PoolAttrs;

typedef struct GlobalPoolAttrs {
    int64_t p; /* GlobalLpPool */
} GlobalPoolAttrs;

/* Shared with quantised poolings; attributes are PoolAttrs. */
Status pool_parse(ParseContext *ctx, void *attrs) MUST_CHECK;
/* The output's shape for an input [N, C, D...] of a known rank. */
Status pool_infer_shape(InferContext *ctx, const Shape *x, Shape *y) MUST_CHECK;
/* Gives all averages of a tensor [N, C, D...] to `put`, by their index, in order. */
typedef struct PoolStore {
    void (*put)(void *context, int64_t index, double average);
    void *context;
} PoolStore;
void pool_averages(const PoolAttrs *attrs, const Shape *shape, const double *x, const PoolStore *store);

/* The window in each spatial dimension, ones before them up to three, for a known shape [N, C, D...]. */
void pool_geometry(const PoolAttrs *attrs, const Shape *x, WindowDim dims[MAX_SPATIAL]);
/* How many elements of a window that starts at `begin` (in the input, so it may be negative) count for
 * AveragePool in this dimension: those inside the input or, with count_include_pad, inside input and padding,
 * or, with both, all of them. */
int64_t pool_counted(const PoolAttrs *attrs, const WindowDim *dim, int64_t begin);

#endif
