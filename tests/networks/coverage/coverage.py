#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which architectures run, agree with torch, and how fast: the table in docs/coverage.md.

    coverage.py export DIR [NAME...]           exports each architecture of architectures.py by both exporters, with torch's outputs
    coverage.py measure DIR STRIDER [NAME...]  runs each by onnxruntime and by Strider, in turn, into DIR/results.json
    coverage.py table DIR FILE                 writes the table

A network agrees when its largest difference from torch, over the largest value of that output, is at most twice onnxruntime's or 1e-5,
and never when it is above 1e-3; a network whose outputs are all empty shows nothing, and fails.
Exports are kept: a second `export` makes what is missing.  Needs torch, torchvision, timm, onnx, onnxscript and onnxruntime."""
import argparse
import json
import multiprocessing
import pathlib
import subprocess
import sys
import time

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[2] / "tools")]

OPSETS = {"torchscript": (17, 18, 20), "dynamo": (23,)}  # the first that has what the network needs
LARGEST_ERROR = 1e-3  # a wrong onnxruntime excuses nobody
EXPORT_SECONDS = 900
RUN_SECONDS = 120


# --- export ---

def open_dimensions(architecture, size):
    dims = []
    for shape in architecture.shapes:
        axes = [0] if architecture.open_batch else []
        dims.append(axes + ([len(shape) - 2, len(shape) - 1] if size and len(shape) > 2 else []))
    return dims if any(dims) else None


def make_inputs(architecture, dims, step):
    """The second case has twice the batch and, where that is open, 32 more rows and columns."""
    import torch

    inputs = []
    for i, shape in enumerate(architecture.shapes):
        shape = list(shape)
        for axis in (dims[i] if dims and step else []):
            shape[axis] = shape[axis] * 2 if axis == 0 else shape[axis] + 32
        x = torch.rand(shape) * 2 - 1
        inputs.append(architecture.adapt(x) if architecture.adapt else x)
    return tuple(inputs)


def export_one(name, exporter, folder, queue):
    """Tries with all that may stay open, then with the batch, then as it is."""
    import torch
    import torch_dump

    from architectures import ALL, calibrate

    torch.set_num_threads(1)
    architecture = ALL[name]
    kinds = {"size": open_dimensions(architecture, True), "batch": open_dimensions(architecture, False), "none": None}
    if not architecture.open_size:
        del kinds["size"]
    problem = None
    for kind, dims in kinds.items():
        if kind != "none" and dims is None:
            continue
        torch.manual_seed(0)
        module = architecture.make().eval()
        torch_dump.randomize_batch_norm(module)
        first, second = make_inputs(architecture, dims, 0), make_inputs(architecture, dims, 1)
        if architecture.calibrate:
            calibrate(module, first)
        # torch.export takes a size of 1 for a constant.
        example = second if dims and exporter == "dynamo" else None
        for opset in OPSETS[exporter]:
            problem = torch_dump.dump(module, first, folder, (exporter,), [second] if dims else [], opset, dims, 0, example)[exporter]
            if problem is None:
                queue.put({"open": kind})
                return
            if "opset version" not in str(problem):
                break
    queue.put({"problem": (str(problem).strip().splitlines() or [type(problem).__name__])[0][:300]})


def export(folder, names):
    from architectures import ALL

    for name in names or ALL:
        for exporter in ALL[name].exporters:
            note = folder / name / f"{exporter}.json"
            if note.exists():
                continue
            begin, queue = time.time(), multiprocessing.Queue()
            process = multiprocessing.Process(target=export_one, args=(name, exporter, folder / name, queue))
            process.start()
            process.join(EXPORT_SECONDS)
            if process.is_alive():
                process.kill()
                result = {"problem": f"not exported in {EXPORT_SECONDS} s"}
            else:
                result = queue.get() if not queue.empty() else {"problem": f"the exporter ended with {process.exitcode}"}
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(json.dumps(result) + "\n")
            print(f"{name} {exporter}: {result.get('problem', 'ok')} ({time.time() - begin:.0f} s)", flush=True)


# --- measurement ---

def read_tensors(case, kind):
    import onnx

    tensors = []
    for i in range(len(list(case.glob(f"{kind}_*.pb")))):
        proto = onnx.TensorProto()
        proto.ParseFromString((case / f"{kind}_{i}.pb").read_bytes())
        tensors.append((proto.name, onnx.numpy_helper.to_array(proto)))
    return tensors


def largest_difference(outputs, expected):
    """Over the largest value of the output; infinite where shapes, or where integers and so choices, differ."""
    worst = 0.0
    for output, (_, reference) in zip(outputs, expected):
        if output.shape != reference.shape:
            return float("inf")
        if not reference.size:
            continue
        if reference.dtype.kind != "f":
            worst = max(worst, 0.0 if numpy.array_equal(output, reference) else float("inf"))
            continue
        same = (output == reference) | (numpy.isnan(output) & numpy.isnan(reference))
        if not same.all():
            worst = max(worst, float(numpy.abs(output - reference)[~same].max() / max(numpy.abs(reference).max(), 1e-30)))
    return worst


def onnxruntime_session(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def onnxruntime_times(session, feed, seconds):
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 4:
        before = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - before) * 1e3)
    return sorted(times)[len(times) // 2]


def strider_json(strider, *arguments):
    result = subprocess.run([strider, *map(str, arguments), "--json"], capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if result.returncode:
        raise RuntimeError((result.stderr.strip().splitlines() or [f"exit {result.returncode}"])[0])
    return json.loads(result.stdout)


def strider_outputs(strider, model, case, inputs, scratch):
    scratch.unlink(missing_ok=True)
    files = [f"{name}={case / f'input_{i}.pb'}" if name else case / f"input_{i}.pb" for i, (name, _) in enumerate(inputs)]
    strider_json(strider, "run", model, *files, "--quiet", "-o", scratch)
    with numpy.load(scratch) as archive:
        return [archive[name] for name in archive.files], files


def usable_cases(folder, row):
    """With onnxruntime's error: those that it runs, for what was exported may not take other sizes after all; all, where it runs none."""
    cases = []
    for case in sorted(folder.glob("test_data_set_*")):
        inputs, expected = read_tensors(case, "input"), read_tensors(case, "output")
        try:
            session = onnxruntime_session(folder / "model.onnx", 1)
            error = largest_difference(session.run([name for name, _ in expected], dict(inputs)), expected)
        except Exception as problem:  # its own kinds of errors
            error = None
            row["onnxruntime_problem"] = str(problem).strip().splitlines()[0][:300]
        cases.append((case, inputs, expected, error))
    return [c for c in cases if c[3] is not None] or cases


