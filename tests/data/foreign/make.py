#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases beside this file: one node each of an operator that is not ONNX's, with what onnxruntime 1.32 computes of it on
the CPU; where that has no kernel, what the operator's documentation says, computed by NumPy.

The cases of the repository were written by onnx 1.23.2, onnxruntime 1.32.0 and NumPy 2.4.
"""
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from one_node import Folder  # noqa: E402

FOLDER = Folder(HERE)
INTS = np.int64
rand = FOLDER.rand


def case(name, op, arrays, domain="com.microsoft", expected=None, **others):
    """`expected`: what onnxruntime has no kernel for."""
    several = expected if isinstance(expected, tuple) else (expected,)
    FOLDER.case(name, op, arrays, domain=domain, expected=None if expected is None else [y if y.dtype == np.uint8 else y.astype(np.float32) for y in several], **others)


# --- what onnxruntime has no kernel for ---

def gelu(x):
    return 0.5 * x * (1 + np.tanh(0.797885 * x + 0.035677 * x ** 3))


def exact_gelu(x):
    from math import erf
    return 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def conv_nhwc(x, w, b):
    """3x3, padded by 1, in float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros(x.shape[:3] + (w.shape[0],))
    for i in range(3):
        for j in range(3):
            y += padded[:, i:i + x.shape[1], j:j + x.shape[2]] @ w[:, :, i, j].T
    return y + b


