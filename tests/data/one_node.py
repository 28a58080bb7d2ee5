# SPDX-License-Identifier: Apache-2.0
"""Cases of one node each, as folders that `strider check` reads."""
import pathlib
import shutil

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper


def run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def value_of(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


class Folder:
    """Where cases are written; what lay there is removed."""

    def __init__(self, path: pathlib.Path, seed: int = 0):
        self.path = path
        self.random = np.random.default_rng(seed)
        for folder in path.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)

    def rand(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def case(self, name, op, arrays, domain="", opset=13, ir=8, constants=(), outputs=("y",), expected=None, dtypes=None,
             more=None, **attributes):
        """A node that reads `arrays` (None: absent), of which `constants` are initializers.  `expected` are its outputs; else
        what onnxruntime computes.  `dtypes`: of the outputs, where these are not those of the first array.
        `more`: attributes whose names are those of parameters here."""
        names = ["" if array is None else f"i{k}" for k, array in enumerate(arrays)]
        node = helper.make_node(op, names, outputs, name="node", domain=domain, **attributes, **(more or {}))
        given = {n: a for k, (n, a) in enumerate(zip(names, arrays)) if n and k not in constants}
        initializers = [numpy_helper.from_array(arrays[k], names[k]) for k in constants]
        named = [o for o in outputs if o]
        types = [helper.np_dtype_to_tensor_dtype(np.dtype(t)) for t in dtypes or [arrays[0].dtype] * len(named)]
        inputs = [value_of(n, a) for n, a in given.items()]
        if ir < 4:
            inputs += [value_of(names[k], arrays[k]) for k in constants]
        graph = helper.make_graph([node], "graph", inputs,
                                  [helper.make_tensor_value_info(o, t, None) for o, t in zip(named, types)], initializers)
        imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
        model = helper.make_model(graph, opset_imports=imports, ir_version=ir)
        results = run(model, given) if expected is None else expected
        self.write(name, model, list(given.items()), list(zip(named, results)))

    def write(self, name, model, inputs, outputs):
        data = self.path / name / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(model, self.path / name / "model.onnx")
        for kind, tensors in (("input", inputs), ("output", outputs)):
            for i, (tensor, array) in enumerate(tensors):
                (data / f"{kind}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(array), tensor).SerializeToString())
