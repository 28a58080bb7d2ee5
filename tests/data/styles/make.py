#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases beside this file: one small network in the styles of several converters, with onnxruntime's outputs, which are the
same for all.

The network is a convolution with bias, batch normalisation, PRelu, pooling and a linear layer.
"""
import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import one_node  # noqa: E402

FOLDER = one_node.Folder(HERE, seed=2)
N, C, H, W, M, K = 2, 3, 8, 6, 4, 5
WEIGHTS = {"w": FOLDER.rand(M, C, 3, 3), "b": FOLDER.rand(M), "scale": FOLDER.rand(M), "shift": FOLDER.rand(M), "mean": FOLDER.rand(M),
           "var": np.abs(FOLDER.rand(M)) + np.float32(0.5), "slope": FOLDER.rand(M, 1, 1), "fc": FOLDER.rand(M * 4 * 3, K), "fcb": FOLDER.rand(K)}
IMAGE = FOLDER.rand(N, C, H, W)


def body(x="x"):
    return [helper.make_node("Conv", [x, "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], epsilon=1e-3),
            helper.make_node("PRelu", ["n", "slope"], ["a"]),
            helper.make_node("MaxPool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("Gemm", ["f", "fc", "fcb"], ["y"])]


def value(name, dims, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, dims)


def write(name, nodes, inputs, outputs, initializers=(), opset=9, ir=4, value_info=(), image=IMAGE, domains=()):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers), value_info=list(value_info))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir)
    plain = helper.make_model(helper.make_graph(body(), "graph", [value("x", IMAGE.shape)], [value("y", None)], tensors()),
                              opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    expected = one_node.run(plain, {"x": IMAGE})
    FOLDER.write(name, model, [("x", image)], [("y", expected[0])])


def tensors():
    return [numpy_helper.from_array(array, name) for name, array in WEIGHTS.items()]


def paddle():
    """All weights are Constant nodes, open dimensions are -1."""
    constants = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name)) for name, array in WEIGHTS.items()]
    write("paddle", constants + body(), [value("x", [-1, C, -1, -1])], [value("y", [-1, K])])


def keras():
    """Weights are lists of floats and inputs of the graph, dimensions have names; domains that nobody uses are imported."""
    lists = [helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.ravel().tolist()) for name, array in WEIGHTS.items()]
    inputs = [value("x", ["N", C, H, W])] + [value(name, array.shape) for name, array in WEIGHTS.items()]
    for ir in (3, 4, 7):
        write(f"keras_ir{ir}", body(), inputs, [value("y", ["N", K])], lists, ir=ir, domains=("ai.onnx.ml", "com.example.unused"))


def tensorflow():
    """Channels last outside, with a Transpose around every layer that wants them first, as tf2onnx leaves where it cannot move them;
    weights in TensorFlow's order, transposed by nodes."""
    weights = dict(WEIGHTS, w=WEIGHTS["w"].transpose(2, 3, 1, 0).copy())
    initializers = [numpy_helper.from_array(array, name + ("_hwio" if name == "w" else "")) for name, array in weights.items()]
    first, last = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
    conv, norm, act, pool, flatten, gemm = body("x1")
    for node, name in ((norm, "c3"), (act, "n3"), (pool, "a3"), (flatten, "p3")):
        node.input[0] = name
    nodes = [helper.make_node("Transpose", ["w_hwio"], ["w"], perm=[3, 2, 0, 1]), helper.make_node("Transpose", ["x"], ["x1"], **first), conv]
    for made, node in (("c", norm), ("n", act), ("a", pool), ("p", flatten)):
        nodes += [helper.make_node("Transpose", [made], [made + "2"], **last),
                  helper.make_node("Transpose", [made + "2"], [made + "3"], **first), node]
    write("tensorflow", nodes + [gemm], [value("x", [N, H, W, C])], [value("y", [N, K])], initializers, opset=12,
          image=IMAGE.transpose(0, 2, 3, 1).copy())


def stale():
    """Declared shapes that are wrong, of another batch, or missing."""
    infos = [value("c", [1, M, H, W]), value("n", None), value("p", [1, M, 4, 3]), value("nobody", [7])]
    write("stale_shapes", body(), [value("x", ["N", C, H, W])], [value("y", [1, K])], tensors(), value_info=infos)


if __name__ == "__main__":
    for style in (paddle, keras, tensorflow, stale):
        style()
