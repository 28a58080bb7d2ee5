#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""networks.py FOLDER... [--build BUILD] [--only WORD...] [--gpu]: whole networks through --device cuda, on the virtual device.

Checks models/, and each folder under FOLDER that has a model and test_data_set_* (tests/networks/make.py writes such), against
the outputs that lie there: torch's or, of packaged models, onnxruntime's.  No output may be further from these than 1e-4 of the
largest.  Prints as a table for docs/cuda.md what that was, how many nodes ran on the device and on the CPU and which, and how many
copies there are between them.  Needs Python's onnx package.  Takes some minutes for networks of usual size."""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import time

import onnx

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = ("network", "input", "difference / largest output", "nodes on the device", "on the CPU", "copies", "seconds")


def find_cases(folder):
    return sorted({path.parent.parent for path in folder.glob("**/test_data_set_*/input_0.pb")})


def environment_of(args):
    if args.gpu:
        return dict(os.environ, STRIDER_CUDA_MODULE=str(args.build / "libstrider_cuda.so"))
    return dict(os.environ, STRIDER_CUDA_MODULE=str(args.build / "libstrider_cuda.so"),
                LD_LIBRARY_PATH=str(args.build / "tests" / "cuda" / "virtual"))


def strider(args, *words):
    done = subprocess.run([args.build / "strider", *words, "--json", "--device", "cuda"], env=environment_of(args),
                          capture_output=True, text=True)
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        sys.exit(f"strider {' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}{done.stderr}")


def input_shapes(case):
    """Of the first data set, in the order of the model's inputs, by the names that the tensors carry."""
    tensors = [onnx.load_tensor(str(path)) for path in sorted((case / "test_data_set_0").glob("input_*.pb"))]
    return {tensor.name: "x".join(map(str, tensor.dims)) for tensor in tensors}


class Row:
    """What was seen of one network, or of several together."""

    def __init__(self):
        self.shapes, self.difference, self.problems = [], 0.0, []
        self.on_device, self.on_cpu, self.copies, self.seconds = 0, collections.Counter(), 0, 0.0

    def add(self, args, case):
        begin = time.monotonic()
        shapes = input_shapes(case)
        model = next(case.glob("*.onnx"))
        _, info = strider(args, "info", model, "--memory", *(w for name, dims in shapes.items() for w in ("--shape", f"{name}={dims}")))
        status, checked = strider(args, "check", case, "--rtol", "0", "--peak", str(args.peak))
        for result in checked["cases"]:
            self.difference = max([self.difference, *(o.get("max_rel_to_peak", float("nan")) for o in result["outputs"])])
            if not result["pass"]:
                self.problems.append(f"{case}: {result['message']}")
        if status and not self.problems:
            self.problems.append(f"{case}: status {status}")
        if info.get("device", "cpu") == "cpu" or not checked["cases"]:
            self.problems.append(f"{case}: nothing ran on the device")
        for step in info.get("steps", []):
            if not step["op_type"]:
                self.copies += step["kernel"] in ("upload", "download")
            elif step["device"] == "cpu":
                self.on_cpu[step["op_type"]] += 1
            else:
                self.on_device += 1
        self.shapes += [dims for dims in shapes.values() if dims not in self.shapes]
        self.seconds += time.monotonic() - begin

    def cells(self, name):
        on_cpu = ", ".join(f"{count} {op}" for op, count in sorted(self.on_cpu.items()))
        shapes = ", ".join(self.shapes) if len(self.shapes) <= 2 else f"{len(self.shapes)} shapes"
        return (name, shapes, f"{self.difference:.1e}", str(self.on_device), on_cpu or "-", str(self.copies), f"{self.seconds:.0f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="networks with one of these in their name")
    parser.add_argument("--peak", type=float, default=1e-4, help="the largest difference, of the largest output")
    parser.add_argument("--gpu", action="store_true", help="on a GPU instead, with NVIDIA's libraries")
    args = parser.parse_args()
    args.build = args.build.resolve()
    models = find_cases(ROOT / "models")
    groups = [(f"models/ ({len(models)} cases)", models)]
    groups += [(str(case.relative_to(folder)), [case]) for folder in args.folders for case in find_cases(folder)]
    problems, rows = [], 0
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for name, cases in groups:
        if not any(word in name for word in args.only):
            continue
        row = Row()
        for case in cases:
            row.add(args, case)
        print("| " + " | ".join(row.cells(name)) + " |", flush=True)
        problems += row.problems
        rows += 1
    for problem in problems:
        print(f"FAIL {problem}")
    print(f"{rows} rows, {len(problems)} problems")
    return 1 if problems or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
