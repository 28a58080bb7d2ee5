/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of Winograd's convolution share: the tiles of an image, and their transforms to
 * frequencies and back.
 */
#ifndef OPS_CPU_CONV_WINOGRAD_IMAGE_H
#define OPS_CPU_CONV_WINOGRAD_IMAGE_H

#include "ops/cpu/conv/winograd.h"
#include "ops/kernel.h"

/* Kernel.peak_error of F(4 x 4). */
#define WINOGRAD_4_PEAK_ERROR 8e-6
/* Of a float of the input or output of a whole convolution, beside the transforms' arithmetic: memory's part.
 */
#define WINOGRAD_PIXEL_NS 0.25

/* Images, of volumes each depth of the output, divided into tiles of m x m output pixels, the last ones of a
 * row or column extending beyond the edge. With a dilation the pixels of one remainder modulo the dilation
 * are an image of their own, a phase: pixels of a tile then lie that far apart. */
typedef struct WinogradImage {
    const WinogradTransform *transform;
    Epilogue epilogue;
    WindowDim z, y, x;
    int m, n, frequencies, width;
    int64_t phases_y, phases_x;        /* with pixels: a large dilation has fewer than remainders */
    int64_t tiles_y, tiles_x, n_tiles; /* of a phase; n_tiles: of all phases of all images */
    int64_t in_channels, out_channels, in_blocks, out_blocks;
    int64_t depth_blocks; /* of in_blocks, those of one step in depth */
} WinogradImage;

/* 3 x 3, stride 1 (with any dilation), no groups, blocked layouts; fills these in.  In three dimensions any
 * steps in depth. */
bool winograd_accepts(KernelQuery *query);
/* The same with stride 2, without dilation. */
bool winograd_accepts_stride_2(KernelQuery *query);
/* In rows and columns.  Where a kernel takes several steps in depth, each step's blocks of input channels are
 * input blocks of their own, with the last one's padding. */
ConvGeometry winograd_geometry(const KernelQuery *query);
/* All but the epilogue. */
WinogradImage winograd_image(const KernelQuery *query, WinogradKind kind);
/* Channels of an input block. */
int64_t winograd_block_channels(const WinogradImage *image, int64_t in_block);
/* Floats from one frequency to the next where each has that many vectors: an odd number of vectors, so that
 * the frequencies of one tile do not fall into the same sets of the caches. */
int64_t winograd_stride(const WinogradImage *image, int64_t vectors);

/* Tiles [first, first + count) of one input block, one after the other. */
void winograd_transform_input(const WinogradImage *image, const float *input, int64_t block, int64_t first,
                              int64_t count, float *to, int64_t frequency_stride);
/* The sums of tiles [first, first + count) of one output block, one after the other, to the output. */
void winograd_transform_output(const WinogradImage *image, const KernelCall *call, const float *bias,
                               int64_t block, int64_t first, int64_t count, const float *sums,
                               int64_t frequency_stride);

#endif
