#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether `strider info` calls an attribute unknown that ONNX has: for each operator at each opset that its history names, a node
with all attributes that have a value to give; and whether it does call one unknown that nobody has.

Whether such a node can run does not matter: most cannot, without inputs.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import onnx
    from onnx import helper
except ImportError:
    sys.exit(77)

KINDS = onnx.defs.OpSchema.AttrType
# What a parser of values asks for is seen only where these fit; what has no default gets the first of these that fits its type.
VALUES = {KINDS.INT: 1, KINDS.FLOAT: 1.0, KINDS.INTS: [1, 1], KINDS.FLOATS: [1.0, 1.0]}
GIVEN = {"Cast": {"to": 1}, "DepthToSpace": {"blocksize": 1}}


def value_of(schema, attribute):
    given = GIVEN.get(schema.name, {}).get(attribute.name)
    if given is not None and attribute.type == KINDS.INT:
        return given
    if attribute.default_value and attribute.default_value.name:
        return helper.get_attribute_value(attribute.default_value)
    return VALUES.get(attribute.type)


def model_of(schema, extra):
    attributes = {a.name: value_of(schema, a) for a in schema.attributes.values()}
    attributes = {name: value for name, value in attributes.items() if value is not None}
    count = max(schema.min_input, min(schema.max_input, 8)) if schema.max_input < 100 else max(schema.min_input, 2)
    names = [f"x{i}" for i in range(count)]
    outputs = [f"y{i}" for i in range(max(1, schema.min_output))]
    node = helper.make_node(schema.name, names, outputs, **attributes, **extra)
    inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names]
    results = [helper.make_tensor_value_info(outputs[0], onnx.TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "graph", inputs, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", schema.since_version)], ir_version=8)


def messages(strider, model, path):
    path.write_bytes(model.SerializeToString())
    return subprocess.run([strider, "info", str(path)], capture_output=True, text=True, check=False).stderr


def main(strider: str) -> int:
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        for schema in onnx.defs.get_all_schemas_with_history():
            if schema.domain or schema.deprecated:
                continue
            found = messages(strider, model_of(schema, {}), path)
            for line in found.splitlines():
                if "is unknown and means nothing" in line:
                    print(f"{schema.name}-{schema.since_version}: {line}")
                    wrong += 1
        relu = onnx.defs.get_schema("Relu", 14)
        if "attribute \"nobody_has_it\" is unknown" not in messages(strider, model_of(relu, {"nobody_has_it": 1}), path):
            print("an attribute that nobody has is not told of")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
