# SPDX-License-Identifier: Apache-2.0
"""Converts the networks for the peers that do not read ONNX: ncnn by pnnx, MNN by its converter's library call (its command
would report usage and install packages)."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from networks import find_networks


def to_ncnn(network, target: pathlib.Path) -> None:
    import pnnx

    with tempfile.TemporaryDirectory() as scratch:
        model = pathlib.Path(scratch) / "model.onnx"
        shutil.copy(network.model, model)
        shape = ",".join(str(n) for n in network.read("input", 0).shape)
        program = pathlib.Path(pnnx.EXEC_PATH)
        subprocess.run([program, model, f"inputshape=[{shape}]", "fp16=0"], cwd=scratch, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for kind in ("param", "bin"):
            shutil.move(model.with_name(f"model.ncnn.{kind}"), target / f"model.ncnn.{kind}")


def to_mnn(network, target: pathlib.Path) -> None:
    import _tools

    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(network.model), "--MNNModel", str(target / "model.mnn"),
                       "--bizCode", "bench"])
    if not (target / "model.mnn").exists():
        raise RuntimeError("the converter made no file")


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    for network in find_networks(folder, sys.argv[2:]):
        target = folder / "converted" / network.name
        target.mkdir(parents=True, exist_ok=True)
        for convert in (to_ncnn, to_mnn):
            try:
                convert(network, target)
                print(f"{network.name} {convert.__name__}: ok", flush=True)
            except Exception as problem:  # a peer that cannot run a network is left out of its row
                print(f"{network.name} {convert.__name__}: {problem}", flush=True)
