#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the ONNX backend test cases as folders: OUTDIR/CATEGORY/CASE/{model.onnx, test_data_set_0/*.pb}.

The node cases live as Python code in the onnx package (1.23.2), which has a writer for others; the rest lie as files in it.
"""
import argparse
import importlib.resources
import pathlib
import shutil
import types

from onnx.backend.test import cmd_tools, loader


def generate(folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "node").mkdir(parents=True)
    # onnx's writer collects the "simple" and "real" cases by itself; here it gets the node cases instead.
    cmd_tools.model_test = types.SimpleNamespace(collect_testcases=loader.load_node_model_tests)
    cmd_tools.generate_data(argparse.Namespace(output=str(folder)))
    data = importlib.resources.files("onnx.backend.test") / "data"
    for category in ("simple", "pytorch-converted", "pytorch-operator", "light"):
        source = pathlib.Path(str(data)) / category
        if source.is_dir():
            shutil.copytree(source, folder / category)
    for category in sorted(p for p in folder.iterdir() if p.is_dir()):
        print(f"{category.name}: {sum(1 for _ in category.iterdir())} cases")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outdir", type=pathlib.Path)
    generate(parser.parse_args().outdir)
