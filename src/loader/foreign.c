/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that are not ONNX's: what onnxruntime's tools leave in files, in the domain com.microsoft and in
 * ONNX's own, what was an experiment there until opset 10, and what ONNX has for training.  Each becomes
 * nodes of ONNX's operators, so that every pass and kernel serves it. */
#include "loader/foreign.h"

#include <limits.h>
#include <string.h>

#define MICROSOFT "com.microsoft"
#define TRAINING "ai.onnx.preview.training"
#define GRADIENT "Gradient"

#define MADE(DOMAIN, TYPE, UNTIL, MIN_INPUTS, MAX_INPUTS, MAX_OUTPUTS, EXPAND)                               \
    { DOMAIN, TYPE, UNTIL, NULL, 0, MIN_INPUTS, MAX_INPUTS, MAX_OUTPUTS, EXPAND }
#define NAMED(DOMAIN, TYPE, UNTIL, AS, OPSET)                                                                \
    { DOMAIN, TYPE, UNTIL, AS, OPSET, 0, 0, 0, NULL }

static const Foreign table[] = {
    MADE(MICROSOFT, "FusedConv", 0, 2, 4, 1, expand_conv),
    MADE(MICROSOFT, "NhwcConv", 0, 2, 3, 1, expand_nhwc_conv),
    MADE(MICROSOFT, "NhwcFusedConv", 0, 2, 4, 1, expand_nhwc_conv),
    MADE(MICROSOFT, "NhwcMaxPool", 0, 1, 1, 1, expand_nhwc_max_pool),
    MADE(MICROSOFT, "ConvTransposeWithDynamicPads", 0, 2, 4, 1, expand_conv_transpose),
    MADE(MICROSOFT, "FusedMatMul", 0, 2, 2, 1, expand_matmul),
    MADE(MICROSOFT, "TransposeMatMul", 0, 2, 2, 1, expand_matmul),
    MADE(MICROSOFT, "FusedMatMulActivation", 0, 2, 2, 1, expand_matmul),
    MADE(MICROSOFT, "FusedGemm", 0, 2, 3, 1, expand_gemm),
    NAMED(MICROSOFT, "Gelu", 0, "Gelu", 20),
    MADE(MICROSOFT, "BiasGelu", 0, 2, 2, 1, expand_bias_gelu),
    MADE(MICROSOFT, "FastGelu", 0, 1, 2, 1, expand_fast_gelu),
    MADE(MICROSOFT, "QuickGelu", 0, 1, 1, 1, expand_quick_gelu),
    MADE(MICROSOFT, "GemmFastGelu", 0, 2, 3, 1, expand_gemm_fast_gelu),
    MADE(MICROSOFT, "BiasSplitGelu", 0, 2, 2, 1, expand_bias_split_gelu),
    MADE(MICROSOFT, "BiasAdd", 0, 3, 3, 1, expand_bias_add),
    MADE(MICROSOFT, "BiasDropout", 0, 2, 5, 2, expand_bias_dropout),
    MADE(MICROSOFT, "SkipLayerNormalization", 0, 3, 5, 4, expand_skip_layer_norm),
    MADE(MICROSOFT, "SkipSimplifiedLayerNormalization", 0, 3, 4, 4, expand_skip_rms_norm),
    MADE(MICROSOFT, "GroupNorm", 0, 3, 3, 1, expand_group_norm),
    MADE(MICROSOFT, "SkipGroupNorm", 0, 4, 5, 2, expand_skip_group_norm),
    MADE(MICROSOFT, "BiasSoftmax", 0, 2, 2, 1, expand_bias_softmax),
    MADE(MICROSOFT, "Attention", 0, 2, 7, 2, expand_attention),
    MADE(MICROSOFT, "QAttention", 0, 5, 9, 2, expand_qattention),
    MADE(MICROSOFT, "MultiHeadAttention", 0, 1, 10, 4, expand_multi_head_attention),
    MADE(MICROSOFT, "MatMulIntegerToFloat", 0, 4, 7, 1, expand_matmul_integer_to_float),
    MADE(MICROSOFT, "DynamicQuantizeMatMul", 0, 3, 5, 1, expand_dynamic_quantize_matmul),
    MADE(MICROSOFT, "QLinearSoftmax", 0, 2, 5, 1, expand_qlinear_softmax),
    MADE(MICROSOFT, "QLinearReduceMean", 0, 2, 5, 1, expand_qlinear_reduce_mean),
    MADE(MICROSOFT, "QLinearWhere", 0, 9, 9, 1, expand_qlinear_where),
    MADE(MICROSOFT, "Unique", 0, 1, 1, 3, expand_unique),
    MADE(MICROSOFT, "TorchEmbedding", 0, 2, 4, 1, expand_torch_embedding),
    NAMED(MICROSOFT, "GridSample", 0, "GridSample", 16),
    NAMED(MICROSOFT, "GatherND", 0, "GatherND", 11),
    NAMED(MICROSOFT, "Trilu", 0, "Trilu", 14),
    MADE(MICROSOFT, "Pad", 0, 2, 3, 1, expand_pad),
    MADE(MICROSOFT, "ExpandDims", 0, 2, 2, 1, expand_expand_dims),
    MADE(MICROSOFT, "Range", 0, 2, 3, 1, expand_range),
    MADE(TRAINING, "Adagrad", 0, 5, INT_MAX, INT_MAX, expand_adagrad),
    MADE(TRAINING, "Adam", 0, 6, INT_MAX, INT_MAX, expand_adam),
    MADE(TRAINING, "Momentum", 0, 5, INT_MAX, INT_MAX, expand_momentum),
    MADE(TRAINING, GRADIENT, 0, 1, INT_MAX, INT_MAX, expand_gradient),
    NAMED("", "LayerNormalization", 17, "LayerNormalization", 17),
    NAMED("", "SimplifiedLayerNormalization", INT32_MAX, "RMSNormalization", 23),
    NAMED("", "ThresholdedRelu", 10, "ThresholdedRelu", 10),
    NAMED("", "DynamicSlice", 10, "Slice", 10),
    MADE("", "MeanVarianceNormalization", 9, 1, 1, 1, expand_mean_variance_norm),
    MADE("", "ConstantFill", 10, 0, 1, 1, expand_constant_fill),
    MADE("", "Scale", 10, 1, 1, 1, expand_scale),
    MADE("", "Affine", 10, 1, 1, 1, expand_affine),
    MADE("", "ImageScaler", 10, 1, 1, 1, expand_image_scaler),
    MADE("", "Crop", 10, 1, 1, 1, expand_crop),
    MADE("", "ScaledTanh", 10, 1, 1, 1, expand_scaled_tanh),
    MADE("", "ParametricSoftplus", 10, 1, 1, 1, expand_parametric_softplus),
};

