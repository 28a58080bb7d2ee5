/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing: what the preparation hands to the template. */
#ifndef OPS_CPU_RESIZE_H
#define OPS_CPU_RESIZE_H

#include "ops/cpu/cpu.h"
#include "ops/nn/window.h"

/* The input elements that make each output element of a dimension: `max_taps` indices and weights for each;
 * unused ones have weight 0 and repeat a valid index. */
typedef struct ResizeTaps {
    int64_t in, out, max_taps;
    const int64_t *indices;
    const float *weights;
} ResizeTaps;

typedef struct ResizeArgs {
    ResizeTaps dims[MAX_SPATIAL]; /* depth, height, width */
    /* Weighted sums: the input's columns that any output column takes; indices of width count these. */
    const int64_t *columns;
    int64_t n_columns;
    int64_t blocks, rows, rows_a_task;
    int64_t pixel; /* floats that are resized alike: a block of channels, or of plain tensors all channels */
    int tail_channels;
} ResizeArgs;

typedef struct ResizeTable {
    void (*nearest)(const KernelCall *call, int64_t task);
    void (*weighted)(const KernelCall *call, int64_t task);
    void (*plain_nearest)(const KernelCall *call, int64_t task);
    void (*plain_weighted)(const KernelCall *call, int64_t task);
} ResizeTable;

TARGET_TABLES(ResizeTable, resize)

#endif