def measure_times(row, model, strider, files, feed, seconds, rounds):
    for threads in (1, 2):
        session = None if "onnxruntime_problem" in row else onnxruntime_session(model, threads)
        for _ in range(rounds):
            bench = strider_json(strider, "bench", model, *files, "--seconds", seconds, "--threads", threads)
            row[f"ms_{threads}"] = min(row.get(f"ms_{threads}", 1e30), bench["p50_ms"])
            if session:
                key = f"onnxruntime_ms_{threads}"
                row[key] = min(row.get(key, 1e30), onnxruntime_times(session, feed, seconds))


def measure_one(folder, strider, seconds, rounds):
    model, row = folder / "model.onnx", {"agrees": True, "error": 0.0}
    row["opset"] = json.loads((folder / "dump.json").read_text())["opset"]
    timed = False
    for case, inputs, expected, theirs in usable_cases(folder, row):
        try:
            outputs, files = strider_outputs(strider, model, case, inputs, folder / "outputs.npz")
            ours = largest_difference(outputs, expected)
            if theirs is not None:
                row["onnxruntime_error"] = max(row.get("onnxruntime_error", 0), theirs)
                row.pop("onnxruntime_problem", None)
            row["error"] = max(row["error"], ours)
            row["agrees"] &= ours <= min(max(2 * (theirs or 0), 1e-5), LARGEST_ERROR)
            if not any(reference.size for _, reference in expected):
                raise RuntimeError("all outputs are empty")
            if seconds and not timed:
                measure_times(row, model, strider, files, dict(inputs), seconds, rounds)
                timed = True
        except (RuntimeError, subprocess.TimeoutExpired) as problem:
            return {**row, "agrees": False, "problem": str(problem)[:300]}
    return row


