#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Strider beside its peers: every engine in turn, each in a fresh process, in several rounds whose order rotates.  Writes
results.json, results.md and results.svg into the folder that bench/prepare.py made."""
import argparse
import datetime
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

import report
from networks import find_networks

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ("onnxruntime", "openvino", "ncnn", "mnn")


def run_strider(program, network, threads, args):
    """bench gives the times; a run of its own, as a user would call it, the time from start to exit; check the outputs."""
    common = ["--threads", str(threads)]
    data = network.model.parent / "test_data_set_0" / "input_0.pb"
    text = subprocess.run([program, "bench", network.model, data, "--json", "--seconds", str(args.seconds), "--warmup",
                           str(args.warmup), *common], check=True, capture_output=True, text=True).stdout
    result = json.loads(text)
    begin = time.perf_counter()
    subprocess.run([program, "run", network.model, data, "--quiet", *common], check=True)
    result["first_output_ms"] = (time.perf_counter() - begin) * 1e3
    checked = subprocess.run([program, "check", network.model.parent, *common], capture_output=True, text=True).stdout
    found = re.search(r"\(([\d.e+-]+) of the largest output\)", checked)
    result["difference"] = float(found.group(1)) if found else float("nan")
    return result


def run_peer(engine, network, threads, args):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS")}
    done = subprocess.run([args.folder / "venv" / "bin" / "python", HERE / "worker.py", args.folder, network.name, engine,
                           str(threads), str(args.seconds), str(args.warmup)], capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(args):
    results = {}
    engines = ["strider", *args.engines]
    for network in find_networks(args.folder, args.networks):
        for threads in args.threads:
            for turn in range(args.rounds):
                for engine in engines[turn % len(engines):] + engines[:turn % len(engines)]:
                    key = (network.name, threads, engine)
                    entry = results.setdefault(key, {"network": network.name, "threads": threads, "engine": engine, "rounds": []})
                    if "problem" in entry:
                        continue
                    try:
                        if engine == "strider":
                            entry["rounds"].append(run_strider(args.strider, network, threads, args))
                        else:
                            entry["rounds"].append(run_peer(engine, network, threads, args))
                    except (RuntimeError, subprocess.CalledProcessError) as problem:
                        entry["problem"] = str(problem)
            print(report.line(results, network.name, threads, engines), flush=True)
    return list(results.values())


def cpu_name() -> str:
    return re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("networks", nargs="*", help="default: all that were prepared")
    parser.add_argument("--strider", type=pathlib.Path, default=HERE.parent / "build" / "strider")
    parser.add_argument("--engines", type=lambda s: s.split(","), default=list(PEERS), help="peers, with commas between")
    parser.add_argument("--threads", type=lambda s: [int(n) for n in s.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--warmup", type=int, default=5)
    arguments = parser.parse_args()
    arguments.folder = arguments.folder.resolve()
    arguments.strider = arguments.strider.resolve()
    measured = {"cpu": cpu_name(), "cpus": len(os.sched_getaffinity(0)), "date": datetime.date.today().isoformat(),
                "rounds": arguments.rounds, "seconds": arguments.seconds, "results": measure(arguments)}
    measured["peak_gflops"] = {str(t): report.peak_of(arguments.strider, t) for t in arguments.threads}
    (arguments.folder / "results.json").write_text(json.dumps(measured, indent=1))
    (arguments.folder / "results.md").write_text(report.markdown(measured))
    subprocess.run([arguments.folder / "venv" / "bin" / "python", HERE / "report.py", arguments.folder / "results.json"], check=True)
    print(report.markdown(measured))
