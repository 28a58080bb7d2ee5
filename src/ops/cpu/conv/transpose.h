/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution: what its preparation (transpose.c) hands to its tasks (transpose_run.c). */
#ifndef OPS_CPU_CONV_TRANSPOSE_H
#define OPS_CPU_CONV_TRANSPOSE_H

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/tile.h"
#include "ops/nn/window.h"

/* One phase of one dimension. */
typedef struct Phase {
    int64_t first, count; /* of q */
    int64_t out;          /* the output element of the first q */
    int64_t taps;
} Phase;

typedef struct TransposeArgs {
    ConvPack pack; /* blocks: for each phase, n_tile_blocks of them */
    const ConvTiles *tiles;
    Epilogue epilogue;
    Phase *depths, *rows, *columns;
    const ConvTap *taps; /* for each phase `max_taps` of them, those of one depth together */
    int width;
    int64_t batch, in_blocks, out_blocks, out_channels, n_tile_blocks, blocks_a_task, parts;
    int64_t max_taps, row_tiles, rows_a_tile;
    int64_t column_tiles, columns_a_tile;
    int64_t halo_z, halo_y, halo_x; /* taps before q: depths, rows and columns before the row tile's first */
    int64_t first_column,
        last_first; /* input column of the first row tile's first tap; the largest Phase.first */
    int64_t scratch_columns, scratch_rows, scratch_plane, scratch_block; /* the last two in floats */
    WindowDim z, y, x;
} TransposeArgs;

void conv_transpose_run(const KernelCall *call, int64_t task);

#endif
