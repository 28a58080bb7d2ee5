/* SPDX-License-Identifier: Apache-2.0 */
/* What all convolution kernels ask of a node. */
#ifndef OPS_CPU_CONV_QUERY_H
#define OPS_CPU_CONV_QUERY_H

#include "ops/kernel.h"
#include "ops/nn/conv.h"
#include "ops/post_ops.h"

/* Of a Conv. */
ConvGeometry conv_query_geometry(const KernelQuery *query);
/* A convolution of either direction in three dimensions: depth, rows and columns.  Dimensions of one element
 * come first, wherever the node has them: rows of one pixel would leave tiles nearly empty, and neither
 * tensors nor weights lie otherwise in memory. */
ConvGeometry conv_volume(const ConvGeometry *geometry);
/* That of a Conv. */
ConvGeometry conv_query_volume(const KernelQuery *query);

/* The post-operations of a Conv or ConvTranspose, the bias of its own among them; false where no kernel has
 * these. */
bool conv_epilogue(const Node *node, Epilogue *epilogue);
/* The constant by which weights are multiplied when they are packed; NULL where there is none. */
const Tensor *conv_scale(const KernelQuery *query);

/* Whether a Conv or ConvTranspose can have `input` as layout of its input and
 * blocked output: f32 with a constant scale, and not empty.  Fills in the layouts. */
bool conv_accepts_blocked(KernelQuery *query, Layout input);

/* Kernel.tuning_key of all kernels of Conv. */
void conv_tuning_key(const KernelQuery *query, char text[KERNEL_LAYER_TEXT]);

#endif
