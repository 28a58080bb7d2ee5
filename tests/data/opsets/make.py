#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases beside this file: ai.onnx's operators at opsets 1 to 12, where they mean or say something else than later, and a
few of later ones that are read in two ways.

What is expected is worked out here by NumPy from the specification of that opset, as onnxruntime begins at opset 7; what it can
run it computes as well, and this program fails where the two differ.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import one_node  # noqa: E402

FOLDER = one_node.Folder(HERE, seed=1)
rand = FOLDER.rand
F32, I64 = np.float32, np.int64


def case(op, opset, arrays, expected, note="", ir=3, differs=False, **others):
    """`expected`: one output, or a list of them.  `differs`: onnxruntime gives something else, as it may or should not."""
    expected = expected if isinstance(expected, list) else [expected]
    name = f"{op}-{opset}{'_' if note else ''}{note}"
    dtypes = [e.dtype for e in expected]
    FOLDER.case(name, op, arrays, opset=opset, ir=ir, expected=expected, dtypes=dtypes, **others)
    if not differs:
        compare_with_onnxruntime(name, expected)


COMPARED = []


def compare_with_onnxruntime(name, expected) -> None:
    folder = HERE / name
    model = onnx.load(folder / "model.onnx")
    inputs = sorted((folder / "test_data_set_0").glob("input_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    tensors = [onnx.load_tensor(p) for p in inputs]
    try:
        found = one_node.run(model, {t.name: numpy_helper.to_array(t) for t in tensors})
    except Exception:  # its exceptions have no common base: whatever it cannot run
        return
    COMPARED.append(name)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def f32(values):
    return np.asarray(values, F32)


# --- elementwise ---

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unary():
    x = rand(2, 3)
    consumed = {"consumed_inputs": [0]}
    for op, function in (("Abs", np.abs), ("Neg", np.negative), ("Exp", np.exp), ("Floor", np.floor), ("Ceil", np.ceil),
                         ("Tanh", np.tanh), ("Sigmoid", sigmoid), ("Relu", lambda v: np.maximum(v, 0)),
                         ("Reciprocal", lambda v: 1 / v)):
        case(op, 1, [x], f32(function(x)), "consumed_inputs", **consumed)
    for op, function in (("Log", np.log), ("Sqrt", np.sqrt)):
        case(op, 1, [np.abs(x)], f32(function(np.abs(x))), "consumed_inputs", **consumed)
    case("LeakyRelu", 1, [x], f32(np.where(x < 0, 0.01 * x, x)), **consumed)
    case("Elu", 1, [x], f32(np.where(x < 0, np.expm1(x), x)), **consumed)
    case("HardSigmoid", 1, [x], f32(np.clip(0.2 * x + 0.5, 0, 1)), **consumed)
    case("Selu", 1, [x], f32(1.0507 * np.where(x <= 0, 1.6732 * np.expm1(x), x)), **consumed)
    case("Clip", 1, [x], f32(np.maximum(x, 0.1)), "min_alone", min=0.1, **consumed)
    case("Clip", 1, [x], f32(np.minimum(x, 0.1)), "max_alone", max=0.1)
    case("Clip", 6, [x], x, "no_bounds")
    case("Clip", 6, [x], f32(np.clip(x, -0.5, 0.5)), min=-0.5, max=0.5)
    for to, dtype in (("FLOAT", F32), ("DOUBLE", np.float64), ("INT32", np.int32), ("INT64", I64), ("BOOL", bool), ("FLOAT16", np.float16)):
        case("Cast", 1, [x], x.astype(dtype), to, to=to)
    case("Cast", 6, [x], x.astype(I64), to=TensorProto.INT64)
    case("Identity", 1, [x], x)
    case("Dropout", 1, [x], x, "is_test", is_test=1, ratio=0.3, **consumed)
    case("Dropout", 1, [x], [x, np.ones_like(x)], "mask", is_test=1, outputs=("y", "mask"))
    case("Dropout", 6, [x], x, "left_in_training", ratio=0.3)
    case("Dropout", 7, [x], [x, np.ones_like(x)], "mask", outputs=("y", "mask"), ratio=0.3, differs=True)
    case("Dropout", 10, [x], [x, np.ones(x.shape, bool)], "mask", outputs=("y", "mask"), ratio=0.3, differs=True)


def binary():
    x = np.abs(rand(2, 3, 4, 5)) + F32(0.5)
    arithmetic = (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide), ("Pow", np.power))
    places = (("channels", (3,), {"axis": 1}), ("middle", (3, 4), {"axis": 1}), ("end", (4, 5), {}), ("batch", (2,), {"axis": 0}),
              ("number", (1,), {}), ("ones", (3, 1, 1), {"axis": 1}))
    for op, function in arithmetic:
        for note, shape, given in places:
            y = np.abs(rand(*shape)) + F32(0.5)
            axis = given.get("axis", x.ndim - len(shape))
            moved = y.reshape(shape + (1,) * (x.ndim - axis - len(shape)))
            for opset in (1, 6):
                case(op, opset, [x, y], f32(function(x, moved)), f"broadcast_{note}", broadcast=1, **given)
        case(op, 6, [x, x[::-1].copy()], f32(function(x, x[::-1])), "no_broadcast")
        case(op, 7, [x, x[0, 0]], f32(function(x, x[0, 0])), ir=8)
    a, b = rand(2, 3) > 0, rand(3) > 0
    for op, function in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
        case(op, 1, [a, b], function(a, b), "broadcast", broadcast=1)
        case(op, 1, [a, b[:2].copy()], function(a, b[:2, None]), "axis", broadcast=1, axis=0)
    c, d = rand(2, 3), rand(2)
    for op, function in (("Greater", np.greater), ("Less", np.less)):
        case(op, 1, [c, d], function(c, d[:, None]), "axis", broadcast=1, axis=0)
    e = np.array([[1, 2, 3], [3, 2, 1]], np.int32)
    case("Equal", 1, [e, e[0, :2].copy()], np.equal(e, e[0, :2, None]), "axis", broadcast=1, axis=0)
    for op, function in (("Max", np.maximum), ("Min", np.minimum), ("Sum", np.add)):
        for opset in (1, 6):
            case(op, opset, [c, c[::-1].copy()], function(c, c[::-1]), "two")
        case(op, 8, [c, d[:, None].copy()], function(c, d[:, None]), "broadcast")
    case("Mean", 1, [c, c[::-1].copy(), c], f32((2 * c + c[::-1]) / 3), "three")
    case("Sum", 1, [c], c, "one")
    slope = rand(3)
    for opset in (1, 6):
        case("PRelu", opset, [x - 1, slope], f32(np.where(x < 1, (x - 1) * slope[:, None, None], x - 1)), "channels")
        case("PRelu", opset, [x - 1, slope[:1]], f32(np.where(x < 1, (x - 1) * slope[0], x - 1)), "number")
    case("PRelu", 7, [x - 1, slope.reshape(3, 1, 1)], f32(np.where(x < 1, (x - 1) * slope[:, None, None], x - 1)), "broadcast")


# --- normalisation, products ---

def normalisations():
    x, n = rand(2, 3, 4, 5), 3
    scale, b, mean, var = rand(n), rand(n), rand(n), np.abs(rand(n)) + F32(0.5)

    def normalised(scale, b, mean, var):
        return f32((x - mean) / np.sqrt(var + 1e-3) * scale + b)

    channels = [v.reshape(n, 1, 1) for v in (scale, b, mean, var)]
    points = [rand(3, 4, 5), rand(3, 4, 5), rand(3, 4, 5), np.abs(rand(3, 4, 5)) + F32(0.5)]
    for opset, given in ((1, {"is_test": 1, "consumed_inputs": [0, 0, 0, 1, 1]}), (6, {"is_test": 1}), (7, {}), (9, {})):
        case("BatchNormalization", opset, [x, scale, b, mean, var], normalised(*channels), "channels", epsilon=1e-3, **given)
        if opset < 9:
            case("BatchNormalization", opset, [x, *points], normalised(*points), "points", epsilon=1e-3, spatial=0, **given)
            case("BatchNormalization", opset, [x, scale, b, mean, var], normalised(*channels), "spatial", epsilon=1e-3, spatial=1, **given)
    case("BatchNormalization", 6, [x, scale, b, mean, var], normalised(*channels), "left_in_training", epsilon=1e-3)
    mean, var = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
    case("InstanceNormalization", 1, [x, scale, b], f32((x - mean) / np.sqrt(var + 1e-5) * channels[0] + channels[1]), consumed_inputs=[0, 0, 0])
    squares = np.stack([sum(x[:, j] ** 2 for j in range(max(0, c - 1), min(n, c + 2))) for c in range(n)], 1)
    case("LRN", 1, [x], f32(x / (2 + 0.3 / 3 * squares) ** 0.6), size=3, alpha=0.3, beta=0.6, bias=2.0)
    case("LpNormalization", 1, [x], f32(x / np.sqrt((x ** 2).sum(1, keepdims=True))), axis=1, p=2)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def products():
    x = rand(2, 3, 4)
    for op, function in (("Softmax", softmax), ("LogSoftmax", lambda v: np.log(softmax(v))),
                         ("Hardmax", lambda v: np.eye(v.shape[-1])[v.argmax(-1)])):
        for opset in (1, 11):
            for axis in (None, 0, 1, 2) + ((-1,) if opset == 11 else ()):
                at = 1 if axis is None else axis % 3
                flat = x.reshape(int(np.prod(x.shape[:at])), -1)
                case(op, opset, [x], f32(function(flat)).reshape(x.shape), f"axis_{axis}", **({} if axis is None else {"axis": axis}))
    a, b, c = rand(4, 3), rand(5, 3), rand(5)
    y = 0.5 * (a @ b.T)
    for opset in (1, 6):
        case("Gemm", opset, [a, b, c], f32(y + 2 * c), "row", alpha=0.5, beta=2.0, transB=1, broadcast=1)
        case("Gemm", opset, [a, b, c[:1]], f32(y + 2 * c[0]), "number", alpha=0.5, beta=2.0, transB=1, broadcast=1)
        case("Gemm", opset, [a.T.copy(), b, y.astype(F32)], f32(3 * y), "whole", alpha=0.5, beta=2.0, transA=1, transB=1)
    column = rand(4, 1)
    case("Gemm", 7, [a, b, column], f32(y + column), "column", alpha=0.5, transB=1)
    case("Gemm", 11, [a, b], f32(y), "two_inputs", alpha=0.5, transB=1)


# --- windows ---

def windows(x, kernel, strides, pads, fill):
    """All windows of an image as the last dimension."""
    padded = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    views = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, ::strides[0], ::strides[1]]
    return views.reshape(views.shape[:4] + (-1,))


