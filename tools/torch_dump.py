#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports a torch module to ONNX and writes what torch computes beside it, as test cases that `strider check` reads.

    torch_dump.py torchvision:resnet18 OUTDIR --shape 1x3x224x224
    torch_dump.py my_model.py:Net OUTDIR --shape 1x1x28x28 --exporter dynamo

writes OUTDIR/EXPORTER/{model.onnx, model.onnx.data, dump.json, test_data_set_N/{input_I.pb, output_I.pb}} for each exporter.
From Python: dump(module, inputs, folder).
"""
import argparse
import copy
import importlib
import importlib.util
import json
import pathlib
import shutil
import sys
import warnings

import numpy
import onnx
import torch
from onnx import numpy_helper

EXPORTERS = ("dynamo", "torchscript")


def load_module(spec: str) -> torch.nn.Module:
    """torchvision:NAME (random weights), or FILE.py:CLASS, a class without required arguments or a function."""
    where, _, name = spec.rpartition(":")
    if not where:
        raise ValueError(f"{spec}: give torchvision:NAME or FILE.py:CLASS")
    if where == "torchvision":
        models = importlib.import_module("torchvision.models")
        return models.get_model(name, weights=None)
    path = pathlib.Path(where)
    file = importlib.util.spec_from_file_location(path.stem, path)
    if file is None or file.loader is None or not path.exists():
        raise ValueError(f"{where}: no such Python file")
    module = importlib.util.module_from_spec(file)
    file.loader.exec_module(module)
    return getattr(module, name)()


def randomize_batch_norm(module: torch.nn.Module) -> None:
    """Statistics and weights that are not the initial 0 and 1, mild enough that activations keep their scale."""
    for layer in module.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            torch.nn.init.normal_(layer.running_mean, 0, 0.1)
            torch.nn.init.uniform_(layer.running_var, 0.8, 1.2)
            if layer.affine:
                torch.nn.init.uniform_(layer.weight, 0.8, 1.2)
                torch.nn.init.normal_(layer.bias, 0, 0.1)


def write_tensors(folder: pathlib.Path, kind: str, names: list, tensors) -> None:
    for i, tensor in enumerate(tensors):
        proto = numpy_helper.from_array(tensor.detach().cpu().contiguous().numpy(), names[i] if i < len(names) else "")
        (folder / f"{kind}_{i}.pb").write_bytes(proto.SerializeToString())


def export(module, inputs, path: pathlib.Path, exporter: str, opset=None, dynamic=None) -> None:
    options = {"dynamo": exporter == "dynamo"}
    if opset:
        options["opset_version"] = opset
    elif exporter == "torchscript":
        options["opset_version"] = 17
    if exporter == "dynamo":
        if dynamic:
            options["dynamic_shapes"] = tuple({d: torch.export.Dim.DYNAMIC for d in dims} for dims in dynamic)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(module, tuple(inputs), str(path), verbose=False, **options)
        return
    names = [f"input_{i}" for i in range(len(inputs))]
    if dynamic:
        options["dynamic_axes"] = {n: {d: f"dim_{d}" for d in dims} for n, dims in zip(names, dynamic)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(inputs), str(path), input_names=names, **options)


def as_tuple(outputs):
    """The tensors of what a module returns, in the order in which exporters make them outputs."""
    if outputs is None:
        return ()
    if isinstance(outputs, torch.Tensor):
        return (outputs,)
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return tuple(tensor for part in parts for tensor in as_tuple(part))


def dump(module, inputs, folder, exporters=EXPORTERS, cases=None, opset=None, dynamic=None, seed=None, example=None) -> dict:
    """Exports `module` (set to evaluation) by each exporter into FOLDER/EXPORTER, and writes as test cases the `inputs`, a
    tuple of tensors, with torch's outputs; `cases` is a list of further such tuples.  `dynamic` lists for each input the
    dimensions that stay open.  `example` are the tensors to export with, where they shall differ from the inputs.  Returns
    for each exporter None or the exception that it raised."""
    module = module.eval()
    folder = pathlib.Path(folder)
    results = {}
    for exporter in exporters:
        target = folder / exporter
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            export(copy.deepcopy(module), example or inputs, target / "model.onnx", exporter, opset, dynamic)
        except Exception as problem:  # exporters raise anything
            shutil.rmtree(target)
            results[exporter] = problem
            continue
        model = onnx.load(str(target / "model.onnx"), load_external_data=False)
        initializers = {i.name for i in model.graph.initializer}
        input_names = [i.name for i in model.graph.input if i.name not in initializers]
        output_names = [o.name for o in model.graph.output]
        for i, case in enumerate([inputs] + list(cases or [])):
            case_folder = target / f"test_data_set_{i}"
            case_folder.mkdir()
            with torch.no_grad():
                outputs = as_tuple(module(*case))
            write_tensors(case_folder, "input", input_names, case)
            write_tensors(case_folder, "output", output_names, outputs)
        (target / "dump.json").write_text(json.dumps({
            "torch": torch.__version__, "exporter": exporter, "opset": model.opset_import[0].version, "seed": seed,
            "inputs": [{"dtype": str(t.dtype).removeprefix("torch."), "shape": list(t.shape)} for t in inputs],
        }, indent=1) + "\n")
        results[exporter] = None
    return results


def parse_shape(text: str) -> tuple:
    return tuple(int(d) for d in text.replace(",", "x").split("x"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("module", help="torchvision:NAME or FILE.py:CLASS")
    parser.add_argument("outdir", type=pathlib.Path)
    parser.add_argument("--shape", action="append", type=parse_shape, required=True, help="of each input, as 1x3x224x224")
    parser.add_argument("--exporter", choices=EXPORTERS, action="append", help="default: both")
    parser.add_argument("--opset", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1, help="how many inputs")
    parser.add_argument("--dynamic-batch", action="store_true")
    parser.add_argument("--randomize-bn", action="store_true", help="mildly random BatchNorm statistics and weights")
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    try:
        module = load_module(args.module)
    except Exception as problem:
        print(f"torch_dump: {args.module}: {problem}", file=sys.stderr)
        return 2
    if args.randomize_bn:
        randomize_batch_norm(module)
    cases = [tuple(torch.rand(shape) * 2 - 1 for shape in args.shape) for _ in range(args.cases)]
    results = dump(module, cases[0], args.outdir, args.exporter or EXPORTERS, cases[1:], args.opset,
                   [[0]] * len(args.shape) if args.dynamic_batch else None, args.seed)
    for exporter, problem in results.items():
        print(f"{exporter}: " + (f"failed: {problem}" if problem else f"{args.outdir / exporter}"))
    return 1 if any(results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
