/* SPDX-License-Identifier: Apache-2.0 */
/* Transposed convolution: what its preparation (transpose.c) hands to the packing of its weights
 * (transpose_pack.c) and to its tasks (transpose_run.c). */
#ifndef OPS_CPU_CONV_TRANSPOSE_H
#define OPS_CPU_CONV_TRANSPOSE_H

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/conv/tile.h"
#include "ops/nn/window.h"

/* One phase of one dimension.  Tap j of it is the kernel's tap `tap` + j * PhaseDim.tap_step, and reads input
 * q - shift - j * PhaseDim.in_step. */
typedef struct Phase {
    int64_t first, count; /* of q */
    int64_t out;          /* the output element of the first q */
    int64_t taps, tap, shift;
} Phase;

/* A dimension, and its phases as a whole. */
typedef struct PhaseDim {
    WindowDim dim;
    int64_t tap_step, in_step;
    int64_t max_taps, max_count; /* of a phase */
    int64_t halo;                /* how far before q the taps of all phases reach */
    Phase *phases;               /* dim.stride of them */
} PhaseDim;

typedef struct TransposeArgs {
    ConvPack pack; /* blocks: for each phase, n_tile_blocks of them */
    const ConvTiles *tiles;
    Epilogue epilogue;
    PhaseDim z, y, x;
    bool grouped; /* `tiles` are those of grouped.h */
    int width;
    int64_t batch, in_blocks, out_blocks, out_channels, n_tile_blocks, blocks_a_task, parts;
    int64_t max_taps, row_tiles, rows_a_tile;
    int64_t column_tiles, columns_a_tile;
    int64_t first_column,
        last_first; /* input column of the first row tile's first tap; the largest Phase.first */
    int64_t scratch_columns, scratch_rows, scratch_plane, scratch_block; /* the last two in floats */
} TransposeArgs;

/* The node in three dimensions. */
ConvGeometry transpose_geometry(const KernelQuery *query);
/* As conv_accepts_blocked(), of blocked input that is not empty and strides that make few phases. */
bool transpose_accepts_blocked(KernelQuery *query);
/* But for the phases. */
PhaseDim transpose_phase_dim(const WindowDim *dim);
Status transpose_make_phases(PhaseDim *dim, PrepareContext *ctx) MUST_CHECK;
/* The taps that read inside the input for one of q in [first, last]. */
WindowTaps transpose_taps(const PhaseDim *dim, const Phase *phase, int64_t first, int64_t last);

/* A phase of all dimensions. */
typedef struct Phases {
    const Phase *z, *y, *x;
    int64_t taps;
} Phases;

int64_t transpose_count_phases(const TransposeArgs *args);
Phases transpose_phases(const TransposeArgs *args, int64_t phase);

/* transpose_pack.c: the weights of all phases, for tiles of `count` output blocks. */
Status transpose_pack(const KernelQuery *query, const ConvGeometry *g, TransposeArgs *args, int count,
                      PrepareContext *ctx) MUST_CHECK;
/* What each run packs of them; nothing where they are constant. */
Bytes transpose_run_bytes(const KernelQuery *query, const ConvGeometry *g, const TransposeArgs *args,
                          int count);

void conv_transpose_run(const KernelCall *call, int64_t task);

#endif