def pooling():
    x = rand(1, 2, 5, 6)
    pads = [1, 0, 1, 1]
    shape = {"kernel_shape": [3, 2], "strides": [2, 1], "pads": pads}
    largest = windows(x, (3, 2), (2, 1), pads, -np.inf)
    taken = windows(x, (3, 2), (2, 1), pads, 0).sum(-1)
    count = windows(np.ones_like(x), (3, 2), (2, 1), pads, 0).sum(-1)
    case("MaxPool", 1, [x], largest.max(-1), **shape)
    case("AveragePool", 1, [x], f32(taken / count), "without_pads", **shape)
    case("AveragePool", 7, [x], f32(taken / 6), "with_pads", count_include_pad=1, **shape)
    flat = windows(np.arange(60, dtype=F32).reshape(x.shape), (3, 2), (2, 1), pads, -1)
    rows = np.take_along_axis(flat, largest.argmax(-1)[..., None], -1)[..., 0].astype(I64)
    case("MaxPool", 8, [x], [largest.max(-1), rows], "indices", outputs=("y", "indices"), **shape)
    image, point = rows // 30, rows % 30
    columns = image * 30 + point % 6 * 5 + point // 6
    case("MaxPool", 8, [x], [largest.max(-1), columns], "indices_by_column", outputs=("y", "indices"), storage_order=1, **shape)
    same = windows(x, (3, 2), (2, 1), [1, 0, 1, 1], -np.inf)
    case("MaxPool", 1, [x], same.max(-1), "same_upper", kernel_shape=[3, 2], strides=[2, 1], auto_pad="SAME_UPPER")
    same = windows(x, (3, 2), (2, 1), [1, 1, 1, 0], -np.inf)
    case("MaxPool", 1, [x], same.max(-1), "same_lower", kernel_shape=[3, 2], strides=[2, 1], auto_pad="SAME_LOWER")
    cubes = windows(np.abs(x) ** 3, (3, 2), (2, 1), pads, 0).sum(-1)
    case("LpPool", 1, [x], f32(np.cbrt(cubes)), p=3.0, **shape)
    case("LpPool", 2, [x], f32(np.cbrt(cubes)), p=3, **shape)
    case("GlobalLpPool", 1, [x], f32(np.cbrt((np.abs(x) ** 3).sum((2, 3), keepdims=True))), p=3.0)
    case("GlobalLpPool", 2, [x], f32(np.cbrt((np.abs(x) ** 3).sum((2, 3), keepdims=True))), p=3)
    case("GlobalAveragePool", 1, [x], f32(x.mean((2, 3), keepdims=True)))
    case("GlobalMaxPool", 1, [x], x.max((2, 3), keepdims=True))


