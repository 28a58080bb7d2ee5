/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of kernels/, for launches by cuda_launch(): only their addresses are used. */
#ifndef OPS_CUDA_KERNELS_H
#define OPS_CUDA_KERNELS_H

#include "ops/cuda/kernels/args.h"

extern void k_finish(const struct FinishArgs args);
extern void k_unary(const struct UnaryArgs args);
extern void k_binary(const struct BinaryArgs args);
extern void k_where(const struct WhereArgs args);
extern void k_cast(const struct CastArgs args);
extern void k_move(const struct MoveArgs args);
extern void k_shuffle(const struct ShuffleArgs args);
extern void k_gather(const struct GatherArgs args);
extern void k_scatter_begin(const struct ScatterArgs args);
extern void k_scatter(const struct ScatterArgs args);
extern void k_unpool_begin(const struct UnpoolArgs args);
extern void k_unpool(const struct UnpoolArgs args);
extern void k_pool(const struct PoolArgs args);
extern void k_norm_pool(const struct PoolArgs args);
extern void k_reduce(const struct ReduceArgs args);
extern void k_reduce_team(const struct ReduceArgs args);
extern void k_product(const struct ReduceArgs args);
extern void k_product_team(const struct ReduceArgs args);
extern void k_softmax(const struct SoftmaxArgs args);
extern void k_cumulate(const struct CumulateArgs args);
extern void k_hardmax(const struct HardmaxArgs args);
extern void k_trilu(const struct TriluArgs args);
extern void k_topk(const struct TopKArgs args);
extern void k_pad(const struct PadArgs args);
extern void k_resize(const struct ResizeArgs args);
extern void k_batch_norm(const struct BatchNormArgs args);
extern void k_normalize(const struct NormalizeArgs args);
extern void k_lp_norm(const struct LpNormArgs args);
extern void k_lrn(const struct LrnArgs args);
extern void k_arg_reduce(const struct ArgReduceArgs args);
extern void k_arg_reduce_team(const struct ArgReduceArgs args);
extern void k_attention(const struct AttentionArgs args);
extern void k_rotary(const struct RotaryArgs args);
extern void k_grid_sample(const struct GridSampleArgs args);
extern void k_affine_grid(const struct AffineGridArgs args);
extern void k_deform_columns(const struct DeformArgs args);
extern void k_fold(const struct Col2ImArgs args);
extern void k_roi_align(const struct RoiAlignArgs args);
extern void k_recurrent(const struct RecurrentArgs args);
extern void k_swiglu(const struct SwigluArgs args);
extern void k_conv(const struct ConvArgs args);
extern void k_conv_transpose(const struct ConvArgs args);

#endif
