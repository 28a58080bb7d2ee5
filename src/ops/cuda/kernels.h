/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of kernels/, for launches by cuda_launch(): only their addresses are used. */
#ifndef OPS_CUDA_KERNELS_H
#define OPS_CUDA_KERNELS_H

#include "ops/cuda/kernels/args.h"

extern void k_finish(const struct FinishArgs args);
extern void k_binary(const struct BinaryArgs args);
extern void k_move(const struct MoveArgs args);
extern void k_pool(const struct PoolArgs args);
extern void k_plane(const struct PlaneArgs args);
extern void k_softmax(const struct SoftmaxArgs args);
extern void k_conv(const struct ConvArgs args);
extern void k_conv_transpose(const struct ConvArgs args);

#endif
