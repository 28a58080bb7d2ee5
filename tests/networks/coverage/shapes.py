#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports whose dimensions are open, at several shapes in turn through one session, against onnxruntime.

    shapes.py DIR STRIDER [NAME...]   DIR: what `coverage.py export` wrote

Batches of 3, 1, 0, 2 and 5 and other sizes of images follow each other.  Shapes that onnxruntime refuses are left out and counted."""
import argparse
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

BATCHES = (3, 1, 0, 2, 5, 1, 2)
SIZES = (7, -16, 0, 0, 32, -31, 33)  # more than the exported one
LARGEST_ERROR = "2e-4"  # onnxruntime alone is 1e-4 from float64 in visformer_tiny, whose weights are random


def sizes_of(inputs, first, step):
    """An input's shape: its first dimension, where open, is a batch; equal names are equal sizes."""
    named, shapes = {}, []
    for value, example in zip(inputs, first):
        shape = []
        for axis, size in enumerate(value.shape):
            if not isinstance(size, int):
                size = named.setdefault(size, BATCHES[step] if axis == 0 else max(1, example.shape[axis] + SIZES[step]))
            shape.append(size)
        shapes.append(shape)
    return shapes


def write(case, kind, names, arrays):
    for i, (name, array) in enumerate(zip(names, arrays)):
        (case / f"{kind}_{i}.pb").write_bytes(onnx.numpy_helper.from_array(array, name).SerializeToString())


def make_cases(export, folder, counts):
    """Run in a process of its own: onnxruntime ends it where a recurrent layer has an empty batch."""
    from coverage import onnxruntime_session, read_tensors

    session = onnxruntime_session(export / "model.onnx", 2)
    inputs, generator = session.get_inputs(), numpy.random.default_rng(0)
    counts["open"] = any(not isinstance(size, int) for value in inputs for size in value.shape)
    first = [array for _, array in read_tensors(export / "test_data_set_0", "input")]
    for step in range(len(BATCHES) if counts["open"] else 0):
        arrays = [generator.uniform(-1, 1, shape).astype(example.dtype) for shape, example in zip(sizes_of(inputs, first, step), first)]
        try:
            outputs = session.run(None, {value.name: array for value, array in zip(inputs, arrays)})
        except Exception:  # its own kinds of errors
            continue
        case = folder / f"test_data_set_{counts['shapes']}"
        case.mkdir()
        write(case, "input", [value.name for value in inputs], arrays)
        write(case, "output", [value.name for value in session.get_outputs()], outputs)
        counts["shapes"] += 1


def check(export, strider):
    with tempfile.TemporaryDirectory() as name, multiprocessing.Manager() as manager:
        folder, counts = pathlib.Path(name), manager.dict(shapes=0, open=True)
        for file in export.iterdir():
            if file.is_file():
                (folder / file.name).symlink_to(file.resolve())
        process = multiprocessing.Process(target=make_cases, args=(export, folder, counts))
        process.start()
        process.join()
        shapes = counts["shapes"]
        if not counts["open"]:
            return True, "no open dimensions"
        if not shapes:
            return True, "onnxruntime takes none of the shapes"
        result = subprocess.run([strider, "check", "--peak", LARGEST_ERROR, str(folder)], capture_output=True, text=True, check=False)
        problems = [line for line in (result.stdout + result.stderr).splitlines() if "FAIL" in line or "strider:" in line]
        refused = f", {len(BATCHES) - shapes} refused by onnxruntime" if shapes < len(BATCHES) else ""
        return result.returncode == 0, f"{shapes} shapes{refused}" + "".join(f"\n    {line}" for line in problems[:3])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("strider")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    good = True
    for name in args.names or sorted(f.name for f in args.folder.iterdir() if f.is_dir()):
        for exporter in ("torchscript", "dynamo"):
            export = args.folder / name / exporter
            if (export / "model.onnx").exists():
                passed, words = check(export, args.strider)
                good &= passed
                print(f"{'pass' if passed else 'FAIL'} {name}/{exporter}: {words}", flush=True)
    sys.exit(not good)


if __name__ == "__main__":
    main()
