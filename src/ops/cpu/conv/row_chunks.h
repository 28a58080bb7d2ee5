/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a convolution of stride 1 in chunks, so that no tap falls on padding: dilated kernels may have most
 * of their taps there. */
#ifndef OPS_CPU_CONV_ROW_CHUNKS_H
#define OPS_CPU_CONV_ROW_CHUNKS_H

#include "ops/cpu/conv/tile.h"
#include "ops/kernel.h"
#include "ops/nn/window.h"

/* Output pixels [begin, end) of a row, which see the same kernel columns inside the image, and the taps of
 * these columns: `columns` for each kernel row. */
typedef struct RowChunk {
    int64_t begin, end;
    const ConvTap *taps;
    int64_t columns;
} RowChunk;

typedef struct RowChunks {
    RowChunk *chunks;
    int64_t n_chunks;
} RowChunks;

/* Kernel rows [begin, end) that output row `at` sees inside the image. */
void row_chunks_kernel_rows(const WindowDim *y, int64_t at, int64_t *begin, int64_t *end);

/* Chunks that a tile of `count` output blocks can take.  A tap's position is that of its pixel, in units of
 * `pixel_floats` floats, from the pixel of the same row and column as the output's. */
Status row_chunks_make(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count,
                       int64_t pixel_floats, PrepareContext *ctx, RowChunks *row_chunks) MUST_CHECK;

/* Cycles of tiles for a channel of input over the whole plane, as tile_cycles() counts them. */
double row_chunks_cycles(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count);

#endif
