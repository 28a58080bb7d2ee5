/* SPDX-License-Identifier: Apache-2.0 */
/* Sampling between elements, as GridSample, DeformConv and their kernels do it. */
#ifndef OPS_TENSOR_GRID_SAMPLE_H
#define OPS_TENSOR_GRID_SAMPLE_H

#include "ops/op.h"
#include "ops/tensor/grid_kind.h"

enum { GRID_X, GRID_GRID, GRID_INPUTS };

/* A grid's coordinate, from -1 to 1, in elements. */
double grid_position(bool align_corners, double coordinate, int64_t length);

/* The elements of one dimension that make what lies at a position, which may be any number. */
enum { GRID_MAX_TAPS = 4 };
typedef struct GridTaps {
    int count;
    int64_t indices[GRID_MAX_TAPS]; /* -1: counts as 0 */
    double weights[GRID_MAX_TAPS];  /* NaN where the position is */
} GridTaps;
GridTaps grid_taps(const GridSampleAttrs *attrs, double position, int64_t length);

/* The sum over the taps of all dimensions, in one of the planes that x is made of. */
double grid_sum(const Tensor *x, int rank, const int64_t *dims, const GridTaps *taps, int64_t plane);

#endif
