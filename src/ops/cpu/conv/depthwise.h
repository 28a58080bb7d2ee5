/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of blocked tensors: what the preparation hands to the templates. */
#ifndef OPS_CPU_CONV_DEPTHWISE_H
#define OPS_CPU_CONV_DEPTHWISE_H

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/cpu.h"
#include "ops/nn/window.h"

typedef struct DepthwiseArgs {
    ConvPack pack; /* weights: [blocks][kernel depths][rows][columns][width] */
    WindowDim z, y, x;
    int64_t inside_begin, inside_end; /* outputs of a row whose windows lie inside the input's columns */
    int64_t blocks, row_tiles, rows_a_tile; /* rows of all depths */
    int tail_channels;
    Epilogue epilogue;
} DepthwiseArgs;

typedef struct DepthwiseTable {
    void (*run)(const KernelCall *call, int64_t task);
} DepthwiseTable;

TARGET_TABLES(DepthwiseTable, depthwise)

#endif
