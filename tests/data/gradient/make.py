#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases beside this file: graphs with Gradient nodes of ai.onnx.preview.training, with the derivatives that
torch.autograd computes in float64; one for each operator, and random expressions.  And steps of the optimisers of that domain, by
NumPy.

The cases of the repository were written by onnx 1.23.2, torch 2.15 and NumPy 2.4.
"""
import pathlib
import sys

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from one_node import Folder  # noqa: E402

FOLDER = Folder(HERE)
random = FOLDER.random
TRAINING = "ai.onnx.preview.training"


def flatten(x, axis=1):
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def reduce(function):
    def apply(x, *axes, keepdims=1, given=None):
        axes = given or (tuple(int(a) for a in axes[0]) if axes else None)
        return function(x, axes or tuple(range(x.ndim)), bool(keepdims))
    return apply


def softmax(function):
    def apply(x, axis=-1, old=False):
        return function(flatten(x, axis), -1).reshape(x.shape) if old else function(x, axis)
    return apply


def gemm(a, b, c=None, alpha=1.0, beta=1.0, transA=0, transB=0):
    y = alpha * ((a.T if transA else a) @ (b.T if transB else b))
    return y if c is None else y + beta * c


def conv(x, w, b=None, strides=None, pads=None, dilations=None, group=1, kernel_shape=None):
    spatial = x.ndim - 2
    pads = pads or [0] * (2 * spatial)
    padded = torch.nn.functional.pad(x, [p for i in reversed(range(spatial)) for p in (pads[i], pads[spatial + i])])
    function = [torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.nn.functional.conv3d][spatial - 1]
    return function(padded, w, b, stride=strides or 1, dilation=dilations or 1, groups=group)


def ints(x):
    return [int(i) for i in x]


TORCH = {
    "Identity": lambda x: x, "Neg": torch.neg, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt, "Reciprocal": torch.reciprocal,
    "Abs": torch.abs, "Sin": torch.sin, "Cos": torch.cos, "Tanh": torch.tanh, "Sigmoid": torch.sigmoid, "Relu": torch.relu,
    "LeakyRelu": lambda x, alpha=0.01: torch.nn.functional.leaky_relu(x, alpha), "Softplus": torch.nn.functional.softplus, "Erf": torch.erf,
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Pow": torch.pow, "Sum": lambda *xs: sum(xs), "Where": torch.where,
    "Floor": torch.floor, "Greater": torch.gt, "Cast": lambda x, to: x.to({TensorProto.FLOAT: torch.float64, TensorProto.INT64: torch.int64, TensorProto.BOOL: torch.bool}[to]),
    "MatMul": torch.matmul, "Gemm": gemm, "Conv": conv, "GlobalAveragePool": lambda x: x.mean(tuple(range(2, x.ndim)), True),
    "ReduceSum": reduce(torch.sum), "ReduceMean": reduce(torch.mean), "Softmax": softmax(torch.softmax), "LogSoftmax": softmax(torch.log_softmax),
    "Reshape": lambda x, shape: x.reshape(ints(shape)), "Flatten": flatten, "Transpose": lambda x, perm=None: x.permute(perm or list(range(x.ndim))[::-1]),
    "Squeeze": lambda x, axes: x.squeeze(tuple(ints(axes))), "Unsqueeze": lambda x, axes: x[(None,) * len(axes)] if ints(axes) == list(range(len(axes))) else x.unsqueeze(int(axes[0])),
    "Expand": lambda x, shape: x.broadcast_to(torch.broadcast_shapes(x.shape, tuple(ints(shape)))), "Concat": lambda *xs, axis: torch.cat(xs, axis),
}


class Graph:
    """Nodes of ONNX, and what torch computes of them in float64, as differentiable tensors."""

    def __init__(self):
        self.nodes, self.inputs, self.constants, self.values = [], {}, [], {}

    def add_input(self, array, name=None):
        name = name or f"x{len(self.inputs)}"
        self.inputs[name] = np.asarray(array)
        self.values[name] = torch.tensor(np.asarray(array, np.float64) if self.inputs[name].dtype.kind == "f" else array, requires_grad=self.inputs[name].dtype.kind == "f")
        return name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        self.values[name] = torch.tensor(array.astype(np.float64) if array.dtype.kind == "f" else array)
        return name

    def rand(self, *shape, low=-2.0, high=2.0):
        return self.add_input(random.uniform(low, high, shape).astype(np.float32))

    def op(self, kind, *inputs, hidden=None, **attributes):
        """`hidden`: what torch has to be told besides the attributes."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.values[name] = TORCH[kind](*[self.values[i] for i in inputs], **attributes if hidden is None else hidden)
        return name

    def weighted(self, y):
        """So that no two elements of y weigh the same."""
        shape = tuple(self.values[y].shape)
        return self.op("Mul", y, self.constant(random.uniform(0.5, 1.5, shape).astype(np.float32)))

    def gradient(self, xs, y, zs=(), given=None):
        """Adds the node; its outputs' names.  `given`: inputs instead of xs and zs."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(len(xs))]
        self.nodes.append(helper.make_node("Gradient", given or [*xs, *zs], names, domain=TRAINING, xs=xs, y=y, **({"zs": zs} if zs else {})))
        if given is None:
            grads = torch.autograd.grad(self.values[y].sum(), [self.values[x] for x in xs], create_graph=True, allow_unused=True)
            for name, x, grad in zip(names, xs, grads):
                self.values[name] = torch.zeros_like(self.values[x]) if grad is None else grad
        return names

    def write(self, name, outputs, opset=18, open_shapes=False):
        def info(name, array):
            shape = [f"{name}_{i}" for i in range(array.ndim)] if open_shapes else array.shape
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "graph", [info(n, a) for n, a in self.inputs.items()], infos, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(TRAINING, 1)], ir_version=8)
        results = [self.values[o].detach().numpy().astype(np.float32) for o in outputs]
        FOLDER.write(name, model, list(self.inputs.items()), list(zip(outputs, results)))

    def finish(self, name, y, xs=None, **others):
        y = self.weighted(y)
        self.write(name, self.gradient(xs or [n for n, a in self.inputs.items() if a.dtype.kind == "f"], y), **others)


def one(name, kind, *shapes, low=-2.0, high=2.0, extra=(), opset=18, hidden=None, **attributes):
    """An operator whose inputs are of those shapes, then constants; with shapes that are known, and that are not."""
    for suffix, is_open in (("", False), ("_open", True)):
        graph = Graph()
        inputs = [graph.rand(*shape, low=low, high=high) for shape in shapes]
        y = graph.op(kind, *inputs, *[graph.constant(np.asarray(a)) for a in extra], hidden=hidden, **attributes)
        graph.finish(name + suffix, y, opset=opset, open_shapes=is_open)


def operators():
    for kind in ("Identity", "Neg", "Exp", "Abs", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "LeakyRelu", "Softplus", "Erf", "Floor"):
        one(kind.lower(), kind, (2, 3))
    one("leaky_relu_alpha", "LeakyRelu", (2, 3), alpha=0.3)
    for kind in ("Log", "Sqrt", "Reciprocal"):
        one(kind.lower(), kind, (2, 3), low=0.5)
    for kind in ("Add", "Sub", "Mul", "Div", "Pow"):
        one(kind.lower(), kind, (2, 3), (2, 3), low=0.5)
        one(kind.lower() + "_broadcast", kind, (2, 1, 3), (4, 1), low=0.5)
        one(kind.lower() + "_number", kind, (), (3, 2), low=0.5)
    one("add_opset_6", "Add", (2, 3), (2, 3), opset=6)
    one("pow_2", "Pow", (2, 3), extra=[np.float32(2)])
    one("pow_0", "Pow", (3,), extra=[np.array([0, 1, 3], np.float32)])
    one("pow_integer", "Pow", (3,), extra=[np.array(3, np.int64)])
    one("sum", "Sum", (2, 3), (3,), (2, 1))
    one("matmul", "MatMul", (3, 4), (4, 2))
    one("matmul_batches", "MatMul", (2, 1, 3, 4), (5, 4, 2))
    one("matmul_vectors", "MatMul", (4,), (4,))
    one("matmul_empty", "MatMul", (2, 0, 3), (3, 4))
    one("matmul_empty_vector", "MatMul", (0,), (2, 0, 3))
    one("add_empty", "Add", (2, 0, 3), (1, 3))
    one("matmul_row", "MatMul", (4,), (2, 4, 3))
    one("matmul_column", "MatMul", (2, 3, 4), (4,))
    for a in (0, 1):
        for b in (0, 1):
            one(f"gemm_{a}{b}", "Gemm", (4, 3) if a else (3, 4), (2, 4) if b else (4, 2), (2,), transA=a, transB=b, alpha=0.5, beta=2.0)
    one("gemm_no_c", "Gemm", (3, 4), (4, 2))
    for kind in ("ReduceSum", "ReduceMean"):
        for keep in (0, 1):
            one(f"{kind.lower()}_{keep}", kind, (2, 3, 4), extra=[np.array([-1, 0])], keepdims=keep)
            one(f"{kind.lower()}_all_{keep}", kind, (2, 3), keepdims=keep)
    one("reducemean_attribute", "ReduceMean", (2, 3, 4), opset=13, axes=[1], keepdims=0, hidden={"given": (1,), "keepdims": 0})
    one("globalaveragepool", "GlobalAveragePool", (2, 3, 4, 5))
    for kind in ("Softmax", "LogSoftmax"):
        one(kind.lower(), kind, (2, 3, 4), axis=1)
        one(kind.lower() + "_last", kind, (2, 3))
        one(kind.lower() + "_opset_11", kind, (2, 3, 4), opset=11, axis=1, hidden={"axis": 1, "old": True})
    one("reshape", "Reshape", (2, 6), extra=[np.array([3, -1])])
    one("flatten", "Flatten", (2, 3, 4), axis=2)
    one("squeeze", "Squeeze", (2, 1, 3), extra=[np.array([1])])
    one("unsqueeze", "Unsqueeze", (2, 3), extra=[np.array([1])])
    one("expand", "Expand", (3, 1), extra=[np.array([2, 1, 4])])
    one("transpose", "Transpose", (2, 3, 4), perm=[2, 0, 1])
    one("transpose_reversed", "Transpose", (2, 3, 4))
    one("concat", "Concat", (2, 3), (2, 1), (2, 2), axis=-1)


def convolutions():
    one("conv", "Conv", (2, 3, 5, 6), (4, 3, 3, 2), (4,), pads=[1, 0, 2, 1])
    one("conv_strides", "Conv", (2, 4, 8, 7), (4, 2, 3, 3), (4,), strides=[2, 3], pads=[1, 1, 1, 1], group=2, kernel_shape=[3, 3])
    one("conv_dilations", "Conv", (1, 2, 9), (3, 2, 2), dilations=[3], strides=[2], kernel_shape=[2])
    one("conv_depthwise", "Conv", (2, 3, 4, 4), (6, 1, 2, 2), group=3, kernel_shape=[2, 2])
    one("conv_3d", "Conv", (1, 2, 3, 4, 3), (2, 2, 2, 2, 2), kernel_shape=[2, 2, 2])
    graph = Graph()
    x, w, b = graph.rand(2, 1, 6, 6), graph.rand(3, 1, 3, 3), graph.rand(3)
    h = graph.op("Relu", graph.op("Conv", x, w, b, pads=[1, 1, 1, 1]))
    h = graph.op("Flatten", graph.op("GlobalAveragePool", h))
    graph.finish("network", graph.op("LogSoftmax", graph.op("Gemm", h, graph.rand(4, 3), graph.rand(4), transB=1)))


def conditions():
    for suffix, is_open in (("", False), ("_open", True)):
        graph = Graph()
        a, b = graph.rand(2, 3), graph.rand(3)
        condition = graph.add_input(random.random((2, 3)) < 0.5)
        graph.finish("where" + suffix, graph.op("Where", condition, a, b), open_shapes=is_open)
    for name, to in (("integer", TensorProto.INT64), ("bool", TensorProto.BOOL)):
        graph = Graph()
        x = graph.rand(2, 3)
        jumps = graph.op("Cast", graph.op("Cast", x, to=to), to=TensorProto.FLOAT)
        graph.finish(f"cast_{name}", graph.op("Mul", jumps, x))


def unary(graph, x):
    kind = random.choice(["Neg", "Exp", "Abs", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "LeakyRelu", "Softplus", "Erf"])
    return graph.op(kind, graph.op("Tanh", x) if kind == "Exp" else x)


def binary(graph, a, b):
    kind = random.choice(["Add", "Sub", "Mul", "Div", "MatMul"])
    if kind == "Div":
        b = graph.op("Exp", graph.op("Tanh", b))
    if kind == "MatMul":
        a = graph.op("Transpose", a)
    return graph.op(kind, a, b) if kind != "MatMul" else graph.op("ReduceMean", graph.op(kind, a, b), keepdims=1)


def expressions():
    """Of values that are used several times, of shapes that broadcast."""
    for at in range(12):
        graph = Graph()
        pool = [graph.rand(*shape) for shape in ((3, 4), (3, 1), (1, 4), (3, 4))]
        for _ in range(10):
            a = str(random.choice(pool))
            if random.random() < 0.4:
                pool.append(unary(graph, a))
            else:
                wide = [v for v in pool if tuple(graph.values[v].shape) in ((3, 4), (3, 1))]
                pool.append(binary(graph, a if a in wide else wide[0], str(random.choice(wide))))
        total = graph.op("Sum", *pool[-4:])
        graph.finish(f"expression_{at}", total, open_shapes=at % 2 == 1)


def second_order():
    for kind, others in (("Tanh", {}), ("Softmax", {"axis": 1}), ("LogSoftmax", {"axis": 1})):
        for is_open in (False, True):
            graph = Graph()
            x, w = graph.rand(2, 3), graph.rand(3, 4)
            y = graph.weighted(graph.op(kind, graph.op("MatMul", x, w), **others))
            first = graph.gradient([x, w], y)
            second = graph.gradient([x, w], graph.weighted(first[1]))
            graph.write(f"second_{kind.lower()}" + ("_open" if is_open else ""), first + second, open_shapes=is_open)
    graph = Graph()
    x = graph.rand(5)
    names, y = [], graph.op("Pow", x, graph.constant(np.float32(4)))
    for _ in range(3):
        y, = graph.gradient([x], y)
        names.append(y)
    graph.write("third_pow", names)


def other_values():
    """Of xs and zs, for which the nodes are computed anew; of intermediate values; of what y does not depend on."""
    graph = Graph()
    x, w, x1 = graph.rand(2, 3), graph.rand(3), graph.rand(2, 3)
    y = graph.op("Sin", graph.op("Mul", x, w))
    names = graph.gradient([x], y, [w], given=[x1, w])
    graph.values[names[0]] = torch.cos(graph.values[x1] * graph.values[w]) * graph.values[w]
    graph.write("at_other_values", [y, *names])
    graph = Graph()
    x, w, unused = graph.rand(2, 3), graph.rand(3), graph.rand(2)
    h = graph.op("Exp", graph.op("Mul", x, w))
    names = graph.gradient([h, w, unused], graph.op("Mul", h, w), given=None)
    graph.values[names[0]] = graph.values[w].expand(2, 3)
    graph.values[names[1]] = graph.values[h].sum(0)
    graph.write("by_intermediate", names)


def optimise(name, kind, step, n_kept, **attributes):
    """Two tensors; `step(rate, updates, tensor, gradient, *kept)`: what the specification's formulas say, in float64."""
    for updates in (0, 3):
        shapes = [(2, 3), (4,)]
        rate = np.array(0.1, np.float32)
        groups = [[np.abs(FOLDER.rand(*shape)) for shape in shapes] for _ in range(2 + n_kept)]
        results = [step(float(rate), updates, *[group[i].astype(np.float64) for group in groups]) for i in range(2)]
        expected = [results[i][k].astype(np.float32) for k in range(1 + n_kept) for i in range(2)]
        arrays = [rate, np.array(updates, np.int64), *[array for group in groups for array in group]]
        FOLDER.case(f"{name}_{updates}", kind, arrays, domain=TRAINING, expected=expected, dtypes=[np.float32] * len(expected),
                    outputs=[f"y{i}" for i in range(len(expected))], **attributes)


