/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that are not ONNX's, and are made of ONNX's while a model is loaded. */
#ifndef LOADER_FOREIGN_H
#define LOADER_FOREIGN_H

#include "loader/expansion.h"

typedef struct Foreign {
    const char *domain, *type;
    int until; /* before this opset of ONNX's domain, which has an operator of that name from then on; else 0
                */
    const char *as; /* it is ONNX's operator of this name, at this opset; NULL: `expand` says what it is */
    int opset;
    int min_inputs, max_inputs, max_outputs;
    Status (*expand)(Expansion *e);
} Foreign;

/* NULL where there is none, or where it is another name for what Strider lacks. */
const Foreign *foreign_find(const char *domain, const char *type, int64_t opset);
/* Whether what stands for it depends on other nodes, so that these have to be there. */
bool foreign_reads_graph(const BodyNode *node);
Status expand_foreign(Loading *loading, Scope *scope, const Where *where, const BodyNode *from,
                      const Foreign *foreign) MUST_CHECK;

/* A product of matrices of integers as real numbers; zero points and bias may be NULL. */
typedef struct IntegerFactors {
    Value *a, *b, *a_scale, *b_scale, *a_zero, *b_zero, *bias;
} IntegerFactors;
Status expansion_integer_product(Expansion *e, const IntegerFactors *factors, Value **y) MUST_CHECK;

/* --- foreign_attention.c, foreign_fused.c, foreign_others.c, foreign_quantized.c, foreign_training.c,
 * gradient.c --- */
Status expand_adagrad(Expansion *e) MUST_CHECK;
Status expand_adam(Expansion *e) MUST_CHECK;
Status expand_affine(Expansion *e) MUST_CHECK;
Status expand_attention(Expansion *e) MUST_CHECK;
Status expand_bias_add(Expansion *e) MUST_CHECK;
Status expand_bias_dropout(Expansion *e) MUST_CHECK;
Status expand_bias_gelu(Expansion *e) MUST_CHECK;
Status expand_bias_softmax(Expansion *e) MUST_CHECK;
Status expand_bias_split_gelu(Expansion *e) MUST_CHECK;
Status expand_constant_fill(Expansion *e) MUST_CHECK;
Status expand_conv(Expansion *e) MUST_CHECK;
Status expand_conv_transpose(Expansion *e) MUST_CHECK;
Status expand_crop(Expansion *e) MUST_CHECK;
Status expand_dynamic_quantize_matmul(Expansion *e) MUST_CHECK;
Status expand_expand_dims(Expansion *e) MUST_CHECK;
Status expand_fast_gelu(Expansion *e) MUST_CHECK;
Status expand_gemm(Expansion *e) MUST_CHECK;
Status expand_gemm_fast_gelu(Expansion *e) MUST_CHECK;
Status expand_gradient(Expansion *e) MUST_CHECK;
Status expand_group_norm(Expansion *e) MUST_CHECK;
Status expand_image_scaler(Expansion *e) MUST_CHECK;
Status expand_matmul(Expansion *e) MUST_CHECK;
Status expand_matmul_integer_to_float(Expansion *e) MUST_CHECK;
Status expand_mean_variance_norm(Expansion *e) MUST_CHECK;
Status expand_momentum(Expansion *e) MUST_CHECK;
Status expand_multi_head_attention(Expansion *e) MUST_CHECK;
Status expand_nhwc_conv(Expansion *e) MUST_CHECK;
Status expand_nhwc_max_pool(Expansion *e) MUST_CHECK;
Status expand_pad(Expansion *e) MUST_CHECK;
Status expand_parametric_softplus(Expansion *e) MUST_CHECK;
Status expand_qattention(Expansion *e) MUST_CHECK;
Status expand_qlinear_reduce_mean(Expansion *e) MUST_CHECK;
Status expand_qlinear_softmax(Expansion *e) MUST_CHECK;
Status expand_qlinear_where(Expansion *e) MUST_CHECK;
Status expand_quick_gelu(Expansion *e) MUST_CHECK;
Status expand_range(Expansion *e) MUST_CHECK;
Status expand_scale(Expansion *e) MUST_CHECK;
Status expand_scaled_tanh(Expansion *e) MUST_CHECK;
Status expand_skip_group_norm(Expansion *e) MUST_CHECK;
Status expand_skip_layer_norm(Expansion *e) MUST_CHECK;
Status expand_skip_rms_norm(Expansion *e) MUST_CHECK;
Status expand_torch_embedding(Expansion *e) MUST_CHECK;
Status expand_unique(Expansion *e) MUST_CHECK;

#endif
