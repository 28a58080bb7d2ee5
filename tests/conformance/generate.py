#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the ONNX backend test cases as folders: OUTDIR/CATEGORY/CASE/{model.onnx, test_data_set_0/*.pb}.

The node and simple cases live as Python code in the onnx package (1.23.2), which has a writer for them; the others lie as
files in it.  The light models come without inputs: what the package's own runner gives them is written here.
"""
import argparse
import importlib.resources
import json
import pathlib
import shutil
import types
import warnings

import onnx
import onnx.numpy_helper
from onnx.backend.test import cmd_tools, loader
from onnx.backend.test.case.model import collect_testcases
from onnx.backend.test.runner import Runner


def write_coded(folder: pathlib.Path) -> None:
    """The cases that are code, by onnx's own writer, which collects the simple and real ones by itself."""
    simple = [case for case in collect_testcases() if case.kind == "simple"]
    cmd_tools.model_test = types.SimpleNamespace(collect_testcases=lambda: loader.load_node_model_tests() + simple)
    cmd_tools.generate_data(argparse.Namespace(output=str(folder)))


def write_light(data: pathlib.Path, folder: pathlib.Path) -> None:
    """The models that the "real" cases name, with the inputs that onnx's runner makes and its tolerances."""
    for real in sorted((data / "real").glob("*/data.json")):
        about = json.loads(real.read_text())
        source = data / "light" / pathlib.PurePosixPath(about["url"]).name
        case = folder / real.parent.name
        (case / "test_data_set_0").mkdir(parents=True)
        shutil.copy(source, case / "model.onnx")
        shutil.copy(real, case / "data.json")
        graph = onnx.load(source).graph
        initialized = {tensor.name for tensor in graph.initializer}
        for i, value in enumerate(v for v in graph.input if v.name not in initialized):
            tensor = onnx.numpy_helper.from_array(Runner.generate_dummy_data(value), value.name)
            (case / "test_data_set_0" / f"input_{i}.pb").write_bytes(tensor.SerializeToString())
        for i in range(len(graph.output)):
            shutil.copy(source.with_name(f"{source.stem}_output_{i}.pb"), case / "test_data_set_0" / f"output_{i}.pb")


def generate(folder: pathlib.Path) -> None:
    warnings.simplefilter("ignore")  # NumPy's, of cases about infinities and overflow
    data = pathlib.Path(str(importlib.resources.files("onnx.backend.test") / "data"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_coded(folder)
    for category in ("pytorch-converted", "pytorch-operator"):
        shutil.copytree(data / category, folder / category, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    write_light(data, folder / "light")
    for category in sorted(p for p in folder.iterdir() if p.is_dir()):
        print(f"{category.name}: {sum(1 for _ in category.iterdir())} cases")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=pathlib.Path)
    generate(parser.parse_args().outdir)
