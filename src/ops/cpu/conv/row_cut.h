/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a convolution of stride 1 cut so that no tap falls on padding: dilated kernels may have most of
 * their taps there. */
#ifndef OPS_CPU_CONV_ROW_CUT_H
#define OPS_CPU_CONV_ROW_CUT_H

#include "ops/cpu/conv/tile.h"
#include "ops/kernel.h"
#include "ops/nn/window.h"

/* Output pixels [begin, end) of a row, which see the same kernel columns inside the image, and the taps of
 * these columns: `columns` for each kernel row. */
typedef struct RowPiece {
    int64_t begin, end;
    const ConvTap *taps;
    int64_t columns;
} RowPiece;

typedef struct RowCut {
    RowPiece *pieces;
    int64_t n_pieces;
} RowCut;

/* Kernel rows [begin, end) that output row `at` sees inside the image. */
void row_cut_kernel_rows(const WindowDim *y, int64_t at, int64_t *begin, int64_t *end);

/* Pieces that a tile of `count` output blocks can take.  A tap's place is that of its pixel, in units of
 * `unit` floats, from the pixel of the same row and column as the output's. */
Status row_cut_make(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count, int64_t unit,
                    PrepareContext *ctx, RowCut *cut) MUST_CHECK;

/* Cycles of tiles for a lane of input over the whole plane, as tile_cycles() counts them. */
double row_cut_cycles(const WindowDim *y, const WindowDim *x, const ConvTiles *tiles, int count);

#endif