# --- shapes and movement ---

def movements():
    x = rand(2, 3, 4)
    case("Concat", 1, [x, x], np.concatenate([x, x], 1), "axis_by_default")
    case("Concat", 1, [x, x], np.concatenate([x, x], 2), axis=2)
    case("Concat", 4, [x, x], np.concatenate([x, x], 0), axis=0)
    for axis in (0, 1, 3):
        case("Flatten", 1, [x], x.reshape(int(np.prod(x.shape[:axis])), -1), f"axis_{axis}", axis=axis)
    case("Flatten", 1, [x], x.reshape(2, 12), "axis_by_default")
    case("Flatten", 11, [x], x.reshape(6, 4), "axis_from_the_end", axis=-1)
    case("Reshape", 1, [x], x.reshape(2, 12), "attribute", shape=[0, -1], consumed_inputs=[0])
    case("Reshape", 5, [x, np.array([0, -1], I64)], x.reshape(2, 12), constants=(1,))
    paddings = [0, 1, 2, 0, 0, 1]
    around = ((0, 0), (1, 0), (2, 1))
    case("Pad", 1, [x], np.pad(x, around, constant_values=1.5), "paddings", paddings=paddings, value=1.5)
    for mode in ("constant", "reflect", "edge"):
        case("Pad", 2, [x], np.pad(x, around, mode=mode), mode, pads=paddings, mode=mode)
    case("Pad", 2, [x], x[:, 1:, :-1].copy(), "crop", pads=[0, -1, 0, 0, 0, -1])
    for begin, end in ((2, -1), (-1, 3), (-2, 4), (5, -2), (-3, 1), (7, 0)):
        cropped = x[:, :, max(0, -begin):x.shape[2] - max(0, -end)]
        pads = np.array([0, 1, begin, 0, 0, end], I64)
        wrapped = np.pad(cropped, ((0, 0), (1, 0), (max(0, begin), max(0, end))), mode="wrap")
        case("Pad", 19, [x, pads], wrapped, f"wrap_{begin}_{end}", ir=8, mode="wrap", constants=(1,))
    case("Slice", 1, [x], x[:, 1:3, :-1].copy(), "axes", axes=[1, 2], starts=[1, 0], ends=[100, -1])
    case("Slice", 1, [x], x[:1, 1:].copy(), "no_axes", starts=[0, 1], ends=[1, 3])
    case("Slice", 10, [x, *(np.array(v, I64) for v in ([3], [-100], [2], [-2]))], x[:, :, 3::-2].copy(), "steps", constants=(1, 2, 3, 4))
    case("Split", 1, [x, np.array([1, 2], I64)], [x[:, :1].copy(), x[:, 1:].copy()], "input", outputs=("a", "b"), axis=1, constants=(1,))
    case("Split", 1, [x], [x[:, :, :1].copy(), x[:, :, 1:].copy()], "attribute", outputs=("a", "b"), axis=2, split=[1, 3])
    case("Split", 2, [x], [x[:1].copy(), x[1:].copy()], "axis_by_default", outputs=("a", "b"))
    one = rand(1, 3, 1)
    case("Squeeze", 1, [one], one[0, :, 0].copy(), "all")
    case("Squeeze", 1, [one], one[0].copy(), axes=[0])
    case("Squeeze", 11, [one], one[:, :, 0].copy(), "from_the_end", axes=[-1])
    case("Unsqueeze", 1, [x], x[None, ..., None].copy(), axes=[0, 4])
    case("Unsqueeze", 11, [x], x[..., None].copy(), "from_the_end", axes=[-1])
    case("Tile", 1, [x, np.array([3], F32), np.array([1], F32)], np.tile(x, (1, 3, 1)), constants=(1, 2))
    case("Tile", 6, [x, np.array([1, 2, 3], I64)], np.tile(x, (1, 2, 3)), constants=(1,))
    case("Transpose", 1, [x], x.transpose(2, 1, 0).copy(), "reversed")
    case("Gather", 1, [x, np.array([[1, 0]], np.int32)], x[:, [[1, 0]]], axis=1)
    case("Shape", 1, [x], np.array(x.shape, I64))
    case("Size", 1, [x], np.array(x.size, I64))
    deep = rand(1, 8, 2, 3)
    spread = deep.reshape(1, 2, 2, 2, 2, 3).transpose(0, 3, 4, 1, 5, 2).reshape(1, 2, 4, 6)
    case("DepthToSpace", 1, [deep], spread, blocksize=2)
    case("DepthToSpace", 11, [deep], deep.reshape(1, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 4, 6), "crd", blocksize=2, mode="CRD")
    case("SpaceToDepth", 1, [spread], deep, blocksize=2)


