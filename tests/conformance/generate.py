#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the ONNX backend test cases as folders: OUTDIR/CATEGORY/CASE/{model.onnx, test_data_set_0/*.pb}.

The node cases live as Python code in the onnx package (1.23.2), which has a writer for others; the rest lie as files in it.
"""
import argparse
import importlib.resources
import pathlib
import shutil
import sys

from onnx.backend.test import cmd_tools, loader


def generate(folder: pathlib.Path) -> None:
    node = folder / "node"
    shutil.rmtree(folder, ignore_errors=True)
    node.mkdir(parents=True)
    # The writer asks for all cases that it knows how to write; the node cases are not among them by default.
    cases = loader.load_node_model_tests() if hasattr(loader, "load_node_model_tests") else None
    if cases is None:
        from onnx.backend.test.case import node as node_cases

        cases = node_cases.collect_testcases(None)
    written = {"n": 0}

    original = cmd_tools.model_test.collect_testcases if hasattr(cmd_tools, "model_test") else None
    if original is None:
        sys.exit("this version of onnx has another writer")
    cmd_tools.model_test.collect_testcases = lambda *args, **kwargs: cases
    args = argparse.Namespace(output=str(folder / "written"), clean=True, op_type=None, diff=None)
    cmd_tools.generate_data(args)
    for case in (folder / "written").glob("*/*"):
        if case.is_dir():
            shutil.move(str(case), node / case.name)
            written["n"] += 1
    shutil.rmtree(folder / "written")
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
