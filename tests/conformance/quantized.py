#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random nodes of the quantised operators, of ONNX and of onnxruntime (com.microsoft), against onnxruntime.

Needs numpy, onnx and onnxruntime.  Integers must be the same, but where both round a number that lies about halfway:
there they may differ by one, in no more than one of 200 elements of all."""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

MS = "com.microsoft"
rng = np.random.default_rng()


def integers(shape, dtype):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def scale(shape=()):
    return np.exp(rng.uniform(-5, -2, shape)).astype(np.float32)


def eight():
    return [np.uint8, np.int8][rng.integers(2)]


def eights():
    """Types of activations and weights, in pairs that onnxruntime's products have."""
    return [(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8)][rng.integers(3)]


def dims(low, high, rank):
    return [int(n) for n in rng.integers(low, high + 1, rank)]


def window(spatial):
    attributes = {"kernel_shape": dims(1, 3, spatial), "strides": dims(1, 2, spatial)}
    attributes["pads"] = [int(rng.integers(0, attributes["kernel_shape"][i % spatial])) for i in range(2 * spatial)]
    return attributes


def quantize_linear(kinds=3):
    x = (rng.standard_normal(dims(1, 9, rng.integers(1, 5))) * 4).astype(np.float32)
    dtype = [np.uint8, np.int8, np.uint16, np.int16][rng.integers(4)]
    kind = rng.integers(kinds)
    if kind == 0:
        return "QuantizeLinear", "", [x, scale(), integers((), dtype)], {}
    axis = int(rng.integers(x.ndim))
    if kind == 1:
        n = x.shape[axis]
        return "QuantizeLinear", "", [x, scale(n), integers(n, dtype)], {"axis": axis}
    block = int(rng.integers(1, 4))
    shape = list(x.shape)
    shape[axis] = -(-shape[axis] // block)
    return "QuantizeLinear", "", [x, scale(shape), integers(shape, dtype)], {"axis": axis, "block_size": block}


def dequantize_linear(kinds=3):
    _, _, (x, s, z), attributes = quantize_linear(kinds)
    return "DequantizeLinear", "", [integers(x.shape, z.dtype), s, z], attributes


def quantize_ms():
    op, _, inputs, attributes = quantize_linear(2) if rng.integers(2) else dequantize_linear(2)
    return op, MS, inputs, attributes


def dynamic_quantize():
    return "DynamicQuantizeLinear", "", [(rng.standard_normal(dims(1, 9, 2)) * 5 + rng.uniform(-8, 8)).astype(np.float32)], {}


def matmul_operands():
    m, k, n = dims(1, 40, 3)
    a_type, b_type = eights()
    batch = dims(1, 3, rng.integers(0, 3))
    return integers([*batch, m, k], a_type), integers([*(batch if rng.integers(2) else []), k, n], b_type)


def matmul_integer():
    a, b = matmul_operands()
    columns = b.shape[-1] if b.ndim == 2 and rng.integers(2) else ()
    return "MatMulInteger", "", [a, b, integers((), a.dtype), integers(columns, b.dtype)], {}


def qlinear_matmul():
    a, b = matmul_operands()
    columns = b.shape[-1] if b.ndim == 2 and rng.integers(2) else ()
    y_scale = np.float32(a.shape[-1] ** 0.5 * np.exp(rng.uniform(-2, 0)))
    return "QLinearMatMul", "", [a, scale(), integers((), a.dtype), b, scale(columns), integers(columns, b.dtype), y_scale,
                                 integers((), a.dtype)], {}


def qgemm():
    m, k, n = dims(1, 30, 3)
    a_type, b_type = eights()
    trans_a, trans_b = (int(v) for v in rng.integers(0, 2, 2))
    a = integers((k, m) if trans_a else (m, k), a_type)
    b = integers((n, k) if trans_b else (k, n), b_type)
    columns = n if rng.integers(2) else ()
    inputs = [a, scale(), integers((), a_type), b, scale(columns), integers(columns, b_type)]
    inputs.append(rng.integers(-9999, 9999, [(n,), (1, n), (m, 1), (m, n)][rng.integers(4)]).astype(np.int32) if rng.integers(2) else None)
    if rng.integers(2):
        inputs += [np.float32(k ** 0.5 * np.exp(rng.uniform(-2, 0))), integers((), a_type)]
    return "QGemm", MS, inputs, {"transA": trans_a, "transB": trans_b, "alpha": float(np.float32(rng.uniform(0.5, 2)))}


def conv_operands():
    spatial = int(rng.integers(1, 3))
    group = int(rng.integers(1, 4))
    channels, filters = (group * int(n) for n in rng.integers(1, 6, 2))
    a_type, b_type = eights()
    attributes = window(spatial)
    attributes["dilations"] = dims(1, 2, spatial)
    attributes["group"] = group
    x = integers([int(rng.integers(1, 3)), channels, *dims(6, 14, spatial)], a_type)
    return x, integers([filters, channels // group, *attributes["kernel_shape"]], b_type), attributes


def conv_integer():
    while True:
        x, w, attributes = conv_operands()
        if x.dtype == np.uint8:  # all that onnxruntime has
            return "ConvInteger", "", [x, w, integers((), x.dtype), integers((), w.dtype)], attributes


def qlinear_conv():
    x, w, attributes = conv_operands()
    per_channel = w.shape[0] if rng.integers(2) else ()
    w_zero = np.zeros(per_channel, w.dtype) if per_channel else integers((), w.dtype)  # onnxruntime: the same for all
    y_scale = np.float32((w.size / w.shape[0]) ** 0.5 * np.exp(rng.uniform(-2, 0)))
    inputs = [x, scale(), integers((), x.dtype), w, scale(per_channel), w_zero, y_scale, integers((), x.dtype)]
    if rng.integers(2):
        inputs.append(rng.integers(-9999, 9999, w.shape[0]).astype(np.int32))
    return "QLinearConv", "", inputs, attributes


def qlinear_binary():
    dtype = eight()
    a_shape = dims(1, 6, rng.integers(1, 5))
    b_shape = [n if rng.integers(2) else 1 for n in a_shape][int(rng.integers(len(a_shape))):]
    a, b = integers(a_shape, dtype), integers(b_shape, dtype)
    if rng.integers(2):
        a, b = b, a
    op = ["QLinearAdd", "QLinearMul"][rng.integers(2)]
    y_scale = np.float32(scale() * (1 if op == "QLinearAdd" else 4))
    return op, MS, [a, scale(), integers((), dtype), b, scale(), integers((), dtype), y_scale, integers((), dtype)], {}


def qlinear_unary():
    dtype = eight()
    op = ["QLinearSigmoid", "QLinearLeakyRelu"][rng.integers(2)]
    y_scale = np.float32(1 / 256) if op == "QLinearSigmoid" else scale()
    attributes = {} if op == "QLinearSigmoid" else {"alpha": float(np.float32(rng.uniform(0.01, 0.5)))}
    zeros = [integers((), dtype) if rng.integers(3) else None for _ in range(2)]
    return op, MS, [integers(dims(1, 9, 3), dtype), scale(), zeros[0], y_scale, zeros[1]], attributes


def qlinear_concat():
    dtype = eight()
    shape = dims(1, 5, rng.integers(1, 5))
    axis = int(rng.integers(len(shape)))
    inputs = [scale(), integers((), dtype)]
    for _ in range(rng.integers(1, 4)):
        shape[axis] = int(rng.integers(1, 5))
        inputs += [integers(shape, dtype), scale(), integers((), dtype)]
    return "QLinearConcat", MS, inputs, {"axis": axis}


def qlinear_pool():
    dtype = eight()
    spatial = 2
    last = int(rng.integers(2))
    sizes = dims(5, 9, spatial)
    batch, channels = dims(1, 5, 2)
    x = integers([batch, *sizes, channels] if last else [batch, channels, *sizes], dtype)
    inputs = [x, scale(), integers((), dtype), scale(), integers((), dtype)]
    if rng.integers(2):
        return "QLinearGlobalAveragePool", MS, inputs, {"channels_last": last}
    counting = [{}, {"count_include_pad": 1}, {"ceil_mode": 1}, {"count_include_pad": 1, "ceil_mode": 1}][rng.integers(4)]
    return "QLinearAveragePool", MS, inputs, {**window(spatial), **counting, "channels_last": last}


MAKERS = [quantize_linear, dequantize_linear, quantize_ms, dynamic_quantize, matmul_integer, qlinear_matmul, qgemm, conv_integer,
          qlinear_conv, qlinear_binary, qlinear_unary, qlinear_concat, qlinear_pool]


def save(folder, op, domain, inputs, attributes):
    """The case as a folder, with the outputs of onnxruntime, or False where that refuses it."""
    names = ["" if value is None else f"i{i}" for i, value in enumerate(inputs)]
    outputs = ["y", "scale", "zero"] if op == "DynamicQuantizeLinear" else ["y"]
    node = helper.make_node(op, names, outputs, domain=domain, **attributes)
    values = {name: np.asarray(value) for name, value in zip(names, inputs) if name}
    # Half of the inputs are constants, as most scales and weights are in models.
    constants = {name for name in values if name != "i0" and rng.integers(2)}
    graph = helper.make_graph(
        [node], op, [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
                     for n, v in values.items() if n not in constants],
        [helper.make_empty_tensor_value_info(n) for n in outputs], [numpy_helper.from_array(values[n], n) for n in constants])
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)])
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    fed = {n: v for n, v in values.items() if n not in constants}
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        results = session.run(None, fed)
    except Exception as error:  # onnxruntime has no one type for what it refuses
        print(f"onnxruntime refuses {op}: {str(error)[:150]}", file=sys.stderr)
        return None
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    for i, (name, value) in enumerate(fed.items()):
        (data / f"input_{i}.pb").write_bytes(numpy_helper.from_array(value, name).SerializeToString())
    for i, (name, value) in enumerate(zip(outputs, results)):
        (data / f"output_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(value), name).SerializeToString())
    return results


def compare(strider, folder, results, options, totals):
    """Runs the case and counts elements that differ; the message of what is wrong, or None."""
    inputs = sorted((folder / "test_data_set_0").glob("input_*.pb"), key=lambda p: int(p.stem[6:]))
    out = folder / "out.npz"
    command = [str(strider), "run", str(folder / "model.onnx"), *map(str, inputs), "-o", str(out), "--quiet", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.strip()
    got = np.load(out)
    for name, wanted in zip(got.files, results):
        value = got[name]
        if value.shape != np.shape(wanted) or value.dtype != np.asarray(wanted).dtype:
            return f"{name} is {value.dtype} {value.shape}, not {np.asarray(wanted).dtype} {np.shape(wanted)}"
        difference = np.abs(value.astype(np.float64) - np.asarray(wanted).astype(np.float64))
        if value.dtype == np.float32:
            if (difference > 1e-6 * np.abs(wanted) + 1e-9).any():
                return f"{name} differs by {difference.max()}"
        elif difference.max(initial=0) > (0 if value.dtype == np.int32 else 1):
            return f"{name} differs by {difference.max()}"
        totals[0] += int((difference > 0).sum()) if value.dtype != np.float32 else 0
        totals[1] += value.size
    return None


def main() -> int:
    global rng
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strider", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=20, help="of each kind of node")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the cases that fail")
    parser.add_argument("--option", action="append", default=[], help="for strider run, as in --option=--reference")
    args = parser.parse_args()
    failed = refused = 0
    totals = [0, 0]
    with tempfile.TemporaryDirectory() as work:
        for make in MAKERS:
            for i in range(args.count):
                rng = np.random.default_rng([args.seed, MAKERS.index(make), i])
                op, domain, inputs, attributes = make()
                folder = pathlib.Path(work) / f"{make.__name__}_{i}"
                results = save(folder, op, domain, inputs, attributes)
                if results is None:
                    refused += 1
                    continue
                wrong = compare(args.strider, folder, results, args.option, totals)
                if wrong:
                    failed += 1
                    print(f"FAIL {folder.name} ({op} {attributes}): {wrong}")
                    if args.keep:
                        shutil.copytree(folder, args.keep / folder.name, dirs_exist_ok=True)
    print(f"{len(MAKERS) * args.count - failed - refused} passed, {failed} failed, {refused} that onnxruntime refuses; "
          f"{totals[0]} of {totals[1]} integers are off by one")
    return 1 if failed or refused > len(MAKERS) * args.count // 10 or totals[0] * 200 > totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
