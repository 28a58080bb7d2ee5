/* SPDX-License-Identifier: Apache-2.0 */
/* Direct convolution: what its preparation (direct.c) hands to its tasks (direct_run.c). */
#ifndef OPS_CPU_CONV_DIRECT_H
#define OPS_CPU_CONV_DIRECT_H

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/row_chunks.h"
#include "ops/cpu/conv/tile.h"
#include "ops/nn/window.h"

typedef struct DirectArgs {
    ConvPack pack;
    const ConvTiles *tiles;
    Epilogue epilogue;
    const ConvTap *taps;
    bool skips_padding;
    RowChunks row_chunks; /* where padding is skipped */
    int64_t tile_blocks_a_task, oc_parts;
    int width;          /* floats in an output vector */
    int pixel_floats;   /* floats in an input pixel: the width, or 1 for plain input */
    int block_channels; /* of an input block: the width, or 1 */
    int64_t n_taps, out_channels, out_blocks, in_blocks, batch;
    int64_t plane_taps;         /* taps for each step in depth, which lie together */
    WindowDim z, y, x;          /* depth, rows and columns */
    bool copies;                /* input rows go through scratch memory */
    bool copies_once;           /* which is the step's workspace, for all tasks */
    bool samples;               /* the pixels that a 1x1 kernel with a stride sees */
    int64_t in_plane, in_block; /* in floats: of one depth, and of all of a block */
    int64_t out_plane_pixels;   /* of one depth */
    int64_t rows, row_pixels;   /* of the output as it is divided here; the last row may be shorter */
    int64_t total_pixels;       /* where rows are chunks of one long row; else 0 */
    bool rows_are_chunks;       /* of `row_chunks`, as there is only one row */
    int64_t rows_a_tile, row_tiles;
    int64_t row_step;                    /* scratch rows from one output row's window to the next one's */
    int64_t phase_pixels, row_floats;    /* of a scratch row: pixels of one remainder, and floats of all */
    int64_t scratch_rows, scratch_plane; /* of one depth; the plane in floats */
    int64_t scratch_block;               /* of all depths that windows see, in floats */
    int64_t copy_blocks;                 /* input blocks for each task that copies once */
} DirectArgs;

/* Where `copies_once`: some input blocks of a row tile into the workspace. */
void conv_direct_copy(const KernelCall *call, int64_t task);
void conv_direct_run(const KernelCall *call, int64_t task);

#endif
