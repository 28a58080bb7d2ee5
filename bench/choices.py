#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How well Strider's estimates choose between its kernels: for each model, every layer that several kernels compete for is measured with
each of them (strider bench --tuning), and the time of the one with the lowest estimate is compared with the fastest's.

    choices.py STRIDER MODEL.onnx... [--isa NAME] [--shape INPUT=1x3x320x320] [--worst N]
"""
import argparse
import os
import pathlib
import subprocess
import tempfile


def measure(strider, model, isa, shapes):
    """[(layer, kernel, measured ns, estimated ns)]"""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "times"
        environment = dict(os.environ, **({"STRIDER_ISA": isa} if isa else {}))
        subprocess.run([strider, "bench", str(model), "--threads", "1", "--seconds", "0", "--tuning", str(path),
                        *(word for shape in shapes for word in ("--shape", shape))],
                       check=True, stdout=subprocess.DEVNULL, env=environment)
        lines = path.read_text().splitlines()[1:] if path.exists() else []
    for line in lines:
        _, kernel, time, estimate, layer = line.split(" ", 4)
        yield layer, kernel, float(time), float(estimate)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("strider")
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--isa", help="avx512, avx2 or generic")
    parser.add_argument("--shape", action="append", default=[], help="of an input that the models leave open")
    parser.add_argument("--worst", type=int, default=5, help="layers to list for each model")
    options = parser.parse_args()
    print(f"{'model':<28} {'layers':>6} {'over 10 %':>9} {'worst':>7} {'sum':>7}")
    for model in options.models:
        layers = {}
        for layer, kernel, time, estimate in measure(options.strider, model, options.isa, options.shape):
            # What a layer reads in another layout is another question; a reorder would come on top.
            layers.setdefault(layer, []).append((time, estimate, kernel))
        rows = []
        for layer, kernels in layers.items():
            fastest = min(kernels)
            chosen = min(kernels, key=lambda k: k[1])
            rows.append((chosen[0] / fastest[0] - 1, chosen, fastest, layer))
        rows.sort(reverse=True)
        lost = sum(r[1][0] for r in rows) / max(sum(r[2][0] for r in rows), 1) - 1
        print(f"{model.parent.parent.name:<28} {len(rows):>6} {sum(r[0] > 0.1 for r in rows):>9} "
              f"{100 * rows[0][0] if rows else 0:>6.1f}% {100 * lost:>6.1f}%")
        for loss, chosen, fastest, layer in rows[:options.worst]:
            if loss > 0.02:
                print(f"    {100 * loss:5.1f}%  {chosen[2]} {chosen[0] / 1e3:.0f} us (estimated {chosen[1] / 1e3:.0f}), "
                      f"{fastest[2]} {fastest[0] / 1e3:.0f} us ({fastest[1] / 1e3:.0f})  {layer}")


if __name__ == "__main__":
    main()