def measure(folder, strider, names, seconds, rounds):
    from architectures import ALL

    path = folder / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name in names or ALL:
        for exporter in ALL[name].exporters:
            note = folder / name / f"{exporter}.json"
            if not note.exists():
                continue
            row = json.loads(note.read_text())
            if "problem" in row:
                row = {"not_exported": row["problem"]}
            else:
                row.update(measure_one(folder / name / exporter, strider, seconds, rounds))
            results[f"{name}/{exporter}"] = {"group": ALL[name].group, **row}
            path.write_text(json.dumps(results, indent=1) + "\n")
            verdict = row.get("not_exported") or row.get("problem") or ("agrees" if row["agrees"] else "DIFFERS")
            ratio = f"{row['ms_1'] / row['onnxruntime_ms_1']:.2f}" if row.get("onnxruntime_ms_1") else "-"
            print(f"{name}/{exporter}: {verdict} error {row.get('error', 0):.2g} onnxruntime {row.get('onnxruntime_error') or 0:.2g} time {ratio}", flush=True)


# --- table ---

def number(value, form=".1e"):
    return "–" if value is None else format(value, form)


def ratio(row, threads):
    ours, theirs = row.get(f"ms_{threads}"), row.get(f"onnxruntime_ms_{threads}")
    return ours / theirs if ours and theirs else None


def table(folder, path):
    results = json.loads((folder / "results.json").read_text())
    exported = {k: r for k, r in results.items() if "not_exported" not in r}
    names = {k.rpartition("/")[0] for k in exported}
    agreeing = sum(r.get("agrees", False) for r in exported.values())
    lines = [f"{len(exported)} exports of {len(names)} architectures; {agreeing} agree with torch."]
    for threads in (1, 2):
        ratios = [x for r in exported.values() if (x := ratio(r, threads))]
        if ratios:
            lines.append(f"Time over onnxruntime's, {threads} thread{'s' if threads > 1 else ''}: median {numpy.median(ratios):.2f}, "
                         f"{sum(x > 1 for x in ratios)} of {len(ratios)} above 1.")
    lines += ["", "| group | architecture | exporter | opset | open | error | onnxruntime's | verdict | time, 1 thread | 2 threads |",
              "|---|---|---|---|---|---|---|---|---|---|"]
    for key, r in sorted(results.items(), key=lambda item: (item[1]["group"], item[0])):
        name, _, exporter = key.rpartition("/")
        if "not_exported" in r:
            lines.append(f"| {r['group']} | {name} | {exporter} | | | | | not exported | | |")
            continue
        verdict = r["problem"].replace("|", "\\|") if "problem" in r else "agrees" if r["agrees"] else "differs"
        lines.append(f"| {r['group']} | {name} | {exporter} | {r['opset']} | {r['open']} | {number(r.get('error'))} | {number(r.get('onnxruntime_error'))} "
                     f"| {verdict} | {number(ratio(r, 1), '.2f')} | {number(ratio(r, 2), '.2f')} |")
    text = path.read_text() if path.exists() else "# Coverage\n\n<!-- table -->\n"
    head = text.split("<!-- table -->")[0]
    path.write_text(head + "<!-- table -->\n\n" + "\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("export")
    one.add_argument("folder", type=pathlib.Path)
    one.add_argument("names", nargs="*")
    one = commands.add_parser("measure")
    one.add_argument("folder", type=pathlib.Path)
    one.add_argument("strider")
    one.add_argument("names", nargs="*")
    one.add_argument("--seconds", type=float, default=0.5, help="of each timing; 0: none")
    one.add_argument("--rounds", type=int, default=2)
    one = commands.add_parser("table")
    one.add_argument("folder", type=pathlib.Path)
    one.add_argument("file", type=pathlib.Path)
    args = parser.parse_args()
    if args.command == "export":
        export(args.folder, args.names)
    elif args.command == "measure":
        measure(args.folder, args.strider, args.names, args.seconds, args.rounds)
    else:
        table(args.folder, args.file)


if __name__ == "__main__":
    main()
