/* SPDX-License-Identifier: Apache-2.0 */
/* GridSample: what the preparation hands to the template. */
#ifndef OPS_CPU_GRID_SAMPLE_H
#define OPS_CPU_GRID_SAMPLE_H

#include "ops/cpu/cpu.h"
#include "ops/tensor/grid_sample.h"

enum {
    GRID_POINTS = 128,  /* of which the taps are found at a time, for all channels of a task */
    GRID_TAPS = 16,     /* the most of a point: four of each of two dimensions */
    GRID_MAX_PAIRS = 4, /* of two elements of each of three dimensions */
};

typedef struct GridSampleArgs {
    GridSampleAttrs attrs;
    int spatial;
    int64_t dims[MAX_SPATIAL];                        /* of X, outermost first */
    int64_t plane, points;                            /* elements of X and Y in a channel */
    int64_t channels, channels_a_task, channel_parts; /* blocks of channels where X is blocked */
    int64_t point_parts;
    int tail_channels;
    int taps;      /* of a point */
    bool in_pairs; /* linear and plain: neighbours in a row are read together */
} GridSampleArgs;

/* By tap, then by point.  Offset -1: outside, and the weight is 0.  In pairs: offsets are of the first of
 * two neighbours, which are there for any point; weights and masks, 0 where it does not count and else -1, of
 * both. */
typedef struct GridTable {
    int32_t offsets[GRID_TAPS][GRID_POINTS];
    float weights[GRID_TAPS][GRID_POINTS];
    int32_t masks[GRID_MAX_PAIRS][2][GRID_POINTS];
} GridTable;

typedef struct GridSampleTable {
    void (*plain)(const KernelCall *call, int64_t task);
    void (*blocked)(const KernelCall *call, int64_t task);
} GridSampleTable;

TARGET_TABLES(GridSampleTable, grid_sample)

#endif
