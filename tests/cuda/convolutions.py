#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""convolutions.py NAME=MODEL.onnx[@SIZE]... > convolutions.txt: the distinct convolutions of networks, for plans_test.
SIZE is the height and width of images where the model leaves them open.

A line is: network, operator, group, x, w, strides, dilations, pads, output_padding, and what follows it of bias,
residual and relu ("-": nothing).  What can be folded into weights (batch normalization) is taken as folded.
Needs the package onnx."""
import sys
import onnx
from onnx import numpy_helper, shape_inference


def shapes_of(model):
    values = list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}
    shapes.update({i.name: list(i.dims) for i in model.graph.initializer})
    for node in model.graph.node:
        if node.op_type == "Constant":
            shapes[node.output[0]] = list(numpy_helper.to_array(node.attribute[0].t).shape)
    return shapes


def epilogue(node, consumers):
    has_bias, found, value = len(node.input) > 2, [], node.output[0]
    while len(consumers.get(value, [])) == 1:
        after = consumers[value][0]
        if after.op_type == "BatchNormalization" and not found:
            has_bias = True
        elif after.op_type == "Add" and "residual" not in found:
            found.append("residual")
        elif after.op_type == "Relu":
            found.append("relu")
        else:
            break
        value = after.output[0]
        if found and found[-1] == "relu":
            break
    return ["bias"] * has_bias + found


def load(path, size):
    model = onnx.load(path, load_external_data=False)
    for value in model.graph.input:
        for index, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.dim_value:
                dim.dim_value = size if index > 1 else 1
    del model.graph.value_info[:]
    return shape_inference.infer_shapes(model, data_prop=True)


def convolutions(path, size):
    model = load(path, size)
    shapes, consumers = shapes_of(model), {}
    for node in model.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose"):
            continue
        x, w = shapes[node.input[0]], shapes[node.input[1]]
        spatial = len(x) - 2
        attributes = {a.name: list(a.ints) or a.i for a in node.attribute if a.type in (a.INT, a.INTS)}
        if any(a.name == "auto_pad" and a.s not in (b"", b"NOTSET") for a in node.attribute):
            sys.exit(f"{path}: {node.name}: auto_pad")
        fields = [x, w, attributes.get("strides", [1] * spatial), attributes.get("dilations", [1] * spatial),
                  attributes.get("pads", [0] * 2 * spatial), attributes.get("output_padding", [0] * spatial)]
        numbers = ["x".join(str(n) for n in field) for field in fields]
        yield " ".join([node.op_type, str(attributes.get("group", 1))] + numbers + (epilogue(node, consumers) or ["-"]))


print("# Written by convolutions.py.")
for argument in sys.argv[1:]:
    name, path = argument.split("=", 1)
    path, _, size = path.partition("@")
    for line in dict.fromkeys(convolutions(path, int(size or 0))):
        print(name, line)
