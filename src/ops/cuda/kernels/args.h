/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels are given: one struct each, by value, which the host and the kernels agree on by sharing
 * this file.  Indices have 32 bits: what has more elements is not accepted. */
#ifndef OPS_CUDA_ARGS_H
#define OPS_CUDA_ARGS_H

#include <stdbool.h>

#include "ops/activation.h"

enum { KERNEL_INPUTS = 3, KERNEL_DIMS = 5, KERNEL_SPATIAL = 3 };
/* Threads of a block where they work together, a power of two; and where each works alone. */
enum { TEAM_THREADS = 128, LONE_THREADS = 256 };

/* Always the first member: set for each run, in the order of the node's inputs; NULL where absent. */
typedef struct KernelData {
    const float *in[KERNEL_INPUTS];
    float *out;
} KernelData;

/* One dimension of a window. */
typedef struct KernelAxis {
    int in, out, kernel, stride, dilation, pad_begin, pad_end;
} KernelAxis;

/* out = activation(x + bias + residual), or activation(x + bias) + residual.  in: x, bias, residual.  Element
 * i lies in row i / (columns * plane), column i / plane % columns; the bias has these strides, 0 where it is
 * broadcast.  `out` may be x. */
struct FinishArgs {
    KernelData data;
    int count, plane, columns, bias_row, bias_column;
    float bias_scale;
    bool residual_last;
    Activation activation;
};

/* in: a, b.  The last KERNEL_DIMS dimensions of the output; strides in elements, 0 where broadcast. */
typedef enum BinaryKind {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_MAX,
    BINARY_MIN,
    BINARY_PRELU
} BinaryKind;
struct BinaryArgs {
    KernelData data;
    int count, kind;
    int dims[KERNEL_DIMS], strides[2][KERNEL_DIMS];
};

/* in: x.  `count` elements of a box with these dimensions, from strides to strides, all in elements. */
struct MoveArgs {
    KernelData data;
    int count, in_offset, out_offset;
    int dims[KERNEL_DIMS], in_strides[KERNEL_DIMS], out_strides[KERNEL_DIMS];
};

/* in: x.  `count` outputs; a thread each. */
struct PoolArgs {
    KernelData data;
    int count;
    bool is_max, count_include_pad;
    KernelAxis axes[KERNEL_SPATIAL];
};

/* in: x.  A block for each plane of `count` elements. */
struct PlaneArgs {
    KernelData data;
    int count;
    bool is_max;
};

/* in: x.  A block for each group of `count` elements that lie `inner` apart. */
struct SoftmaxArgs {
    KernelData data;
    int count, inner;
    bool is_log;
};

/* in: x, w.  Channels are those of one group.  For a transposed convolution `axes` are those of the
 * convolution that it reverses: `out` is x's size, `in` that of the result. */
struct ConvArgs {
    KernelData data;
    int count, groups, in_channels, out_channels;
    KernelAxis axes[KERNEL_SPATIAL];
};

#endif
