/* SPDX-License-Identifier: Apache-2.0 */
/* The products of Winograd's F(4 x 4, 3 x 3) with weights that are transformed in registers. */
#ifndef OPS_CPU_CONV_WINOGRAD_SKINNY_H
#define OPS_CPU_CONV_WINOGRAD_SKINNY_H

#include "ops/cpu/cpu.h"

enum {
    SKINNY_MAX_TILES = 4, /* image tiles in a register tile */
    SKINNY_FREQUENCIES = 6,
    /* Input blocks whose weights the rows of frequencies pass over together, at most, and whose products are
     * summed by themselves: short sums keep digits, which the inverse transform multiplies the loss of. */
    SKINNY_CHUNK_BLOCKS = 4,
};

/* For one row of six frequencies and a few image tiles t,
 *     sums[f][t] (+)= sum over input blocks i, channels l of transformed weights[i][l][f] * in[f][i][t][l]
 * All strides in floats. */
typedef struct SkinnyProducts {
    const float *in; /* transformed, of the row's first frequency */
    int64_t in_frequency_stride, in_block_stride;
    int64_t n_in_blocks;  /* at most SKINNY_CHUNK_BLOCKS */
    int tail_channels;    /* of the last input block */
    const float *weights; /* [channel][9 taps][width], the taps scaled as WinogradTransform.tap_scales says */
    float *sums;
    int64_t sums_frequency_stride;
    bool add; /* to what is in `sums` */
    /* Weights that are needed soon: while the six rows pass, each asks the memory for a sixth of as many as
     * `weights` has. */
    const float *prefetch;
} SkinnyProducts;

typedef void (*SkinnyProductsFunction)(const SkinnyProducts *products);

typedef struct WinogradSkinny {
    /* By row of frequencies and image tiles. */
    SkinnyProductsFunction of[SKINNY_FREQUENCIES][SKINNY_MAX_TILES + 1];
} WinogradSkinny;

TARGET_TABLES(WinogradSkinny, winograd_skinny)

#endif
