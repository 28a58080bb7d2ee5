#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the networks that make.py wrote: within 1e-5 of the largest output, the same bits with 1 and 2 threads, and the memory
that a run takes at its peak against the size of the model's files.

Where the expected outputs are onnxruntime's and a network amplifies rounding, these may themselves be further than that from what
the network computes in exact arithmetic (float64, by Strider's references): then ("exact") that distance is allowed on top."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile


def peak_rss_mb(command) -> float:
    """Of a child process alone, from a fresh process that measures it."""
    code = "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);" \
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss/1e3*1.024)"
    return float(subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True).stdout)


def distance_to_exact(strider, model: pathlib.Path):
    """Of Strider's and of the expected first outputs, over the largest output."""
    import numpy
    import onnx

    data = model.parent / "test_data_set_0"
    with tempfile.TemporaryDirectory() as folder:
        exact, fast = (pathlib.Path(folder) / name for name in ("exact.npz", "fast.npz"))
        for output, flags in ((exact, ["--reference"]), (fast, [])):
            subprocess.run([strider, "run", str(model), str(data / "input_0.pb"), "--quiet", "-o", str(output), *flags], check=True)
        proto = onnx.TensorProto()
        proto.ParseFromString((data / "output_0.pb").read_bytes())
        expected = onnx.numpy_helper.to_array(proto)
        reference, ours = (numpy.load(path)[proto.name] for path in (exact, fast))
    largest = numpy.abs(reference).max()
    return numpy.abs(ours - reference).max() / largest, numpy.abs(expected - reference).max() / largest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("strider")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--peak", default="1e-5")
    args = parser.parse_args()
    failed = passed = 0
    print(f"{'network':<45} {'verdict':<8} {'of largest':>10} {'peak MB':>8} {'files MB':>9}")
    for model in sorted(args.folder.glob("*/*/model.onnx")):
        result = subprocess.run([args.strider, "check", "--json", "--rtol", "0", "--peak", args.peak, "--threads", "1,2", str(model.parent)],
                                capture_output=True, text=True, check=False)
        cases = json.loads(result.stdout)["cases"]
        case = next((c for c in cases if not c["pass"]), cases[0])
        error = max((o.get("max_rel_to_peak", float("nan")) for c in cases for o in c["outputs"]), default=float("nan"))
        if not case["pass"] and model.parent.name == "packaged" and case["outputs"]:
            ours, theirs = distance_to_exact(args.strider, model)
            case["pass"] = bool(error <= float(args.peak) + theirs)
            case["status"] = "exact" if case["pass"] else case["status"]
            case["message"] = f"to float64 arithmetic: Strider {ours:.2g}, onnxruntime {theirs:.2g}"
        size = sum(p.stat().st_size for p in model.parent.glob("model.onnx*")) / 1e6
        peak = peak_rss_mb([args.strider, "run", str(model), str(model.parent / "test_data_set_0" / "input_0.pb"), "--threads", "1"]) if case["pass"] else 0
        print(f"{str(model.parent.relative_to(args.folder)):<45} {case['status']:<8} {error:>10.2g} {peak:>8.1f} {size:>9.1f}  {case['message']}")
        passed += case["pass"]
        failed += not case["pass"]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
