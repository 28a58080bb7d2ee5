/* SPDX-License-Identifier: Apache-2.0 */
/* The inner part of direct convolution: a tile of output blocks times pixels, held in registers over the
 * whole sum. */
#ifndef OPS_CPU_CONV_TILE_H
#define OPS_CPU_CONV_TILE_H

#include <stdint.h>

#include "ops/cpu/cpu.h"
#include "ops/nn/conv.h"
#include "ops/post_ops.h"

enum {
    TILE_MAX_BLOCKS = 4,
    TILE_MAX_PIXELS = 14,
    TILE_MAX_WIDTH = 16, /* floats in the widest vector */
    TILE_LINE = 16,      /* floats in a cache line */
    /* Products that are summed by themselves.  The rounding of a sum grows with the square root of its
     * length; shorter ones would cost time. */
    TILE_SUM = 128,
};

/* Where the input of a tap lies, in floats, and which of the kernel's taps it is. */
typedef struct ConvTap {
    int64_t in, index;
} ConvTap;

/* out[o][p] = activation(bias[o] + sum over input blocks i, taps t, channels l of
 *     weights[i][t.index][l][o] * in[i * in_block_stride + t.in + p * pixel_stride + l])
 * where o counts the tile's output blocks, each a vector, and pixel_stride is the vector's width for blocked
 * input and 1 for plain input.  Strides are in floats. */
typedef struct ConvTile {
    const float *in;
    int64_t in_block_stride;
    int64_t n_in_blocks;
    int64_t sum_blocks; /* so many input blocks are summed by themselves, then added to the sum of those
                         * before: in a long sum the last products would lose digits */
    int block_channels, tail_channels; /* of each input block, and of the last one */
    const ConvTap *taps;
    int64_t n_taps;       /* that are summed */
    int64_t all_taps;     /* that `weights` has */
    const float *weights; /* [n_in_blocks][all_taps][channels][blocks][width] */
    const float *bias;    /* [blocks][width]; NULL: no epilogue, `out` is sums with `residual` added */
    float *out;
    int64_t out_block_stride;
    int64_t out_pixel_stride; /* the width, unless pixels are written apart */
    const float *residual;    /* at the same places as `out`; NULL: none */
    const Epilogue *epilogue; /* not looked at without a bias, as little as tail_out_channels */
    int tail_out_channels;    /* of the tile's last output block; the lanes after them are stored as zero */
    /* Weights that are needed soon: with each input block the tile asks the memory for so many floats more,
     * whole cache lines. */
    const float *prefetch;
    int64_t prefetch_step;
} ConvTile;

typedef void (*ConvTileFunction)(const ConvTile *tile);

/* Output blocks that one tile computes together, and what they read. */
typedef struct TileBlocks {
    int first, count;
    int in_first, in_count; /* input blocks, or channels where the input is plain */
    int tail_channels;      /* of the last input block */
    size_t weights_at;      /* in floats */
} TileBlocks;

/* The tiles of a target. */
typedef struct ConvTiles {
    int max_pixels[TILE_MAX_BLOCKS + 1];                                /* by output blocks */
    ConvTileFunction blocked[TILE_MAX_BLOCKS + 1][TILE_MAX_PIXELS + 1]; /* by output blocks and pixels */
    ConvTileFunction plain[TILE_MAX_BLOCKS + 1][TILE_MAX_PIXELS + 1];
    /* As `blocked`, for tiles of at most half a vector of channels in their last block; NULL: none. */
    ConvTileFunction half[TILE_MAX_BLOCKS + 1][TILE_MAX_PIXELS + 1];
    /* to[i] = from[i * stride]; they do not overlap.  Of floats, and of vectors. */
    void (*gather)(const float *restrict from, int64_t stride, int64_t count, float *restrict to);
    void (*gather_vectors)(const float *restrict from, int64_t stride, int64_t count, float *restrict to);
} ConvTiles;

TARGET_TABLES(ConvTiles, conv_tiles)

/* ConvTile.sum_blocks for input blocks of so many products. */
int64_t tile_sum_blocks(int64_t products);
/* The tile of blocked input for so many blocks and pixels, and for the channels of its last block. */
ConvTileFunction tile_function(const ConvTiles *tiles, int blocks, int pixels, int tail_out_channels);
/* Cycles of one channel of input for a tile of so many output blocks and pixels: the products, and what is
 * loaded and counted besides; too few products wait for each other's results. */
double tile_cycles(int blocks, double pixels);
/* What a tile costs besides. */
double tile_call_cycles(int blocks, double pixels);
/* Output blocks to a tile, of up to TILE_MAX_BLOCKS: the count whose tiles waste least of a row of that many
 * pixels. */
int tile_choose_blocks(const ConvTiles *tiles, int64_t row_pixels, int64_t out_blocks);
/* The same for a convolution: not of several groups, whose inputs differ. */
int tile_choose_group_blocks(const ConvTiles *tiles, int64_t row_pixels, const ConvGeometry *g, int width);
/* Which input blocks (of `block_channels` channels) the output blocks [first, first + count) read. */
TileBlocks tile_blocks(const ConvGeometry *g, int width, int block_channels, int first, int count);
/* Floats of the weights of one tile. */
size_t tile_weights(const TileBlocks *blocks, int width, int block_channels, int64_t n_taps);
/* Where the weight for tap `t`, input channel `channel` and the tile's output block `o` stands among a tile's
 * weights. */
size_t tile_weight_at(const TileBlocks *blocks, int width, int block_channels, int64_t n_taps, int64_t t,
                      int64_t channel, int o);
/* The pixels of a row are divided into tiles of about equal size, so that none is nearly empty: their number.
 */
int64_t tile_count(const ConvTiles *tiles, int64_t pixels, int blocks);
/* Sets what differs from tile to tile; `weights` and `bias` are those of the whole convolution. */
void tile_set_blocks(ConvTile *tile, const TileBlocks *blocks, const float *weights, const float *bias,
                     int width, int64_t out_channels);

#endif
