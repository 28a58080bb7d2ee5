#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes models/operators.onnx, which `strider selftest` has built in: one node or a short chain for each operator that a device
may have a kernel for, side by side, each an output.  Operators that a device lacks run on the CPU there."""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

X = [2, 6, 13, 11]
random = numpy.random.RandomState(0)
nodes, constants, outputs = [], [], []


def constant(values, dtype=numpy.float32):
    name = f"c{len(constants)}"
    constants.append(numpy_helper.from_array(numpy.array(values, dtype), name))
    return name


def weights(*shape):
    return constant(random.uniform(-0.5, 0.5, shape))


def integers(*values):
    return constant(values, numpy.int64)


def add(op, *inputs, n_outputs=1, label="", **attributes):
    name = f"{op}{label and '_' + label}_{len(nodes)}"
    results = [f"{name}:{i}" for i in range(n_outputs)]
    nodes.append(helper.make_node(op, list(inputs), results, name=name, **attributes))
    outputs.extend(results)
    return results[0]


def chain(value):
    """Not an output itself, so that it may be fused."""
    outputs.remove(value)
    return value


def convolutions():
    for label, group, kernel, attributes in [
            ("plain", 1, 3, {}), ("padded", 1, 3, {"pads": [1, 1, 1, 1]}), ("strided", 1, 3, {"pads": [0, 1, 1, 0], "strides": [2, 2]}),
            ("dilated", 1, 3, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}), ("grouped", 2, 3, {"pads": [1, 1, 1, 1]}),
            ("depthwise", 6, 3, {"pads": [1, 1, 1, 1]}), ("pointwise", 1, 1, {}), ("large", 1, 7, {"pads": [3, 3, 3, 3]})]:
        w = weights(12, 6 // group, kernel, kernel)
        add("Conv", "x", w, label=label, group=group, **attributes)
        add("Relu", chain(add("Conv", "x", w, weights(12), label=label, group=group, **attributes)))
    first = add("Conv", "x", weights(6, 6, 3, 3), weights(6), label="residual", pads=[1, 1, 1, 1])
    add("Relu", chain(add("Add", chain(first), "y")))
    for op in ("Sigmoid", "HardSwish", "Tanh", "LeakyRelu"):
        add(op, chain(add("Conv", "x", weights(6, 6, 3, 3), weights(6), pads=[1, 1, 1, 1])))
    add("ConvTranspose", "x", weights(6, 4, 2, 2), weights(4), label="upsampling", strides=[2, 2])
    add("ConvTranspose", "x", weights(6, 2, 3, 3), label="grouped", group=2, pads=[1, 1, 1, 1], output_padding=[1, 1], strides=[2, 2])
    add("Conv", "line", weights(4, 6, 3), weights(4), label="1d", pads=[1, 1])
    add("Conv", "volume", weights(4, 2, 3, 3, 3), weights(4), label="3d", pads=[1, 1, 1, 1, 1, 1])


def poolings():
    for op in ("MaxPool", "AveragePool"):
        add(op, "x", kernel_shape=[2, 2], strides=[2, 2])
        add(op, "x", label="ceil", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
        add(op, "x", label="dilated", kernel_shape=[3, 2], dilations=[2, 1])
    add("AveragePool", "x", label="pads", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    pooled = add("MaxPool", "x", label="unpooled", n_outputs=2, kernel_shape=[1, 11], strides=[1, 11])
    add("MaxUnpool", pooled, pooled.replace(":0", ":1"), kernel_shape=[1, 11], strides=[1, 11])
    add("LpPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    add("GlobalLpPool", "x", p=3)
    add("MaxPool", "x", label="indices", n_outputs=2, kernel_shape=[2, 2], strides=[2, 2])
    add("GlobalAveragePool", "x")
    add("GlobalMaxPool", "x")


def elementwise():
    positive = add("Abs", "x")
    for op in ("Relu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Selu", "LeakyRelu", "Softplus", "Softsign", "Mish", "Gelu",
               "Exp", "Neg", "Floor", "Ceil", "Round", "Erf", "Sign", "Sin", "Cos"):
        add(op, "x")
    add("Log", add("Add", positive, constant(0.5)))
    add("Sqrt", positive)
    add("Clip", "x", constant(-0.25), constant(0.5))
    add("PRelu", "x", weights(6, 1, 1))
    for op in ("Add", "Sub", "Mul", "Max", "Min"):
        add(op, "x", "y")
        add(op, "x", weights(6, 1, 1), label="broadcast")
        add(op, weights(13, 1), "x", label="both")
    add("Div", "x", add("Add", positive, constant(0.5)))
    add("Pow", positive, constant(1.5))
    add("Where", add("Greater", "x", "y"), "x", "y")
    outputs[:] = [o for o in outputs if not o.startswith("Greater")]


def products():
    add("Gemm", "rows", weights(10, 7), weights(7))
    add("Gemm", "rows", weights(7, 10), label="transposed", transB=1, alpha=0.5)
    add("MatMul", "x", weights(11, 5))
    add("MatMul", "x", weights(2, 6, 11, 5), label="batched")
    add("Relu", chain(add("Gemm", "rows", weights(10, 7), weights(7))))


def moves():
    add("Concat", "x", "y", axis=1)
    add("Concat", "x", "y", label="width", axis=3)
    joined = chain(add("Concat", "x", "y", label="shuffled", axis=1))
    apart = chain(add("Transpose", chain(add("Reshape", joined, integers(0, 3, 4, 13, 11))), perm=[0, 2, 1, 3, 4]))
    shuffled = chain(add("Reshape", apart, integers(0, 12, 13, 11)))
    add("Relu", shuffled)
    add("Split", "x", n_outputs=3, axis=1, num_outputs=3)
    add("Slice", "x", integers(1, 9), integers(12, -20), integers(2, 3), integers(2, -2))
    add("Transpose", "x", perm=[0, 2, 3, 1])
    add("Transpose", "x", label="matrix", perm=[0, 1, 3, 2])
    for mode in ("constant", "reflect", "edge", "wrap"):
        add("Pad", "x", integers(0, 0, 1, 2, 0, 0, 3, 1), label=mode, mode=mode)
    add("Gather", "x", integers(4, 0, -1), axis=1)
    add("Gather", "rows", add("ArgMax", "x", axis=1, keepdims=0, label="indices"), axis=1, label="argmax")
    add("GatherElements", "x", add("TopK", "x", integers(4), n_outputs=2, axis=3, label="indices").replace(":0", ":1"), axis=3)
    add("GatherND", "x", constant([[0, 5], [-1, 2]], numpy.int64))
    add("ScatterElements", "x", constant([[[[3, -1, 3]]]], numpy.int64), weights(1, 1, 1, 3), axis=3)
    add("ScatterND", "x", constant([[0, 5], [-1, 2], [0, 5]], numpy.int64), weights(3, 13, 11), reduction="add")
    add("Expand", "row", integers(3, 10))
    add("Tile", "rows", integers(2, 3))
    for label, attributes in [("nearest", {"mode": "nearest"}), ("linear", {"mode": "linear"}),
                              ("corners", {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
                              ("cubic", {"mode": "cubic"})]:
        add("Resize", "x", "", constant([1, 1, 2, 1.5]), label=label, **attributes)
    add("DepthToSpace", add("Concat", "x", "y", axis=1), blocksize=2)
    add("SpaceToDepth", add("Slice", "x", integers(0, 0), integers(12, 10), integers(2, 3)), blocksize=2)
    add("Reshape", "x", integers(2, 6, -1))
    add("Flatten", "x")


def normalizations():
    for axis in (1, 3):
        add("Softmax", "x", axis=axis)
        add("LogSoftmax", "x", axis=axis)
    add("BatchNormalization", "x", weights(6), weights(6), weights(6), constant([0.5, 1, 1.5, 2, 2.5, 3]))
    add("InstanceNormalization", "x", weights(6), weights(6))
    add("LayerNormalization", "x", weights(11), weights(11), axis=-1)
    add("GroupNormalization", "x", weights(6), weights(6), num_groups=3)
    add("LpNormalization", "x", axis=1)
    add("LRN", "x", size=3)
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"):
        add(op, "x", integers(2, 3))
        add(op, "x", integers(1), label="channels", keepdims=0)
    add("ArgMax", "x", axis=1)
    add("ArgMin", "x", axis=3, keepdims=0)
    add("TopK", "x", integers(3), n_outputs=2, axis=3)
    add("CumSum", "x", constant(2, numpy.int64))


def heads():
    add("Attention", "x", "y", "x")
    add("Attention", "x", "y", "y", weights(13, 13), label="masked", is_causal=1, softcap=2.0)
    add("Attention", "x", weights(2, 3, 40, 11), weights(2, 3, 40, 5), label="groups")
    add("RotaryEmbedding", "x", weights(2, 13, 5), weights(2, 13, 5), rotary_embedding_dim=10)
    for mode in ("nearest", "linear", "cubic"):
        add("GridSample", "x", constant(random.uniform(-1.2, 1.2, (2, 5, 7, 2))), label=mode, mode=mode, padding_mode="border")
    maps = add("Reshape", add("Slice", "rows", integers(0, 0), integers(2, 6), integers(0, 1), label="maps"), integers(2, 2, 3))
    add("GridSample", "y", add("AffineGrid", maps, integers(2, 6, 5, 7)))
    offsets = add("Conv", "y", weights(18, 6, 3, 3), label="offsets")
    add("DeformConv", "x", weights(4, 3, 3, 3), offsets, weights(4), group=2)
    add("Col2Im", add("Reshape", "x", integers(2, 66, 13)), integers(14, 3), integers(2, 3))
    add("RoiAlign", "x", constant([[1, 2, 9, 11], [0, 0, 5.5, 3], [-2, 4, 12, 20]]), integers(1, 0, 1), output_height=3, output_width=2)


def layers():
    steps = add("Reshape", "x", integers(13, 12, 11), label="steps")
    for op, gates, attributes in [("LSTM", 4, {}), ("GRU", 3, {}), ("GRU", 3, {"linear_before_reset": 1}), ("RNN", 1, {})]:
        add(op, steps, weights(2, 5 * gates, 11), weights(2, 5 * gates, 5), weights(2, 10 * gates), n_outputs=2, hidden_size=5,
            direction="bidirectional", **attributes)
    add("Hardmax", "x", axis=2)
    add("Trilu", "x", constant(-2, numpy.int64))
    add("CumProd", "x", constant(3, numpy.int64))
    columns = add("Cast", add("Clip", add("Mul", "row", constant(5)), constant(0), constant(9)), to=TensorProto.INT64)
    add("Gather", "rows", columns, label="of_a_run", axis=1)


for family in (convolutions, poolings, elementwise, products, moves, normalizations, heads, layers):
    family()
shapes = {"x": X, "y": X, "line": [2, 6, 19], "volume": [1, 2, 5, 6, 7], "rows": [3, 10], "row": [1, 10]}
graph = helper.make_graph(
    nodes, "operators", [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
    [helper.make_empty_tensor_value_info(o) for o in outputs], constants)
model = helper.make_model(graph, producer_name="make_operators.py", opset_imports=[helper.make_opsetid("", 26)], ir_version=10)
inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
known = {v.name: v for v in list(inferred.graph.value_info) + list(inferred.graph.output) if v.type.WhichOneof("value")}
del model.graph.output[:]
model.graph.output.extend(known.get(o) or helper.make_tensor_value_info(o, TensorProto.FLOAT, X) for o in outputs)
onnx.checker.check_model(model, full_check=True)
path = pathlib.Path(__file__).resolve().parent / "operators.onnx"
path.write_bytes(model.SerializeToString())
print(f"{len(nodes)} nodes, {len(outputs)} outputs, {path.stat().st_size} bytes")