def reductions():
    x = rand(2, 3, 4)
    numpy = {"ReduceSum": np.sum, "ReduceMean": np.mean, "ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod,
             "ReduceL1": lambda v, **k: np.abs(v).sum(**k), "ReduceL2": lambda v, **k: np.sqrt((v * v).sum(**k)),
             "ReduceSumSquare": lambda v, **k: (v * v).sum(**k), "ReduceLogSumExp": lambda v, **k: np.log(np.exp(v).sum(**k))}
    for op, function in numpy.items():
        case(op, 1, [x], f32(function(x, axis=(0, 1, 2), keepdims=True)), "all")
        case(op, 1, [x], f32(function(x, axis=(0, 2))), "axes", axes=[0, 2], keepdims=0)
        case(op, 11, [x], f32(function(x, axis=2, keepdims=True)), "from_the_end", axes=[-1])
    case("ReduceLogSum", 1, [np.abs(x)], f32(np.log(np.abs(x).sum(1, keepdims=True))), axes=[1])
    for op, function in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
        case(op, 1, [x], function(x, axis=0)[None].astype(I64), "axis_by_default")
        case(op, 11, [x], function(x, axis=2).astype(I64), "from_the_end", axis=-1, keepdims=0)
    order = np.argsort(-x, axis=1, kind="stable")[:, :2]
    best = [np.take_along_axis(x, order, 1), order.astype(I64)]
    case("TopK", 1, [x], best, outputs=("y", "indices"), k=2, axis=1)
    case("TopK", 10, [x, np.array([2], I64)], best, outputs=("y", "indices"), axis=1, constants=(1,))
    order = np.argsort(x, axis=2, kind="stable")[:, :, :2]
    case("TopK", 11, [x, np.array([2], I64)], [np.take_along_axis(x, order, 2), order.astype(I64)], "smallest", outputs=("y", "indices"),
         axis=-1, largest=0, constants=(1,))