static bool applies(const Foreign *foreign, const char *domain, const char *type, int64_t opset) {
    return strcmp(foreign->type, type) == 0 && strcmp(foreign->domain, domain) == 0 &&
           (!foreign->until || opset < foreign->until) &&
           (foreign->expand || op_find("", foreign->as, foreign->opset));
}

const Foreign *foreign_find(const char *domain, const char *type, int64_t opset) {
    const char *own = is_default_domain(domain) ? "" : domain;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (applies(&table[i], own, type, opset))
            return &table[i];
    return NULL;
}

bool foreign_reads_graph(const BodyNode *node) {
    return !node->callee && strcmp(text_or_empty(node->proto->op_type), GRADIENT) == 0 &&
           strcmp(text_or_empty(node->proto->domain), TRAINING) == 0;
}

static Status check_ports(const Expansion *e, const Foreign *foreign) {
    if (e->n_inputs > foreign->max_inputs || e->from->n_outputs > foreign->max_outputs)
        return where_fail(e->loading, e->where, STRIDER_BAD_MODEL,
                          "it has more inputs or outputs than the operator");
    for (int i = 0; i < foreign->min_inputs; i++)
        if (i >= e->n_inputs || !e->inputs[i])
            return where_fail(e->loading, e->where, STRIDER_BAD_MODEL, "a required input is missing");
    return STRIDER_OK;
}

Status expand_foreign(Loading *loading, Scope *scope, const Where *where, const BodyNode *from,
                      const Foreign *foreign) {
    Expansion e;
    TRY(expansion_init(&e, loading, scope, where, from));
    TRY(check_ports(&e, foreign));
    TRY(foreign->expand(&e));
    return warn_of_unknown(loading, where, &e.op, &e.attrs);
}
