/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms of Winograd's convolution F(m x m, 3 x 3): tiles of n x n input pixels become m x m output
 * pixels; n = (m - 1) * stride + 3.  With matrices B, G and A (winograd_tmpl.c),
 *     output = A' [(G w G') * (B' x B)] A
 * where * multiplies element by element and sums over input channels: n x n products of small matrices. */
#ifndef OPS_CPU_CONV_WINOGRAD_H
#define OPS_CPU_CONV_WINOGRAD_H

#include <stdint.h>

#include "ops/cpu/conv/pack.h"
#include "ops/cpu/cpu.h"
#include "ops/nn/conv.h"

enum {
    WINOGRAD_MAX_OUT = 6,
    WINOGRAD_MAX_IN = 9,
};

typedef enum WinogradKind {
    WINOGRAD_F2,
    WINOGRAD_F4,
    WINOGRAD_F6,
    WINOGRAD_F4_STRIDE_2,
    WINOGRAD_KINDS
} WinogradKind;

/* What the inverse transform writes: a tile of up to m x m pixels of one block. */
typedef struct WinogradStore {
    float *out;
    const float *residual; /* at the same places; NULL: none */
    const float *bias;     /* of the block */
    const Epilogue *epilogue;
    int64_t row_stride, pixel_stride; /* of the output, in floats, from one pixel of the tile to the next */
    int rows, columns;                /* that lie in the image */
    int channels;                     /* lanes after these are stored as zero */
} WinogradStore;

/* All strides in floats; frequency f = row * n + column lies at f * frequency_stride. */
typedef struct WinogradTransform {
    int m, n, stride;
    int distinct; /* rows, and columns, of frequencies whose weights differ: the last one's serve those after
                   * it
                   */
    const ConvTapScales *tap_scales; /* that `weights` expects its taps multiplied by; NULL: none */
    /* n x n pixels of a blocked tensor, from `in` on. */
    void (*input)(const float *in, int64_t row_stride, int64_t pixel_stride, float *to,
                  int64_t frequency_stride);
    /* 3 x 3 taps of a vector of output channels for `channels` input channels, one after the other, each
     * `blocks` vectors: tap t of channel l and block o at ((t * channels + l) * blocks + o) * width.  The
     * `distinct` frequencies of one row are written to (l * blocks + o) * width. */
    void (*weights)(const float *in, int channels, int blocks, int row, float *to, int64_t frequency_stride);
    void (*output)(const float *from, int64_t frequency_stride, const WinogradStore *store);
} WinogradTransform;

typedef struct WinogradTransforms {
    WinogradTransform of[WINOGRAD_KINDS];
} WinogradTransforms;

TARGET_TABLES(WinogradTransforms, winograd_transforms)

#endif