def linear_row(row, scale):
    at = np.arange(int(len(row) * scale)) / scale
    low = np.minimum(at.astype(int), len(row) - 1)
    high = np.minimum(low + 1, len(row) - 1)
    return row[low] + (row[high] - row[low]) * (at - low)


def linear(x, scales):
    for axis, scale in zip((2, 3), scales):
        x = np.apply_along_axis(linear_row, axis, x, scale)
    return f32(x)


def resizing():
    x = rand(1, 2, 3, 4)
    repeated = x.repeat(2, 2).repeat(3, 3)
    scales = f32([1, 1, 2, 3])
    case("Upsample", 1, [x], repeated, "nearest", height_scale=2.0, width_scale=3.0)
    case("Upsample", 1, [x], linear(x, (2, 3)), "bilinear", height_scale=2.0, width_scale=3.0, mode="bilinear")
    for mode, y in (("nearest", repeated), ("linear", linear(x, (2, 3)))):
        case("Upsample", 7, [x], y, mode, scales=[1.0, 1.0, 2.0, 3.0], mode=mode)
        case("Upsample", 9, [x, scales], y, mode, mode=mode, constants=(1,))
        case("Resize", 10, [x, scales], y, mode, mode=mode, constants=(1,))
    # PyTorch, which exported so, rounds the place down; onnxruntime rounds it up where the image becomes smaller.
    smaller = x[:, :, [0, 1]][:, :, :, [0, 1, 2]]
    case("Resize", 10, [x, f32([1, 1, 0.75, 0.75])], smaller, "smaller", mode="nearest", constants=(1,), differs=True)
    # Scales that were rounded up to float32 meet elements as exact ones would: 1/3 takes every third one.
    wide = rand(1, 1, 9, 6)
    for op, opset, given in (("Resize", 10, {}), ("Upsample", 9, {}),
                             ("Resize", 13, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"})):
        arrays = [wide, f32([1, 1, 4 / 3 if op == "Upsample" else 1 / 3, 8 / 6])]
        rows = np.arange(12) * 3 // 4 if op == "Upsample" else [0, 3, 6]
        y = wide[:, :, rows][:, :, :, np.arange(8) * 6 // 8].copy()
        if opset == 13:
            arrays.insert(1, None)
        case(op, opset, arrays, y, "rounded_scales", mode="nearest", constants=(len(arrays) - 1,), ir=8, differs=opset == 10, **given)
    # One element is the first one, also where the scale makes a little more than 1 of 3.
    case("Resize", 13, [wide, None, f32([1, 1, 1, 1 / 6])], wide[:, :, :, :1].copy(), "to_one_element", mode="linear",
         coordinate_transformation_mode="pytorch_half_pixel", constants=(2,), ir=8)


if __name__ == "__main__":
    for group in (unary, binary, normalisations, products, pooling, movements, reductions, resizing):
        group()
    print(f"{sum(1 for p in HERE.iterdir() if p.is_dir())} cases, {len(COMPARED)} of them compared with onnxruntime")
