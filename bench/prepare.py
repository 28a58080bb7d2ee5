#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes all that bench/run.py needs in one folder: a virtual environment with the peers, the networks with reference
outputs, and their conversions for ncnn and MNN.  Takes about 10 GB and, mostly for downloads, some minutes."""
import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def make_environment(venv: pathlib.Path) -> pathlib.Path:
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "-r", HERE / "requirements.txt"], check=True)
    return python


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="networks; default: all")
    args = parser.parse_args()
    folder = args.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    interpreter = make_environment(folder / "venv")
    networks = HERE.parent / "tests" / "networks" / "make.py"
    subprocess.run([interpreter, networks, folder / "networks", *args.names], check=True)
    subprocess.run([interpreter, HERE / "convert.py", folder, *args.names], check=True)