def optimisers():
    def adagrad(r, t, x, g, h):
        g = 0.2 * x + g
        h = h + g * g
        return x - r / (1 + t * 0.3) * g / (np.sqrt(h) + 0.01), h

    def adam(r, t, x, g, v, h):
        g = 0.2 * x + g
        v, h = 0.8 * v + 0.2 * g, 0.7 * h + 0.3 * g * g
        r = r * np.sqrt(1 - 0.7 ** t) / (1 - 0.8 ** t) if t else r
        return (x - r * v / (np.sqrt(h) + 0.01)) * 0.9, v, h

    def momentum(nesterov):
        def step(r, t, x, g, v):
            g = 0.2 * x + g
            v = 0.8 * v + (0.7 if t else 1) * g
            return x - r * (g + 0.8 * v if nesterov else v), v
        return step

    optimise("adagrad", "Adagrad", adagrad, 1, norm_coefficient=0.2, decay_factor=0.3, epsilon=0.01)
    optimise("adam", "Adam", adam, 2, norm_coefficient=0.2, norm_coefficient_post=0.1, alpha=0.8, beta=0.7, epsilon=0.01)
    for mode in ("standard", "nesterov"):
        optimise(f"momentum_{mode}", "Momentum", momentum(mode == "nesterov"), 1, norm_coefficient=0.2, alpha=0.8, beta=0.7, mode=mode)


if __name__ == "__main__":
    for group in (operators, convolutions, conditions, expressions, second_order, other_values, optimisers):
        group()
