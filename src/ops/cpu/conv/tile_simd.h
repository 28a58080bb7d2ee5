/* SPDX-License-Identifier: Apache-2.0 */
/* What all register tiles share, for templates: their end, with bias, residual, activation and the store, and
 * the copying of input. */
#ifndef OPS_CPU_CONV_TILE_SIMD_H
#define OPS_CPU_CONV_TILE_SIMD_H

#include "ops/cpu/conv/tile.h"
#include "ops/cpu/epilogue_simd.h"

/* `blocks` and `pixels` are constants wherever this is inlined, so that all loops over them unroll and `acc`
 * is registers. */
INLINE void tile_store(const ConvTile *tile, const VectorEpilogue *epilogue, const int blocks,
                       const int pixels, vf acc[TILE_MAX_BLOCKS][TILE_MAX_PIXELS]) {
#pragma GCC unroll 4
    for (int o = 0; o < blocks; o++) {
        const int masked = o == blocks - 1 && tile->tail_out_channels < VW;
        const vf bias = v_load(tile->bias + o * VW);
#pragma GCC unroll 14
        for (int p = 0; p < pixels; p++) {
            const int64_t at = o * tile->out_block_stride + p * tile->out_pixel_stride;
            vf value = epilogue_first(epilogue, acc[o][p] + bias, at, VW);
            if (masked)
                value = v_first_lanes(value, tile->tail_out_channels);
            v_store(tile->out + at, value);
        }
    }
}

/* Sums alone, for what is not the end of a convolution yet. */
INLINE void tile_store_sums(const ConvTile *tile, const int blocks, const int pixels,
                            vf acc[TILE_MAX_BLOCKS][TILE_MAX_PIXELS]) {
    const int64_t step = tile->out_pixel_stride;
    const float *before = tile->residual;
#pragma GCC unroll 4
    for (int o = 0; o < blocks; o++)
#pragma GCC unroll 14
        for (int p = 0; p < pixels; p++) {
            const int64_t at = o * tile->out_block_stride + p * step;
            v_store(tile->out + at, before ? acc[o][p] + v_load(before + at) : acc[o][p]);
        }
}

/* The second phase, once for all tiles. */
static void tile_activate(const ConvTile *tile, int blocks, int pixels) {
    const VectorEpilogue epilogue = vector_epilogue(tile->epilogue, tile->residual);
    for (int o = 0; o < blocks; o++)
        for (int p = 0; p < pixels; p++) {
            const int64_t at = o * tile->out_block_stride + p * tile->out_pixel_stride;
            vf value = epilogue_second(&epilogue, v_load(tile->out + at), at, VW);
            if (o == blocks - 1 && tile->tail_out_channels < VW)
                value = v_first_lanes(value, tile->tail_out_channels);
            v_store(tile->out + at, value);
        }
}

INLINE void tile_finish(const ConvTile *tile, const int blocks, const int pixels,
                        vf acc[TILE_MAX_BLOCKS][TILE_MAX_PIXELS]) {
    if (!tile->bias) {
        tile_store_sums(tile, blocks, pixels, acc);
        return;
    }
    const VectorEpilogue epilogue = vector_epilogue(tile->epilogue, tile->residual);
    tile_store(tile, &epilogue, blocks, pixels, acc);
    if (epilogue.is_activated)
        tile_activate(tile, blocks, pixels);
}

/* ConvTiles.gather_vectors. */
static void tile_gather_vectors(const float *restrict from, int64_t stride, int64_t count,
                                float *restrict to) {
    for (int64_t i = 0; i < count; i++)
        v_store(to + i * VW, v_load(from + i * stride * VW));
}

#endif
