/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling of blocked tensors: what the preparation hands to the templates. */
#ifndef OPS_CPU_POOL_H
#define OPS_CPU_POOL_H

#include "ops/cpu/cpu.h"
#include "ops/nn/window.h"

typedef struct PoolArgs {
    WindowDim dims[MAX_SPATIAL];
    /* Along x: the outputs whose windows lie inside the input, and count as a whole. */
    int64_t inside_begin, inside_end;
    bool count_include_pad;         /* AveragePool */
    int64_t rows_a_tile, row_tiles; /* output rows of a task, over depth and height; tasks of a plane */
    int64_t blocks;
    int tail_channels;
} PoolArgs;

/* One plane of a blocked or plain tensor to one pixel. */
typedef struct PlaneArgs {
    int64_t planes; /* blocks of all images; plain: planes */
    int64_t pixels, blocks, channels;
    int64_t planes_a_task;
    int tail_channels;
    bool plain_output; /* of blocked input: without the padding of the last block */
    bool is_sum;       /* not divided by the number of elements */
} PlaneArgs;

typedef void (*TaskFunction)(const KernelCall *call, int64_t task);

typedef struct PoolTable {
    TaskFunction max, average, magnitudes, squares; /* the last two of LpPool */
    TaskFunction plane_max_blocked, plane_average_blocked, plane_max_plain, plane_average_plain;
} PoolTable;

TARGET_TABLES(PoolTable, pool)

#endif
