#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single operators beside onnxruntime: models of one node (or of the few that exporters write for one layer), with shapes that networks
use, timed in alternation.

    operators.py STRIDER [WORD...] [--threads 1,2] [--rounds 3] [--seconds 0.1] [--above 1.1] [--json FILE]

Each WORD chooses the cases whose name contains it.  The figure of each is the lowest of its rounds; a ratio above 1 says that
onnxruntime is faster.  Needs numpy, onnx and onnxruntime.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from operator_cases import CASES

KINDS = {numpy.dtype(t): k for t, k in ((numpy.float32, TensorProto.FLOAT), (numpy.float64, TensorProto.DOUBLE),
                                        (numpy.float16, TensorProto.FLOAT16), (numpy.int32, TensorProto.INT32),
                                        (numpy.int64, TensorProto.INT64), (numpy.int8, TensorProto.INT8), (numpy.uint8, TensorProto.UINT8),
                                        (numpy.bool_, TensorProto.BOOL))}


def make_model(case):
    """Nodes are tuples (operator, inputs, outputs, attributes); the last one's outputs are the model's."""
    inputs = [helper.make_tensor_value_info(name, KINDS[x.dtype], x.shape) for name, x in case.inputs.items()]
    constants = [numpy_helper.from_array(x, name) for name, x in case.constants.items()]
    nodes = [helper.make_node(op, names, outputs, **attributes) for op, names, outputs, attributes in case.nodes]
    outputs = [helper.make_empty_tensor_value_info(name) for name in case.nodes[-1][2] if name]
    graph = helper.make_graph(nodes, "operator", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def strider_json(command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr.strip().splitlines()[0][-150:])
    return json.loads(result.stdout)


def open_session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def time_session(session, inputs, seconds):
    times = []
    session.run(None, inputs)
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        session.run(None, inputs)
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def kernels_of(strider, arguments):
    steps = strider_json([strider, "profile", *arguments, "--seconds", "0", "--warmup", "0", "--json"])["steps"]
    return [step["kernel"] for step in steps]


def measure(case, options, folder):
    path = folder / "model.onnx"
    onnx.save(make_model(case), path)
    arguments = [str(path)]
    for name, x in case.inputs.items():
        numpy.save(folder / f"{name}.npy", x)
        arguments.append(f"{name}={folder / name}.npy")
    result = {"case": case.name, "kernels": kernels_of(options.strider, arguments)}
    for threads in options.threads:
        try:
            session = open_session(path, threads)
        except Exception:  # some types are not there
            session = None
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(strider_json([options.strider, "bench", *arguments, "--threads", str(threads), "--seconds", str(options.seconds),
                                      "--warmup", "1", "--json"])["min_ms"])
            if session:
                theirs.append(time_session(session, case.inputs, options.seconds))
        result[f"strider_{threads}_ms"] = min(ours)
        result[f"onnxruntime_{threads}_ms"] = min(theirs, default=None)
    return result


def print_result(result, options):
    words = []
    for threads in options.threads:
        ours, theirs = result[f"strider_{threads}_ms"], result[f"onnxruntime_{threads}_ms"]
        words.append(f"{ours:9.3f} {theirs or 0:9.3f} {ours / theirs if theirs else 0:7.2f}")
    print(f"{result['case']:<44} {'  '.join(words)}  {' '.join(sorted(set(result['kernels'])))[:60]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strider")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.1, help="of each round")
    parser.add_argument("--json", type=pathlib.Path, help="a file for all figures")
    options = parser.parse_args()
    results = []
    print(f"{'':<44} " + "  ".join(f"{'strider':>9} {'ort':>9} {'ratio':>7}" for _ in options.threads) + f"  ms, threads {options.threads}")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES():
            if options.words and not any(word in case.name for word in options.words):
                continue
            try:
                results.append(measure(case, options, pathlib.Path(folder)))
                print_result(results[-1], options)
            except RuntimeError as error:
                print(f"{case.name:<44} {error}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