def group_norm(x, gamma, beta, groups):
    n, h, w, c = x.shape
    grouped = x.astype(np.float64).reshape(n, h * w, groups, c // groups)
    mean, var = grouped.mean(axis=(1, 3), keepdims=True), grouped.var(axis=(1, 3), keepdims=True)
    y = ((grouped - mean) / np.sqrt(var + 1e-5)).reshape(x.shape) * gamma + beta
    return y / (1 + np.exp(-y))


def skip_group_norm(x, gamma, beta, skip, bias, groups):
    total = x + skip + bias
    normal = group_norm(total, gamma, beta, groups)
    return normal, total


def softmax(x, axis):
    """Over the dimensions from `axis` on."""
    flat = x.astype(np.float64).reshape(int(np.prod(x.shape[:axis])), -1)
    powers = np.exp(flat - flat.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).reshape(x.shape)


def attend(q, k, v):
    """Of [batch, positions, heads, size]; heads go side by side."""
    scores = np.einsum("blhd,bmhd->bhlm", q.astype(np.float64), k) / np.sqrt(q.shape[-1])
    y = np.einsum("bhlm,bmhd->blhd", softmax(scores, 3), v)
    return y.reshape(*y.shape[:2], -1)


# --- the cases ---

def convolutions():
    x, w, b, z = rand(1, 4, 5, 4), rand(3, 4, 3, 3), rand(3), rand(1, 3, 5, 4)
    for name, params in (("Relu", None), ("Tanh", None), ("Sigmoid", None), ("LeakyRelu", [0.3]), ("Clip", [-0.5, 1.5]),
                         ("HardSigmoid", [0.3, 0.4])):
        given = {"activation": name, "pads": [1, 1, 1, 1], **({"activation_params": params} if params else {})}
        case(f"fused_conv_{name}", "FusedConv", [x, w, b], constants=(1, 2), **given)
        case(f"fused_conv_add_{name}", "FusedConv", [x, w, b, z], constants=(1, 2), **given)
    case("fused_conv_add", "FusedConv", [x, w, None, z], constants=(1,), pads=[1, 1, 1, 1])
    case("conv_transpose_pads", "ConvTransposeWithDynamicPads", [rand(1, 2, 4, 3), rand(2, 2, 3, 3), np.array([1, 0, 1, 1], INTS),
                                                                 rand(2)], constants=(1, 2, 3), strides=[2, 2])
    x, w, z = rand(1, 4, 3, 2), rand(3, 2, 3, 3), rand(1, 4, 3, 3)
    case("nhwc_conv", "NhwcConv", [x, w, b], constants=(1, 2), pads=[1, 1, 1, 1], expected=conv_nhwc(x, w, b))
    case("nhwc_fused_conv", "NhwcFusedConv", [x, w, b, z], constants=(1, 2), pads=[1, 1, 1, 1], activation="Relu",
         expected=np.maximum(conv_nhwc(x, w, b) + z, 0))
    case("nhwc_max_pool", "NhwcMaxPool", [FOLDER.random.integers(0, 255, (1, 5, 6, 3)).astype(np.uint8)], kernel_shape=[2, 2], strides=[2, 1])


def products():
    untransposed = {(0, 0): (0, 1, 2, 3), (1, 0): (0, 1, 3, 2), (0, 1): (2, 0, 1, 3), (1, 1): (3, 0, 1, 2)}
    for flags in range(16):
        trans_a, trans_b, batch_a, batch_b = ((flags >> i) & 1 for i in range(4))
        a = np.ascontiguousarray(rand(2, 1, 2, 3).transpose(untransposed[trans_a, batch_a]))
        b = np.ascontiguousarray(rand(2, 1, 3, 2).transpose(untransposed[trans_b, batch_b]))
        case(f"fused_matmul_{trans_a}{trans_b}{batch_a}{batch_b}", "FusedMatMul", [a, b], transA=trans_a, transB=trans_b,
             transBatchA=batch_a, transBatchB=batch_b, alpha=0.7)
    case("fused_matmul_2d", "FusedMatMul", [rand(4, 3), rand(5, 3)], constants=(1,), transB=1, alpha=2.0)
    case("fused_matmul_broadcast", "FusedMatMul", [rand(2, 4, 3), rand(5, 3)], transB=1)
    case("transpose_matmul", "TransposeMatMul", [rand(3, 4), rand(3, 5)], transA=1)
    a, b = rand(4, 3), rand(3, 5)
    product = 0.5 * (a.astype(np.float64) @ b)
    case("fused_matmul_activation", "FusedMatMulActivation", [a, b], alpha=0.5, activation="LeakyRelu", activation_alpha=0.25,
         expected=np.where(product < 0, 0.25 * product, product))
    for name, given in (("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.2}), ("Tanh", {}), ("Sigmoid", {}), ("Softplus", {}),
                        ("HardSigmoid", {"activation_alpha": 0.25, "activation_beta": 0.45}), ("Softsign", {}),
                        ("Elu", {"activation_alpha": 0.5}), ("Selu", {"activation_alpha": 1.5, "activation_gamma": 1.1}),
                        ("ThresholdedRelu", {"activation_alpha": 0.6})):
        case(f"fused_gemm_{name}", "FusedGemm", [rand(4, 3), rand(5, 3), rand(5)], transB=1, alpha=0.5, beta=0.3, activation=name, **given)


def gelus():
    x, b = rand(3, 4), rand(4)
    case("gelu", "Gelu", [x])
    case("bias_gelu", "BiasGelu", [x, b])
    case("fast_gelu", "FastGelu", [x])
    case("fast_gelu_bias", "FastGelu", [x, b])
    case("quick_gelu", "QuickGelu", [x])
    case("quick_gelu_alpha", "QuickGelu", [x], alpha=1.0)
    w, c = rand(4, 5), rand(5)
    case("gemm_fast_gelu", "GemmFastGelu", [x, w, c], expected=gelu(x.astype(np.float64) @ w + c))
    left, right = np.split(x.astype(np.float64) + b, 2, axis=-1)
    case("bias_split_gelu", "BiasSplitGelu", [x[None], b], expected=(left * exact_gelu(right))[None])


def normalisations():
    x, skip, gamma, beta, bias = rand(2, 3, 8), rand(2, 3, 8), rand(8), rand(8), rand(8)
    case("skip_layer_norm", "SkipLayerNormalization", [x, skip, gamma, beta, bias], epsilon=1e-5)
    case("skip_layer_norm_least", "SkipLayerNormalization", [x, skip, gamma])
    case("skip_layer_norm_sum", "SkipLayerNormalization", [x, skip[:1], gamma, beta], outputs=("y", "", "", "sum"))
    case("skip_layer_norm_2d", "SkipLayerNormalization", [x, skip[0], gamma, beta, bias], outputs=("y", "", "", "sum"))
    case("skip_rms_norm", "SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], epsilon=1e-6, outputs=("y", "", "", "sum"))
    case("layer_norm_before_17", "LayerNormalization", [x, gamma, beta], domain="", opset=12, outputs=("y", "mean", "inverse"))
    case("rms_norm", "SimplifiedLayerNormalization", [x, gamma], domain="", epsilon=1e-6)
    case("bias_add", "BiasAdd", [x, bias, skip], expected=x + bias + skip)
    case("bias_dropout", "BiasDropout", [x, bias, skip], expected=x + bias + skip)
    x = rand(1, 3, 2, 8)
    case("group_norm", "GroupNorm", [x, gamma, beta], groups=4, activation=1, expected=group_norm(x, gamma, beta, 4))


def movements():
    x = rand(3, 4)
    case("pad", "Pad", [x, np.array([1, 0, 2, 1], INTS), np.array(2.5, np.float32)])
    case("pad_reflect", "Pad", [x, np.array([[1, 0, 1, 1]], INTS)], mode="reflect")
    case("expand_dims", "ExpandDims", [x, np.array(1, np.int32)], constants=(1,))
    case("expand_dims_last", "ExpandDims", [x, np.array(-1, np.int32)])
    case("range", "Range", [np.array(1, np.float32), np.array(9, np.float32)])
    case("range_lists", "Range", [np.array([1], np.float32), np.array([9], np.float32), np.array([2.5], np.float32)])
    case("trilu", "Trilu", [x, np.array(1, INTS)], upper=0)
    case("grid_sample", "GridSample", [rand(1, 2, 3, 4), np.clip(rand(1, 2, 3, 2), -1, 1)], padding_mode="border")
    case("inverse", "Inverse", [rand(2, 3, 3) + 2 * np.eye(3, dtype=np.float32)])
    case("gather_nd", "GatherND", [x, np.array([[1], [0]], INTS)])


def experiments():
    x = rand(1, 3, 6, 7)
    old = {"domain": "", "opset": 9}
    for across in (0, 1):
        for variance in (0, 1):
            case(f"mean_variance_norm_{across}{variance}", "MeanVarianceNormalization", [x], across_channels=across, normalize_variance=variance,
                 domain="", opset=8)
    case("dynamic_slice", "DynamicSlice", [x, np.array([1, 0], INTS), np.array([3, 2], INTS), np.array([1, 3], INTS)], **old)
    case("constant_fill", "ConstantFill", [np.array([2, 3], INTS)], expected=np.full((2, 3, 4), 1.5), dtypes=[np.float32], input_as_shape=1, extra_shape=[4], value=1.5, **old)
    case("constant_fill_like", "ConstantFill", [x], expected=np.full(x.shape, 1.5), value=1.5, **old)
    case("scale", "Scale", [x], scale=2.0, **old)
    case("affine", "Affine", [rand(5)], alpha=2.0, beta=0.5, **old)
    case("image_scaler", "ImageScaler", [x], scale=0.5, bias=[1.0, 2.0, 3.0], **old)
    case("crop", "Crop", [x], border=[1, 2, 1, 0], **old)
    case("crop_to_size", "Crop", [x], border=[1, 2, 0, 0], scale=[3, 4], **old)
    case("scaled_tanh", "ScaledTanh", [x], alpha=2.0, beta=0.5, **old)
    case("parametric_softplus", "ParametricSoftplus", [x], alpha=2.0, beta=0.5, **old)
    case("thresholded_relu_before_10", "ThresholdedRelu", [x], alpha=0.5, **old)


def images():
    x, indices, size = rand(2, 3, 5, 7), np.array([1, 0, 1], np.int32), np.array([4, 3], np.int32)
    rois = np.array([[0, 0, 1, 1], [0.1, 0.6, 0.7, 0.2], [-0.3, 0.2, 0.8, 1.4]], np.float32)
    case("crop_and_resize", "CropAndResize", [x, rois, indices, size], constants=(3,), extrapolation_value=2.5)
    case("crop_and_resize_nearest", "CropAndResize", [x, rois, indices, size], mode="nearest")
    case("crop_and_resize_to_one", "CropAndResize", [x, rois, indices, np.array([1, 1], np.int32)])
    x, gamma, beta, bias = rand(2, 3, 2, 8), rand(8), rand(8), rand(8)
    skip, short = rand(2, 3, 2, 8), rand(2, 8)
    case("skip_group_norm", "SkipGroupNorm", [x, gamma, beta, skip], groups=2, activation=1, outputs=("y", "s"),
         expected=skip_group_norm(x, gamma, beta, skip, 0, 2))
    case("skip_group_norm_short", "SkipGroupNorm", [x, gamma, beta, short, bias], groups=4, activation=1,
         expected=skip_group_norm(x, gamma, beta, short[:, None, None], bias, 4)[0])
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    case("skip_group_norm_first", "SkipGroupNorm", [first, gamma, beta, short, bias], groups=4, activation=1, channels_last=0, outputs=("y", "s"),
         expected=tuple(y.transpose(0, 3, 1, 2) for y in skip_group_norm(x, gamma, beta, short[:, None, None], bias, 4)))
    ids = np.array([[2, 0, 3], [1, 1, 2]], INTS)
    table = rand(4, 5)
    case("torch_embedding", "TorchEmbedding", [table, ids, np.array(1, INTS)], expected=table[ids])
    case("unique", "Unique", [np.array([2, 1, 1, 3, 4, 3], np.float32)], outputs=("y", "idx", "counts"), dtypes=[np.float32, INTS, INTS])


def attentions():
    x, w, b = rand(2, 5, 6), rand(6, 24), rand(24)
    mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
    case("attention", "Attention", [x, w, b], num_heads=2, constants=(1, 2))
    case("attention_mask", "Attention", [x, w, b, mask], num_heads=4)
    case("attention_mask_3d", "Attention", [x, w, b, np.tril(np.ones((2, 5, 5), np.int32))], num_heads=2)
    case("attention_bias", "Attention", [x, w, b, mask, None, rand(1, 2, 5, 5)], num_heads=2, scale=0.5)
    case("attention_sizes", "Attention", [x, w, b], num_heads=2, qkv_hidden_sizes=[6, 6, 12])
    case("attention_causal", "Attention", [x, w, b], num_heads=2, unidirectional=1)
    past = rand(2, 2, 2, 3, 4)
    case("attention_past", "Attention", [x, w, b, None, past], num_heads=2, unidirectional=1, outputs=("y", "present"))
    case("attention_present", "Attention", [x, w, b], num_heads=2, outputs=("y", "present"))
    q, k, v, b = rand(2, 4, 8), rand(2, 5, 8), rand(2, 5, 6), rand(22)
    heads = "MultiHeadAttention"
    case("multi_head", heads, [q, k, v], num_heads=2)
    case("multi_head_biases", heads, [q, k, v, b, None, rand(2, 1, 4, 5)], num_heads=2, constants=(3,))
    case("multi_head_mask", heads, [q, k, v, None, mask, rand(1, 2, 4, 5)], num_heads=2, scale=0.3)
    qkv, kv = rand(2, 5, 2, 3, 4), rand(2, 5, 2, 2, 4)
    case("multi_head_packed", heads, [qkv], num_heads=2, expected=attend(*np.moveaxis(qkv, 3, 0)))
    case("multi_head_packed_pairs", heads, [q, kv], num_heads=2, expected=attend(q.reshape(2, 4, 2, 4), *np.moveaxis(kv, 3, 0)))
    case("multi_head_kept", heads, [q, rand(2, 2, 5, 4), rand(2, 2, 5, 4)], num_heads=2)
    case("multi_head_past", heads, [q, k[:, :4], q[:, ::-1].copy(), None, None, None, rand(2, 2, 3, 4), rand(2, 2, 3, 4)], num_heads=2,
         unidirectional=1, outputs=("y", "k", "v"))
    data, bias, inner = rand(2, 3, 4, 5), rand(1, 3, 4, 5), rand(2, 1, 1, 5)
    case("bias_softmax", "BiasSoftmax", [data, bias], axis=2, is_inner_broadcast=0, expected=softmax(data + bias, 2))
    case("bias_softmax_inner", "BiasSoftmax", [data, inner], axis=3, is_inner_broadcast=1, expected=softmax(data + inner, 3))


def bytes_of(*shape):
    return FOLDER.random.integers(0, 256, shape).astype(np.uint8)


def integers():
    a, b, scale = bytes_of(3, 4), bytes_of(4, 5), np.array(0.02, np.float32)
    scales, zeros = np.abs(rand(5)) / 50, bytes_of(5)
    case("matmul_integer_to_float", "MatMulIntegerToFloat", [a, b, scale, scale, np.array(120, np.uint8), np.array(7, np.uint8), rand(5)], dtypes=[np.float32])
    case("matmul_integer_to_float_least", "MatMulIntegerToFloat", [a, b, scale, scale], dtypes=[np.float32])
    case("matmul_integer_to_float_columns", "MatMulIntegerToFloat", [a, b.astype(np.int8), scale, scales, np.array(120, np.uint8), zeros.astype(np.int8)], dtypes=[np.float32])
    case("dynamic_quantize_matmul", "DynamicQuantizeMatMul", [rand(3, 4), b, scale, np.array(7, np.uint8), rand(5)])
    case("qattention", "QAttention", [bytes_of(2, 3, 4), bytes_of(4, 12), rand(12), scale, scale, None, np.array(128, np.uint8), np.array(127, np.uint8)], num_heads=2,
         dtypes=[np.float32])
    x, small = bytes_of(2, 3, 4), np.array(1 / 256, np.float32)
    case("qlinear_softmax", "QLinearSoftmax", [x, np.array(0.04, np.float32), np.array(100, np.uint8), small, np.array(0, np.uint8)], axis=-1, more={"opset": 13})
    case("qlinear_softmax_12", "QLinearSoftmax", [x, np.array(0.04, np.float32), np.array(100, np.uint8), small, np.array(0, np.uint8)], axis=1, more={"opset": 12})
    case("qlinear_reduce_mean", "QLinearReduceMean", [x, scale, np.array(100, np.uint8), np.array(0.015, np.float32), np.array(90, np.uint8)], axes=[1], keepdims=0,
         expected=np.clip(np.rint(0.02 * (x.astype(np.float64) - 100).mean(axis=1) / 0.015) + 90, 0, 255).astype(np.uint8))
    case("qlinear_where", "QLinearWhere", [x < 99, x, scale, np.array(100, np.uint8), bytes_of(2, 3, 4), np.array(0.03, np.float32), np.array(90, np.uint8), np.array(0.025, np.float32), np.array(80, np.uint8)],
         dtypes=[np.uint8])


if __name__ == "__main__":
    for group in (convolutions, products, gelus, normalisations, movements, experiments, images, attentions, integers):
        group()
