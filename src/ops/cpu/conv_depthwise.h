/* SPDX-License-Identifier: Apache-2.0 */
/* One output row of a depthwise convolution, for one block of channels. */
#ifndef OPS_CPU_CONV_DEPTHWISE_H
#define OPS_CPU_CONV_DEPTHWISE_H

#include <stdint.h>

#include "base/cpu.h"
#include "ops/activation.h"

/* out[x] = activation(bias + sum over i in [first_tap_row, end_tap_row), j of
 *     weights[i][j] * in[i * tap_row_stride + (x * stride - pad + j * dilation) * width]),
 * columns outside [0, in_width) count as zero.  Rows outside the input are left out by the caller; `in` is
 * the row that tap row 0 reads, which need not exist.  All elements are vectors of a block's channels. */
typedef struct DepthwiseRow {
    const float *in;
    int64_t in_width, tap_row_stride; /* columns; floats */
    int64_t first_tap_row, end_tap_row, kernel, stride, dilation, pad;
    const float *weights; /* [tap rows][kernel][width] */
    const float *bias;    /* [width] */
    float *out;
    int64_t out_width;
    const float *residual; /* or NULL */
    const Epilogue *epilogue;
    int lanes; /* of the block's vectors; those behind are stored as zero */
} DepthwiseRow;

typedef void (*DepthwiseFunction)(const DepthwiseRow *row);

DepthwiseFunction depthwise_function(Isa isa);

void depthwise_row_generic(const DepthwiseRow *row);
#if defined(__x86_64__)
void depthwise_row_avx2(const DepthwiseRow *row);
void depthwise_row_avx512(const DepthwiseRow *row);
#endif

#endif
