/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution's weights in the order in which register tiles read them (tile.h). */
#ifndef OPS_CPU_CONV_PACK_H
#define OPS_CPU_CONV_PACK_H

#include "ops/cpu/conv/tile.h"
#include "ops/kernel.h"
#include "ops/nn/conv.h"

typedef struct ConvPack {
    const float *weights;
    TileBlocks *blocks; /* what each tile computes; TileBlocks.weights_at points into `weights` */
    int64_t n_blocks;
    uint64_t size_bytes;
} ConvPack;

/* Factors of the taps of a 3 x 3 kernel; the name tells packs with different ones apart. */
typedef struct ConvTapScales {
    const char *name;
    float of[9];
} ConvTapScales;

/* The weights at CONV_W, with the scale among the post-operations in them, for tiles of `count` output
 * blocks and input blocks of `lanes` channels; `tap_scales` may be NULL.  Where `g` has fewer taps than the
 * weights, each step in depth has so many of g's input channels, in order, those behind the weights' with
 * zeros.  Shared with other plans and kernels that ask for the same. */
Status conv_pack_weights(const KernelQuery *query, const ConvGeometry *g, int lanes, int count,
                         const ConvTapScales *tap_scales, PrepareContext *ctx, ConvPack *pack) MUST_CHECK;

/* The same for the tiles of grouped.h: pack->blocks are single output blocks. */
Status conv_pack_grouped(const KernelQuery *query, const ConvGeometry *g, PrepareContext *ctx,
                         ConvPack *pack) MUST_CHECK;

#endif
